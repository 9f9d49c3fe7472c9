import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import { epsilonOf, rhoOf } from '../../src/privacy/accounting/composition.ts';
import { type Caps, createCaps } from '../../src/privacy/budget.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import { type Charge, createLedger, type LedgerEntry, type LedgerStore, spentOn } from '../../src/privacy/ledger.ts';
import {
  compareRationals,
  type Rational,
  rational,
  rationalFromNumber,
  sumRationals,
  ZERO,
} from '../../src/privacy/rational.ts';

const test = suite('ledger');

interface TestStore extends LedgerStore {
  readonly kept: LedgerEntry[];
  failNext: 'before writing' | 'after writing' | undefined;
  /** How often it does not answer when it is asked what it holds. */
  silences: number;
}

/** A store that takes its time, and can fail once, on either side of the write. */
function createTestStore(kept: LedgerEntry[] = []): TestStore {
  return {
    kept,
    failNext: undefined,
    silences: 0,
    async append(entry) {
      await setImmediate();
      const failing = this.failNext;
      this.failNext = undefined;
      if (failing === 'before writing') throw new Error('disk full');
      kept.push(entry);
      if (failing === 'after writing') throw new Error('disk gone');
    },
    async entries() {
      await setImmediate();
      this.silences -= 1;
      if (this.silences >= 0) throw new Error('disk silent');
      return [...kept];
    },
  };
}

const rho = rational(1n, 20n);
const noon = (): Date => new Date('2024-05-01T12:00:00Z');

function chargeOf(job: string, round: number, more: Partial<Charge> = {}): Charge {
  return { job, round, dataset: 'data.csv', rho, unit: 'record', neighbours: 'zero-out', sampling: 1, ...more };
}

function entryOf(job: string, round: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return { ...chargeOf(job, round), at: noon().toISOString(), ...more };
}

const unprotected = { rho: null, unit: null, neighbours: null, sampling: null };

test('keeps job, round, data set, rho, what it hides, and the date of a charge', async () => {
  const store = createTestStore();
  assert.equal(await createLedger(store, noon).charge(chargeOf('a', 1)), true);
  assert.deepEqual(store.kept, [
    {
      job: 'a',
      round: 1,
      dataset: 'data.csv',
      rho,
      unit: 'record',
      neighbours: 'zero-out',
      sampling: 1,
      at: '2024-05-01T12:00:00.000Z',
    },
  ]);
});

test('charges a round once, however often it is asked, also after a restart', async () => {
  const store = createTestStore();
  const ledger = createLedger(store, noon);
  assert.equal(await ledger.charge(chargeOf('a', 1)), true);
  assert.equal(await ledger.charge(chargeOf('a', 1, { rho: rational(2n, 40n) })), false);
  assert.equal(await createLedger(store, noon).charge(chargeOf('a', 1)), false);
  assert.deepEqual(await ledger.spent(), { rho, rounds: 1, unprotectedRounds: 0 });
  assert.equal(store.kept.length, 1);
});

test('charges a round once when it is asked a hundred times at once', async () => {
  const store = createTestStore();
  const ledger = createLedger(store);
  const charges = await Promise.all(Array.from({ length: 100 }, () => ledger.charge(chargeOf('a', 1))));
  assert.equal(charges.filter(Boolean).length, 1);
  assert.equal(store.kept.length, 1);
});

test('tells jobs and rounds apart', async () => {
  const ledger = createLedger(createTestStore());
  for (const [job, round] of [
    ['a', 1],
    ['a', 11],
    ['1 a', 1],
    ['b', 1],
  ] as const) {
    assert.equal(await ledger.charge(chargeOf(job, round)), true);
  }
  assert.deepEqual(await ledger.spent('a'), { rho: rational(1n, 10n), rounds: 2, unprotectedRounds: 0 });
  assert.deepEqual(await ledger.spent('c'), { rho: rational(0n), rounds: 0, unprotectedRounds: 0 });
  assert.deepEqual(await ledger.spent(), { rho: rational(1n, 5n), rounds: 4, unprotectedRounds: 0 });
});

test('adds up exactly over ten thousand rounds', async () => {
  const ledger = createLedger(
    createTestStore(
      Array.from({ length: 10_000 }, (_, round) =>
        round % 2 === 0
          ? entryOf('third', round, { rho: rational(1n, 3n) })
          : entryOf('seventh', round, { rho: rational(1n, 7n) }),
      ),
    ),
  );
  assert.deepEqual((await ledger.spent()).rho, rational(50_000n, 21n));
});

test('counts rounds without differential privacy apart', async () => {
  const ledger = createLedger(createTestStore());
  await ledger.charge(chargeOf('a', 1));
  assert.equal(await ledger.charge(chargeOf('b', 1, unprotected)), true);
  assert.equal(await ledger.charge(chargeOf('b', 1, unprotected)), false);
  assert.deepEqual(await ledger.spent(), { rho, rounds: 2, unprotectedRounds: 1 });
});

test('tells what others have spent of one data set for one unit', async () => {
  const ledger = createLedger(createTestStore([entryOf('old', 1, { dataset: null })]));
  await ledger.charge(chargeOf('a', 1));
  await ledger.charge(chargeOf('b', 1));
  await ledger.charge(chargeOf('b', 2, { dataset: 'other.csv' }));
  await ledger.charge(chargeOf('c', 1, { unit: 'owner' }));
  await ledger.charge(chargeOf('d', 1, unprotected));
  const others = (dataset: string, unit: 'record' | 'owner', job: string): Promise<Rational> =>
    ledger.spentByOthers({ dataset, unit }, job).then(rhoOf);
  assert.deepEqual(await others('data.csv', 'record', 'a'), rational(2n, 20n));
  assert.deepEqual(await others('data.csv', 'record', 'nobody'), rational(3n, 20n));
  assert.deepEqual(await others('data.csv', 'owner', 'c'), ZERO);
  assert.deepEqual(await others('new.csv', 'record', 'a'), rho, 'what was never told apart counts everywhere');
});

test('refuses another cost for the same round, a negative one, and one that says half of what it hides', async () => {
  const store = createTestStore();
  const ledger = createLedger(store);
  await ledger.charge(chargeOf('a', 1));
  for (const other of [
    { rho: rational(1n, 21n) },
    unprotected,
    { dataset: 'other.csv' },
    { unit: 'owner' },
    { neighbours: 'substitution' },
  ] as const)
    await assert.rejects(ledger.charge(chargeOf('a', 1, other)), { code: 'privacy_invalid', field: 'rho' });
  await assert.rejects(ledger.charge(chargeOf('a', 2, { rho: rational(-1n, 2n) })), {
    code: 'privacy_invalid',
    message: 'rho: expected at least 0, got -1/2',
  });
  for (const half of [{ unit: null }, { neighbours: null }, { rho: null }])
    await assert.rejects(ledger.charge(chargeOf('a', 2, half)), { code: 'privacy_invalid', field: 'unit' });
  assert.equal(store.kept.length, 1);
});

test('a charge that failed is taken again, and one that failed after it was written is not charged again', async () => {
  for (const failure of ['before writing', 'after writing'] as const) {
    const store = createTestStore();
    const ledger = createLedger(store);
    store.failNext = failure;
    await assert.rejects(ledger.charge(chargeOf('a', 1)), /disk/);
    assert.equal(await ledger.charge(chargeOf('a', 1)), failure === 'before writing');
    assert.deepEqual(await ledger.spent(), { rho, rounds: 1, unprotectedRounds: 0 });
    assert.equal(store.kept.length, 1);
  }
});

test('a charge of which nobody knows whether it was written counts as spent until it is asked for again', async () => {
  const caps: Caps = { rhoTotal: rho };
  for (const failure of ['before writing', 'after writing'] as const) {
    const store = createTestStore();
    const ledger = createLedger(store);
    store.failNext = failure;
    await assert.rejects(ledger.charge(chargeOf('a', 1), caps), /disk/);
    await assert.rejects(ledger.charge(chargeOf('b', 1), caps), { code: 'policy_refused' });
    assert.deepEqual(await ledger.spent(), { rho, rounds: 1, unprotectedRounds: 0 });
    assert.deepEqual(rhoOf(await ledger.spentByOthers({ dataset: 'data.csv', unit: 'record' }, 'b')), rho);
    assert.equal(await ledger.charge(chargeOf('a', 1), caps), failure === 'before writing');
    await assert.rejects(ledger.charge(chargeOf('b', 1), caps), { code: 'policy_refused' });
    assert.equal(store.kept.length, 1);
  }
});

test('what cannot be read cannot be spent', async () => {
  const store = createTestStore([entryOf('a', 1)]);
  const ledger = createLedger(store);
  store.silences = 1;
  await assert.rejects(ledger.charge(chargeOf('a', 2), { rhoTotal: rho }), /disk silent/);
  await assert.rejects(ledger.charge(chargeOf('a', 2), { rhoTotal: rho }), { code: 'policy_refused' });
  assert.equal(store.kept.length, 1);
});

test('refuses books that contradict themselves', async () => {
  const store = createTestStore([entryOf('a', 1), entryOf('a', 1, { rho: rational(1n) })]);
  await assert.rejects(createLedger(store).spent(), {
    code: 'privacy_invalid',
    message:
      'job a, round 1: already charged with rho 1/20 on data.csv for the unit record, neighbours by zero-out, ' +
      'now asked for rho 1 on data.csv for the unit record, neighbours by zero-out',
  });
});

test('an entry that is in the books twice was charged once', async () => {
  const ledger = createLedger(createTestStore([entryOf('a', 1), entryOf('a', 1)]));
  assert.equal(await ledger.charge(chargeOf('b', 1), { rhoTotal: rational(1n, 10n) }), true);
});

test('a hundred charges at once at the last unit of budget: exactly those that fit go through', async () => {
  const tenth = rational(1n, 10n);
  const store = createTestStore([entryOf('before', 1, { rho: rational(7n, 10n) })]);
  const ledger = createLedger(store, noon);
  const asked = Array.from({ length: 100 }, (_, job) =>
    ledger.charge(chargeOf(`job-${job}`, 1, { rho: tenth }), { rhoTotal: rational(1n) }),
  );
  const outcomes = await Promise.allSettled(asked);
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3);
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') {
      const { code, field } = outcome.reason as { code: string; field: string };
      assert.deepEqual([code, field], ['policy_refused', 'policy.rho_total']);
    }
  assert.deepEqual((await ledger.spent()).rho, rational(1n), 'spent to the last');
});

test('the last fraction fits exactly, and nothing after it, also after a restart; what was paid stays paid', async () => {
  const store = createTestStore();
  const caps: Caps = { rhoTotal: rational(1n) };
  const third = { rho: rational(1n, 3n) };
  for (let round = 1; round <= 3; round++)
    assert.equal(await createLedger(store).charge(chargeOf('a', round, third), caps), true);
  const ledger = createLedger(store);
  await assert.rejects(ledger.charge(chargeOf('a', 4, { rho: rational(1n, 10n ** 40n) }), caps), {
    code: 'policy_refused',
    field: 'policy.rho_total',
  });
  assert.equal(await ledger.charge(chargeOf('a', 4, { rho: ZERO }), caps), true, 'nothing costs nothing');
  assert.equal(await ledger.charge(chargeOf('a', 3, third), caps), false);
  // A cap that was lowered takes nothing back.
  assert.equal(await ledger.charge(chargeOf('a', 3, third), { rhoTotal: rational(1n, 100n) }), false);
});

test('a data set and a unit have caps of their own', async () => {
  const ledger = createLedger(createTestStore());
  const caps: Caps = { rhoTotal: rho };
  assert.equal(await ledger.charge(chargeOf('a', 1), caps), true);
  assert.equal(await ledger.charge(chargeOf('a', 2, { dataset: 'other.csv' }), caps), true);
  assert.equal(await ledger.charge(chargeOf('a', 3, { unit: 'owner' }), caps), true);
  for (const more of [{}, { dataset: 'other.csv' }, { unit: 'owner' }, { neighbours: 'substitution' }] as const)
    await assert.rejects(ledger.charge(chargeOf('a', 4, more), caps), { field: 'policy.rho_total' });
});

test('a round above its cap, and one without privacy beside any cap, are refused', async () => {
  const store = createTestStore();
  const ledger = createLedger(store);
  await assert.rejects(ledger.charge(chargeOf('a', 1), { rhoPerRound: rational(1n, 21n) }), {
    code: 'policy_refused',
    field: 'policy.rho_per_round',
  });
  await assert.rejects(ledger.charge(chargeOf('a', 1, unprotected), { rhoPerRound: rho }), {
    code: 'policy_refused',
    field: 'policy.require_privacy',
  });
  assert.deepEqual(store.kept, []);
});

test('a clock that goes backwards changes nothing but the dates', async () => {
  let now = Date.parse('2024-05-01T12:00:00Z');
  const store = createTestStore();
  const back = (): Date => {
    now -= 365 * 86_400_000;
    return new Date(now);
  };
  const caps: Caps = { rhoTotal: rational(2n, 20n) };
  for (let round = 1; round <= 2; round++)
    assert.equal(await createLedger(store, back).charge(chargeOf('a', round), caps), true);
  await assert.rejects(createLedger(store, back).charge(chargeOf('a', 3), caps), { code: 'policy_refused' });
  assert.equal(await createLedger(store, back).charge(chargeOf('a', 1), caps), false);
  assert.ok((store.kept[1]?.at ?? '') < (store.kept[0]?.at ?? ''));
});

/** What may happen to a ledger. */
type Step =
  | { readonly do: 'charge'; readonly charge: Charge }
  | { readonly do: 'restart' }
  | { readonly do: 'fail'; readonly how: 'before writing' | 'after writing' };

const anyRho = fc
  .tuple(fc.bigInt({ min: 0n, max: 12n }), fc.bigInt({ min: 1n, max: 12n }))
  .map(([over, under]) => rational(over, under));
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        job: fc.constantFrom('a', 'b'),
        round: fc.integer({ min: 1, max: 4 }),
        dataset: fc.constantFrom('data.csv', 'other.csv'),
        rho: anyRho,
        unit: fc.constantFrom('record' as const, 'owner' as const),
      })
      .map((drawn): Step => ({ do: 'charge', charge: { ...drawn, neighbours: 'zero-out', sampling: 1 } })),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'restart' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Step>(
      ...(['before writing', 'after writing'] as const).map((how) => ({ do: 'fail' as const, how })),
    ),
  },
);

test('whatever is asked, fails or is started anew, no account is ever past its cap, and nothing is charged twice', async () => {
  const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), anyRho, async (steps, rhoTotal) => {
    const store = createTestStore();
    let ledger = createLedger(store);
    let pending: Promise<unknown>[] = [];
    for (const step of steps) {
      if (step.do === 'restart') {
        // A process that ends waits for what is under way, or it never happened.
        await Promise.allSettled(pending.splice(0));
        ledger = createLedger(store);
      } else if (step.do === 'fail') store.failNext = step.how;
      else {
        const charging = ledger.charge(step.charge, { rhoTotal });
        charging.catch(() => undefined);
        pending.push(charging);
      }
    }
    await Promise.allSettled(pending);
    pending = [];
    const accounts = new Map<string, Rational[]>();
    for (const { dataset, unit, rho: spent } of store.kept) {
      const account = `${dataset} ${unit}`;
      accounts.set(account, [...(accounts.get(account) ?? []), spent ?? ZERO]);
    }
    for (const rhos of accounts.values()) assert.ok(compareRationals(sumRationals(rhos), rhoTotal) <= 0);
    const rounds = store.kept.map(({ job, round }) => `${job} ${round}`);
    assert.equal(new Set(rounds).size, rounds.length);
  });
  await fc.assert(property, { numRuns: process.env.SLOW === undefined ? 200 : 5000 });
});

test('sampled rounds: as many as their epsilon was promised for go through, and no more, also after a restart', async () => {
  const [target, rounds, sampling] = [{ epsilon: 1, delta: 1e-6 }, 12, 0.1] as const;
  const job = { rho: calibrate(target, rounds, { sampling }).rhoPerRound, sampling };
  const caps = createCaps(target);
  const store = createTestStore();
  for (let round = 1; round <= rounds; round += 1)
    assert.equal(await createLedger(store).charge(chargeOf('a', round, job), caps), true, `round ${round}`);
  assert.ok(epsilonOf(spentOn(store.kept), target.delta).epsilon > target.epsilon * (1 - 1e-6), 'to the last');
  for (const refused of [
    chargeOf('a', rounds + 1, job),
    chargeOf('b', 1, job),
    chargeOf('b', 1, { ...job, sampling: 1 }),
  ])
    for (const ledger of [createLedger(store), createLedger(createTestStore([...store.kept].reverse()))])
      await assert.rejects(ledger.charge(refused, caps), { code: 'policy_refused', field: 'policy.epsilon' });
  // What is in the books stays paid, by the chance it was charged with and no other.
  const ledger = createLedger(store);
  assert.equal(await ledger.charge(chargeOf('a', 1, job), caps), false);
  for (const other of [0.2, 1])
    await assert.rejects(ledger.charge(chargeOf('a', 1, { ...job, sampling: other }), caps), {
      code: 'privacy_invalid',
    });
  assert.equal(store.kept.length, rounds);
});

test('a hundred sampled charges at once at the last of an epsilon: exactly those that fit go through', async () => {
  const [target, sampling] = [{ epsilon: 2, delta: 1e-5 }, 0.2] as const;
  const { rhoPerRound: each } = calibrate(target, 7, { sampling });
  const caps = createCaps(target);
  const store = createTestStore();
  const ledger = createLedger(store);
  const asked = Array.from({ length: 100 }, (_, job) =>
    ledger.charge(chargeOf(`job-${job}`, 1, { rho: each, sampling }), caps),
  );
  const outcomes = await Promise.allSettled(asked);
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 7);
  assert.equal(store.kept.length, 7);
});

test('a cap in rho counts sampled rounds in full', async () => {
  const caps: Caps = { rhoTotal: rational(2n, 20n), rhoPerRound: rho };
  const ledger = createLedger(createTestStore());
  for (const round of [1, 2]) assert.equal(await ledger.charge(chargeOf('a', round, { sampling: 0.001 }), caps), true);
  await assert.rejects(ledger.charge(chargeOf('a', 3, { sampling: 0.001 }), caps), { field: 'policy.rho_total' });
  const more = { rho: rational(1n, 19n), sampling: 0.001 };
  await assert.rejects(ledger.charge(chargeOf('b', 1, more), { rhoPerRound: rho }), { field: 'policy.rho_per_round' });
});

test('with and without sampling, whatever is charged, the accountant never finds more than the epsilon allowed', async () => {
  const anyCharge = fc.record({
    rho: fc.integer({ min: -5000, max: 0 }).map((thousandths) => rationalFromNumber(10 ** (thousandths / 1000))),
    sampling: fc.constantFrom(1, 0.5, 0.1, 0.01),
  });
  const target = { epsilon: 1.5, delta: 1e-6 };
  const caps = createCaps(target);
  const property = fc.asyncProperty(fc.array(anyCharge, { maxLength: 25 }), async (charges) => {
    const store = createTestStore();
    let ledger = createLedger(store);
    for (const [round, charge] of charges.entries()) {
      if (round % 7 === 6) ledger = createLedger(store);
      const kept = store.kept.length;
      const entry = entryOf('a', round + 1, charge);
      const { epsilon } = epsilonOf(spentOn([...store.kept, entry]), target.delta);
      const went = await ledger.charge(chargeOf('a', round + 1, charge), caps).catch(() => false);
      assert.equal(store.kept.length, kept + Number(went), 'charged or refused');
      if (Math.abs(epsilon / target.epsilon - 1) > 1e-9) assert.equal(went, epsilon < target.epsilon, `${epsilon}`);
    }
  });
  await fc.assert(property, { numRuns: 30 });
});

test.run();

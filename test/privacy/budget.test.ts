/** Caps: which make sense, what fits beneath them to the last fraction, and what is left. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  type Composition,
  compose,
  epsilonOf,
  NO_ROUNDS,
  type RoundLoss,
  roundsOf,
} from '../../src/privacy/accounting/composition.ts';
import { rhoFromEpsilon } from '../../src/privacy/accounting/zcdp.ts';
import { brokenCaps, type Caps, createCaps, greatestTotal, isLimited, leftOf } from '../../src/privacy/budget.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import {
  addRationals,
  compareRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  sumRationals,
  ZERO,
} from '../../src/privacy/rational.ts';

const test = suite('budget');

const numRuns = process.env.SLOW === undefined ? 300 : 20_000;

const positive = fc
  .tuple(fc.bigInt({ min: 1n, max: 1n << 70n }), fc.bigInt({ min: 1n, max: 1n << 70n }))
  .map(([over, under]) => rational(over, under));
const atLeastZero = fc.oneof(positive, fc.constant(ZERO));
const rounds = fc.integer({ min: 1, max: 100_000 });

function unsampled(rho: Rational): Composition {
  return { rho, sampled: [] };
}

function rulesOf(caps: Caps, rho: Rational | null, count: number, spent: Rational): string[] {
  return brokenCaps(caps, {
    loss: rho === null ? null : { rho, sampling: 1 },
    rounds: count,
    spent: unsampled(spent),
  }).map(({ field }) => field);
}

test('what fits is what exact arithmetic says, and nothing passes a cap', () => {
  fc.assert(
    fc.property(positive, rounds, atLeastZero, positive, (rho, count, spent, rhoTotal) => {
      const after = sumRationals([spent, multiplyRationals(rational(BigInt(count)), rho)]);
      const fits = rulesOf({ rhoTotal }, rho, count, spent).length === 0;
      assert.equal(fits, compareRationals(after, rhoTotal) <= 0);
      const left = leftOf({ rhoTotal }, unsampled(spent));
      assert.ok(left !== undefined && left.numerator >= 0n);
      if (fits) assert.deepEqual(addRationals(spent, left), rhoTotal);
    }),
    { numRuns },
  );
});

test('the last fraction fits, and the least bit more does not', () => {
  fc.assert(
    fc.property(positive, rounds, atLeastZero, (rho, count, spent) => {
      const rhoTotal = addRationals(spent, multiplyRationals(rational(BigInt(count)), rho));
      assert.deepEqual(rulesOf({ rhoTotal }, rho, count, spent), []);
      const more = addRationals(rho, rational(1n, 1n << 300n));
      assert.deepEqual(rulesOf({ rhoTotal }, more, count, spent), ['policy.rho_total']);
      assert.deepEqual(rulesOf({ rhoPerRound: rho }, rho, count, spent), []);
      assert.deepEqual(rulesOf({ rhoPerRound: rho }, more, count, spent), ['policy.rho_per_round']);
    }),
    { numRuns },
  );
});

test('an epsilon with its delta is the rho that gives it: a job that asks for just that fits, and then nothing', () => {
  for (const [epsilon, delta] of [
    [1, 1e-5],
    [0.1, 1e-9],
    [8, 1e-6],
  ] as const)
    for (const count of [1, 7, 201]) {
      const caps = createCaps({ epsilon, delta });
      assert.deepEqual(caps.target?.rho, rationalFromNumber(rhoFromEpsilon(epsilon, delta)));
      const { rhoPerRound, rhoTotal } = calibrate({ epsilon, delta }, count);
      assert.deepEqual(rulesOf(caps, rhoPerRound, count, ZERO), []);
      assert.deepEqual(rulesOf(caps, rhoPerRound, count, rhoTotal), ['policy.epsilon']);
      const { rhoPerRound: more } = calibrate({ epsilon: epsilon * 1.001, delta }, count);
      assert.deepEqual(rulesOf(caps, more, count, ZERO), ['policy.epsilon']);
    }
});

test('of two caps on everything the lesser counts, and each is named by itself', () => {
  const caps = createCaps({ rhoTotal: 0.5, epsilon: 1, delta: 1e-5 });
  const bound = rhoFromEpsilon(1, 1e-5);
  assert.ok(bound < 0.5);
  assert.deepEqual(greatestTotal(caps), rationalFromNumber(bound));
  assert.deepEqual(greatestTotal(createCaps({ rhoTotal: 0.01, epsilon: 1, delta: 1e-5 })), rationalFromNumber(0.01));
  assert.deepEqual(rulesOf(caps, rational(1n, 4n), 1, ZERO), ['policy.epsilon']);
  assert.deepEqual(rulesOf(caps, rational(1n), 1, ZERO), ['policy.rho_total', 'policy.epsilon']);
});

test('without caps everything fits, beside one nothing without privacy does', () => {
  assert.deepEqual(createCaps({}), {});
  assert.equal(isLimited({}), false);
  assert.deepEqual(rulesOf({}, null, 1, ZERO), []);
  assert.deepEqual(rulesOf({}, rational(1n << 100n), 100_000, rational(1n << 100n)), []);
  assert.equal(leftOf({ rhoPerRound: rational(1n) }, NO_ROUNDS), undefined);
  for (const settings of [{ rhoPerRound: 1 }, { rhoTotal: 1 }, { epsilon: 1, delta: 0.1 }]) {
    assert.equal(isLimited(createCaps(settings)), true);
    assert.deepEqual(rulesOf(createCaps(settings), null, 1, ZERO), ['policy.require_privacy']);
  }
});

test('a cap that was lowered beneath what is spent leaves nothing', () => {
  assert.deepEqual(leftOf({ rhoTotal: rational(1n, 2n) }, unsampled(rational(2n))), ZERO);
});

test('a refusal says what was asked and what the cap is, and whether less would do; nothing of what others spent', () => {
  const whyOf = (count: number, spent: Rational): string | undefined =>
    brokenCaps(
      { rhoTotal: rational(1n, 2n) },
      { loss: { rho: rational(1n, 8n), sampling: 1 }, rounds: count, spent: unsampled(spent) },
    )[0]?.why;
  assert.equal(
    whyOf(5, ZERO),
    '5 rounds that spend rho 0.125 each are more than the 0.5 that this owner allows in all',
  );
  const less = '4 rounds that spend rho 0.125 each are more than is left of the 0.5 that this owner allows in all';
  assert.equal(whyOf(4, rational(1n, 8n)), less);
  assert.equal(whyOf(4, rational(3n, 8n)), less);
  assert.equal(
    whyOf(1, rational(1n, 2n)),
    'a round that spends rho 0.125 is more than is left of the 0.5 that this owner allows in all',
  );
});

const someTarget = fc.record({
  epsilon: fc.double({ min: 0.05, max: 30, noNaN: true }),
  delta: fc.integer({ min: -10000, max: -2000 }).map((thousandths) => 10 ** (thousandths / 1000)),
});
const someChance = fc.integer({ min: -4000, max: -1 }).map((thousandths) => 10 ** (thousandths / 1000));
const someLoss = fc.record({
  rho: fc.integer({ min: -7000, max: 0 }).map((thousandths) => rationalFromNumber(10 ** (thousandths / 1000))),
  sampling: fc.oneof({ weight: 3, arbitrary: someChance }, { weight: 1, arbitrary: fc.constant(1) }),
});
const someSpent = fc
  .array(fc.tuple(someLoss, fc.integer({ min: 1, max: 500 })), { maxLength: 3 })
  .map((kinds) => compose(kinds.map(([loss, count]) => roundsOf(loss, count))));

test('an epsilon counts sampling: what breaks it is what the accountant finds too much; caps in rho do not count it', () => {
  fc.assert(
    fc.property(someTarget, someLoss, fc.integer({ min: 1, max: 300 }), someSpent, (target, loss, count, spent) => {
      const caps = createCaps(target);
      const broken = brokenCaps(caps, { loss, rounds: count, spent }).map(({ field }) => field);
      const after = compose([spent, roundsOf(loss, count)]);
      const { epsilon } = epsilonOf(after, target.delta);
      // At the very edge the exact fraction decides, which is more exact than a double of ε.
      if (Math.abs(epsilon / target.epsilon - 1) > 1e-9)
        assert.deepEqual(broken, epsilon > target.epsilon ? ['policy.epsilon'] : [], `${epsilon}`);
      const rho = multiplyRationals(rational(BigInt(count)), loss.rho);
      assert.deepEqual(brokenCaps({ rhoTotal: rho }, { loss, rounds: count, spent: NO_ROUNDS }), [], 'the last of ρ');
      const less = multiplyRationals(rho, rational(999n, 1000n));
      const fields = brokenCaps({ rhoTotal: less }, { loss, rounds: count, spent: NO_ROUNDS }).map(
        ({ field }) => field,
      );
      assert.deepEqual(fields, ['policy.rho_total'], 'a caps of ρ in full');
    }),
    { numRuns: numRuns / 3 },
  );
});

/** Also of an ε so great that all the figures a double has go into its whole part. */
const anyTarget = fc.record({
  epsilon: fc.integer({ min: -2000, max: 4000 }).map((thousandths) => 10 ** (thousandths / 1000)),
  delta: fc.integer({ min: -15000, max: -300 }).map((thousandths) => 10 ** (thousandths / 1000)),
});

test('chance never costs: what fits when everybody takes part fits when they do by chance, to the last fraction', () => {
  fc.assert(
    fc.property(anyTarget, fc.integer({ min: 1, max: 300 }), someChance, (target, count, sampling) => {
      const caps = createCaps(target);
      assert.ok(caps.target !== undefined, 'a target');
      const rho = multiplyRationals(caps.target.rho, rational(1n, BigInt(count)));
      for (const each of [1, sampling]) {
        const fields = brokenCaps(caps, { loss: { rho, sampling: each }, rounds: count, spent: NO_ROUNDS });
        assert.deepEqual(fields, [], `sampling ${each}`);
      }
    }),
    { numRuns },
  );
});

test('what is left beside sampled rounds fits, and one per cent more does not', () => {
  fc.assert(
    fc.property(someTarget, someSpent, (target, spent) => {
      const caps = createCaps(target);
      const left = leftOf(caps, spent);
      assert.ok(left !== undefined && left.numerator >= 0n, 'limited');
      const fits = (loss: RoundLoss): boolean => brokenCaps(caps, { loss, rounds: 1, spent }).length === 0;
      if (left.numerator > 0n) assert.ok(fits({ rho: left, sampling: 1 }), 'what is left fits');
      // Beneath 2^−63 nothing is said to be left.
      const more = multiplyRationals(addRationals(left, rational(1n, 2n ** 60n)), rational(101n, 100n));
      assert.ok(!fits({ rho: more, sampling: 1 }), 'more does not');
    }),
    { numRuns: numRuns / 5 },
  );
});

test('what a sampled job promises fits a cap of just that, and not a second time', () => {
  for (const [epsilon, delta] of [
    [1, 1e-5],
    [0.2, 1e-9],
    [8, 1e-6],
  ] as const)
    for (const sampling of [0.01, 0.3, 0.999_999])
      for (const count of [1, 40]) {
        const { rhoPerRound: rho } = calibrate({ epsilon, delta }, count, { sampling });
        const caps = createCaps({ epsilon, delta });
        const asked = { loss: { rho, sampling }, rounds: count };
        assert.deepEqual(brokenCaps(caps, { ...asked, spent: NO_ROUNDS }), [], `${epsilon}, ${sampling}, ${count}`);
        const twice = brokenCaps(caps, { ...asked, spent: roundsOf(asked.loss, count) });
        assert.deepEqual(
          twice.map(({ field }) => field),
          ['policy.epsilon'],
          `${epsilon}, ${sampling}, ${count} twice`,
        );
      }
});

test.run();

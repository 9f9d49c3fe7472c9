/** Owners with policies: a model owner sees before the first round who refuses, and by which rule; what is spent stays within them. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import { parseModel } from '../../src/learning/model.ts';
import { createCaps } from '../../src/privacy/budget.ts';
import type { LedgerStatement } from '../../src/privacy/ledger-statement.ts';
import { type Rational, rational } from '../../src/privacy/rational.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import type { ModelEventRecord } from '../../src/storage/model-store.ts';
import { dealtOut, linearSample } from './data.ts';
import { oneKey } from './keys.ts';
import { type Consortium, getJson, type RunningParty, startConsortium, trainOver } from './parties.ts';

const test = suite('policies end to end');

const newKey = await oneKey();
const sample = linearSample(30);
const plain = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 3 },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 60 },
};
/** So much that the noise harms no training of a test. */
const document = { ...plain, privacy: { rho: 200, delta: 1e-6 } };
const { rhoPerRound, rhoTotal, rounds } = termsOf(parseModel(document), 3).calibration ?? assert.fail('no noise');

function consortiumWith(policies: Readonly<Record<string, Partial<OwnerPolicy>>>): Promise<Consortium> {
  return startConsortium({
    data: dealtOut(sample, 3),
    newKey,
    policyOf: (owner) => ({ ...openPolicy, ...policies[owner] }),
  });
}

async function eventsOf({ modelOwner }: Consortium, { id }: ModelView): Promise<ModelEventRecord[]> {
  const text = await (await fetch(`${modelOwner.url}/models/${id}/events`)).text();
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? '') as ModelEventRecord);
}

function ledgerOf({ url }: RunningParty): Promise<LedgerStatement> {
  return getJson<LedgerStatement>(`${url}/ledger`);
}

function standings({ owners }: Pick<ModelView, 'owners'>): string[] {
  return owners.map(({ status }) => status);
}

test('who refuses and why is known before the first round, and the others train without', async () => {
  await using consortium = await consortiumWith({
    'owner-2': { caps: { rhoTotal } },
    'owner-3': { places: ['data-owners'], features: ['age', 'visits', 'outcome'] },
  });
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.deepEqual(standings(view), ['ready', 'ready', 'refused']);
  const reason =
    'policy.places: the job has noise added by model-owner; this owner accepts data-owners; ' +
    'policy.features: the job uses columns that this owner does not release: ward';
  assert.equal(view.owners[2]?.reason, reason);
  const events = await eventsOf(consortium, view);
  const told = events.findIndex(({ owners }) => owners.some((each) => each.reason === reason));
  const firstRound = events.findIndex(({ type }) => type === 'round');
  assert.ok(told >= 0 && firstRound > told, `told by event ${told}, the first round is event ${firstRound}`);

  const [open, capped, refusing] = await Promise.all(consortium.owners.map(ledgerOf));
  assert.deepEqual([open?.rounds, capped?.rounds, refusing?.rounds], [rounds, rounds, 0]);
  const [account] = capped?.accounts ?? [];
  assert.equal(account?.dataset, 'owner-2.csv');
  assert.deepEqual(exact(account.spent.rho), rhoTotal, 'spent to the last fraction');
  assert.deepEqual([account.left?.rho.value, account.left?.epsilon], [0, null]);
  assert.deepEqual([open?.accounts[0]?.left], [null]);

  const again = await trainOver(consortium.modelOwner, document);
  assert.equal(again.status, 'failed');
  assert.deepEqual(standings(again).slice(1), ['refused', 'refused']);
  assert.match(
    again.owners[1]?.reason ?? '',
    /^policy\.rho_total: 4 rounds that spend rho 49\.9\d+ each are more than is left/,
  );
  assert.deepEqual((await Promise.all(consortium.owners.map(ledgerOf)))[1], capped);
});

function exact({ numerator, denominator }: { numerator: string; denominator: string }): Rational {
  return rational(BigInt(numerator), BigInt(denominator));
}

test('a training that too many refuse ends before its first round, naming each rule, and spends nothing', async () => {
  await using consortium = await consortiumWith({
    'owner-1': { caps: createCaps({ rhoPerRound: 0.01 }) },
    'owner-2': { leastQuorum: 3 },
    'owner-3': { caps: createCaps({ epsilon: 1, delta: 1e-6 }) },
  });
  const view = await trainOver(consortium.modelOwner, document);
  assert.equal(view.status, 'failed');
  assert.equal(view.failure?.code, 'owners_too_few');
  assert.equal(view.last_round, undefined);
  // Two refusals put the quorum out of reach; the third owner may not have answered by then.
  const refusals = view.owners.flatMap(({ owner, reason }) => (reason === undefined ? [] : [{ owner, reason }]));
  assert.ok(refusals.length >= 2);
  const rules = ['policy.rho_per_round', 'policy.least_quorum', 'policy.epsilon'];
  for (const { owner, reason } of refusals) {
    const rule = rules[Number(owner.slice(-1)) - 1] ?? '?';
    assert.ok(reason.startsWith(`${rule}: `), reason);
    assert.ok(view.failure.detail.includes(`${owner} refused: ${rule}: `), view.failure.detail);
  }
  for (const owner of consortium.owners) assert.deepEqual((await ledgerOf(owner)).entries, []);
});

test('without differential privacy nobody takes part who has a cap', async () => {
  const caps = { rhoTotal: rhoPerRound };
  await using consortium = await consortiumWith({ 'owner-1': { caps }, 'owner-2': { requirePrivacy: true } });
  const view = await trainOver(consortium.modelOwner, plain);
  assert.deepEqual(standings(view).slice(0, 2), ['refused', 'refused']);
  for (const { reason } of view.owners.slice(0, 2))
    assert.equal(reason, 'policy.require_privacy: this owner takes part only under differential privacy');
});

test.run();

/** What a data owner accepts: its own arithmetic and nothing else. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type Dataset, openDataset } from '../../../parties/data-owner/dataset.ts';
import { acceptJob, type Participation, publicReason } from '../../../parties/data-owner/participation.ts';
import { SealsumError } from '../../../src/errors.ts';
import { compileFeatures, encodeTable } from '../../../src/learning/features.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { readTable } from '../../../src/learning/table.ts';
import { contribution } from '../../../src/learning/task.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { generateKeyPair, testOnlyGenerateKeyPair } from '../../../src/paillier/key-generation.ts';
import { publicKeyToJwk } from '../../../src/paillier/public-key.ts';
import { openVector } from '../../../src/pipeline.ts';
import type { JobId, OwnerId } from '../../../src/protocol/identifiers.ts';
import type { JobDescriptor, RoundView } from '../../../src/protocol/messages.ts';
import { noiseToWire, termsOf } from '../../../src/protocol/terms.ts';
import { planToWire } from '../../../src/protocol/wire-plan.ts';
import { linearSample, textOf } from '../../end-to-end/data.ts';
import { Folder } from '../../end-to-end/parties.ts';

interface Context {
  folder: Folder;
  dataset: Dataset;
}

const test = suite<Context>('participation of a data owner');

const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
const never = new AbortController().signal;
const [anna, bert, cora] = ['anna', 'bert', 'cora'] as unknown as [OwnerId, OwnerId, OwnerId];
const sample = linearSample(30);

test.before(async (context) => {
  context.folder = await Folder.create();
  context.dataset = await openDataset(await context.folder.write('data.csv', textOf(sample)));
});

test.after(async ({ folder }) => {
  await folder[Symbol.asyncDispose]();
});

const document = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 4 },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 30 },
};

/** What an honest model owner proposes for a model. */
function describe(json: object): JobDescriptor {
  const model = parseModel(json);
  const roster = [anna, bert, cora];
  const terms = termsOf(model, roster.length);
  const { quorum, deadline_seconds } = model.participation;
  return {
    job: 'job' as JobId,
    model: { ...model },
    public_key: publicKeyToJwk(publicKey),
    plan: planToWire(terms.plan),
    roster,
    quorum,
    deadline_seconds,
    noise: noiseToWire(terms),
  };
}

function roundOf(changes: Partial<RoundView> = {}): RoundView {
  return {
    job: 'job' as JobId,
    round: 1,
    status: 'open',
    roster: [anna, bert, cora],
    parameters: [0.1, 0.2, 0.3, 0.4, 0.5],
    opened_at: '',
    deadline: '',
    contributors: [],
    missing: [],
    ...changes,
  };
}

async function refusal(work: () => unknown): Promise<Pick<SealsumError, 'code' | 'field' | 'message'>> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return error;
  }
  throw new Error('nothing was refused');
}

test('accepts what the model gives, and contributes its records and nothing else', async ({ dataset }) => {
  const participation = await acceptJob(describe(document), anna, dataset, never);
  assert.deepEqual([participation.records, participation.dropped, participation.rhoPerRound], [30, 0, null]);
  const round = roundOf();
  participation.check(round);
  const model = parseModel(document);
  const { plan, task } = termsOf(model, 3);
  const records = encodeTable(compileFeatures(model), await readTable({ text: textOf(sample) }, model.data_props));
  const bytes = participation.contribution(round);
  assert.equal(bytes.length, plan.ciphertexts * 512);
  const opened = openVector(plan, createDecryptor(privateKey), bytes, 1);
  assert.deepEqual(opened, contribution(task, records, Float64Array.from(round.parameters)));
  assert.notDeepEqual(participation.contribution(round), bytes);
});

test('a plan that differs in anything from the one the model gives is refused, naming the field', async ({
  dataset,
}) => {
  const honest = describe(document);
  for (const [field, value] of Object.entries<string | number>({ ...honest.plan })) {
    const other = typeof value === 'number' ? value + 1 : String(BigInt(value) + 1n);
    const descriptor = { ...honest, plan: { ...honest.plan, [field]: other } };
    const { code, field: named, message } = await refusal(() => acceptJob(descriptor, anna, dataset, never));
    assert.deepEqual([code, named], ['plan_mismatch', `plan.${field}`]);
    assert.match(message, new RegExp(`in ${field}$`));
  }
});

test('noise other than the privacy settings give is refused, in both directions', async ({ dataset }) => {
  const honest = describe({ ...document, privacy: { rho: 0.5 } });
  const { noise } = honest;
  assert.ok(noise !== null);
  assert.deepEqual((await acceptJob(honest, anna, dataset, never)).rhoPerRound, {
    numerator: BigInt(noise.rho_per_round.numerator),
    denominator: BigInt(noise.rho_per_round.denominator),
  });
  const { numerator, denominator } = noise.rho_per_round;
  const others = [
    null,
    { ...noise, variance: String(BigInt(noise.variance) - 1n) },
    { ...noise, variance: '0' },
    { ...noise, rounds: noise.rounds + 1 },
    { ...noise, rho_per_round: { numerator, denominator: `${denominator}0` } },
    { ...noise, rho_per_round: { numerator: `${numerator}0`, denominator } },
  ];
  for (const other of others) {
    const { code, field } = await refusal(() => acceptJob({ ...honest, noise: other }, anna, dataset, never));
    assert.deepEqual([code, field], ['privacy_invalid', 'noise'], JSON.stringify(other));
  }
  const unasked = { ...describe(document), noise };
  assert.equal((await refusal(() => acceptJob(unasked, anna, dataset, never))).code, 'privacy_invalid');
});

test('a key that is too small, of another size or no key is refused', async ({ dataset }) => {
  const honest = describe(document);
  const small = await testOnlyGenerateKeyPair({ bits: 1024 });
  const even = publicKeyToJwk(publicKey).n.replace(/.$/, 'A');
  const bad = [
    { public_key: publicKeyToJwk(small.publicKey), code: 'key_too_small' },
    { public_key: { ...honest.public_key, n: even }, code: 'key_invalid' },
    { public_key: { ...honest.public_key, n: '' }, code: 'key_invalid' },
  ];
  for (const { public_key, code } of bad)
    assert.equal((await refusal(() => acceptJob({ ...honest, public_key }, anna, dataset, never))).code, code);

  const larger = describe({ ...document, encryption: { key_bits: 3072 } });
  const { code, field, message } = await refusal(() => acceptJob(larger, anna, dataset, never));
  assert.deepEqual([code, field], ['key_invalid', 'public_key']);
  assert.match(message, /2048 bits, not 3072/);
});

test('a quorum, a deadline or a roster that is not the one of the model is refused', async ({ dataset }) => {
  const named = { ...document, participation: { quorum: 2, deadline_seconds: 30, roster: ['anna', 'bert', 'cora'] } };
  const honest = describe(named);
  await acceptJob({ ...honest, roster: [cora, anna, bert] }, anna, dataset, never);
  const dora = 'dora' as OwnerId;
  const cases: readonly (readonly [Partial<JobDescriptor>, string])[] = [
    [{ quorum: 3 }, 'quorum'],
    [{ deadline_seconds: 1 }, 'deadline_seconds'],
    [{ roster: [anna, bert, dora] }, 'roster'],
  ];
  for (const [change, field] of cases) {
    const error = await refusal(() => acceptJob({ ...honest, ...change }, anna, dataset, never));
    assert.deepEqual([error.code, error.field], ['model_invalid', field]);
  }
  const stranger = await refusal(() => acceptJob(honest, dora, dataset, never));
  assert.equal(stranger.code, 'owner_not_on_roster');
  const senseless = { ...honest, model: { ...honest.model, model_type: 'TREE' } };
  assert.equal((await refusal(() => acceptJob(senseless, anna, dataset, never))).field, 'model_type');
});

test('a roster of another size than the plan is made for is refused', async ({ dataset }) => {
  const honest = describe(document);
  const { code, field } = await refusal(() => acceptJob({ ...honest, roster: [anna, bert] }, anna, dataset, never));
  assert.deepEqual([code, field], ['plan_mismatch', 'plan.owners']);
});

test('a round that the job did not promise is refused before anything is charged or computed', async ({ dataset }) => {
  const participation: Participation = await acceptJob(describe(document), anna, dataset, never);
  // Four updates and the round that evaluates.
  participation.check(roundOf({ round: 5, roster: [anna, cora] }));
  const cases: readonly (readonly [Partial<RoundView>, string, string])[] = [
    [{ round: 6 }, 'privacy_invalid', 'round'],
    [{ roster: [anna] }, 'owners_too_few', 'roster'],
    [{ parameters: [0.1, 0.2, 0.3, 0.4] }, 'message_invalid', 'parameters'],
    [{ parameters: [] }, 'message_invalid', 'parameters'],
  ];
  for (const [change, code, field] of cases) {
    const error = await refusal(() => {
      participation.check(roundOf(change));
    });
    assert.deepEqual([error.code, error.field], [code, field]);
  }
});

test('parameters that have run away are refused by name, not cut off', async ({ dataset }) => {
  const participation = await acceptJob(describe(document), anna, dataset, never);
  const runaway = roundOf({ parameters: [1e6, 0, 0, 0, 0] });
  const { code, message } = await refusal(() => participation.contribution(runaway));
  assert.equal(code, 'number_out_of_bounds');
  assert.match(message, /the training diverges: lower training\.learning_rate/);
});

test('others are told the field of a misfit, never its line; the owner is told both', async ({ folder }) => {
  const path = await folder.write('bad.csv', 'age,visits,ward,outcome\n50,3,south,40\n50,31,south,40\n');
  const dataset = await openDataset(path);
  const error = await refusal(() => acceptJob(describe(document), anna, dataset, never));
  assert.deepEqual([error.code, error.field], ['data_invalid', 'visits']);
  assert.match(error.message, /^line 3, visits: expected a whole number within \[0, 10\]/);
  assert.equal(publicReason(error), 'the data do not fit the model (visits); the owner knows the line');

  const gone = await openDataset(await folder.write('gone.csv', 'x'));
  await folder.write('gone.csv', '');
  const empty = await refusal(() => acceptJob(describe(document), anna, gone, never));
  assert.equal(publicReason(empty), 'the data cannot be used for this model; the owner knows why');
  assert.equal(publicReason(new TypeError('secret')), 'an unexpected error; the owner knows more');
});

test('a data file that is none is refused when the owner starts', async ({ folder }) => {
  const missing = await refusal(() => openDataset(`${folder.path}/nothing.csv`));
  assert.deepEqual([missing.code, missing.field], ['data_invalid', 'data']);
  assert.match(missing.message, /nothing\.csv cannot be read$/);
  assert.match((await refusal(() => openDataset(folder.path))).message, /is not a file$/);
});

test.run();

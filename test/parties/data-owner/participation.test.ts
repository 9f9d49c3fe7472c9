/** What a data owner accepts: its own arithmetic, what the model owner signed, and nothing else. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type Dataset, openDataset } from '../../../parties/data-owner/dataset.ts';
import { type AcceptanceDependencies, acceptJob } from '../../../parties/data-owner/participation.ts';
import { openPolicy } from '../../../src/config/owner-policy.ts';
import { publicReason } from '../../../src/contributing/acceptance.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { noMeter } from '../../../src/contributing/meter.ts';
import type { Participation } from '../../../src/contributing/participation.ts';
import { SealsumError } from '../../../src/errors.ts';
import { compileFeatures, encodeTable } from '../../../src/learning/features.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { readTable } from '../../../src/learning/table.ts';
import { contribution } from '../../../src/learning/task.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { generateKeyPair, testOnlyGenerateKeyPair } from '../../../src/paillier/key-generation.ts';
import { proveModulus } from '../../../src/paillier/modulus-prover.ts';
import { publicKeyToJwk } from '../../../src/paillier/public-key.ts';
import { openVector } from '../../../src/pipeline.ts';
import { createLedger, type LedgerStore } from '../../../src/privacy/ledger.ts';
import { noCheckpoint } from '../../../src/protocol/checkpoints.ts';
import { systemClock } from '../../../src/protocol/clock.ts';
import type { OwnerId, PartyId } from '../../../src/protocol/identifiers.ts';
import type { JobDescriptor, SignedJob } from '../../../src/protocol/job-messages.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import type { RoundDescriptor, RoundView } from '../../../src/protocol/round-messages.ts';
import { canonicalDigest, objectDigest } from '../../../src/protocol/signed.ts';
import { checkTags } from '../../../src/protocol/tags.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { linearSample, textOf } from '../../end-to-end/data.ts';
import {
  anna,
  annaIdentity,
  bert,
  cora,
  describe,
  describeRound,
  facilitator,
  modelOwner,
  parties,
  privateKey,
  proofFor,
  publicKey,
  signJob,
  signRound,
  stranger,
  tagSecret,
  viewOf,
} from './scripted-facilitator.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';

interface Context {
  folder: TemporaryFolder;
  dataset: Dataset;
}

const test = suite<Context>('participation of a data owner');

const never = new AbortController().signal;
const emptyLedger: LedgerStore = { append: () => Promise.resolve(), entries: () => Promise.resolve([]) };
const sample = linearSample(30);
const keys = createKeyChecks();

test.before(async (context) => {
  context.folder = await temporaryFolder();
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
const parameters = [0.1, 0.2, 0.3, 0.4, 0.5];

function accept(
  signed: SignedJob,
  dataset: Dataset,
  changes: Partial<AcceptanceDependencies> = {},
): Promise<Participation> {
  return acceptJob(signed, {
    owner: anna,
    facilitator: facilitator.name,
    parties: () => parties,
    storageKey: annaIdentity.derive('storage of the test'),
    datasets: { hold: (job) => dataset.heldFor(job) },
    policy: openPolicy,
    ledger: createLedger(emptyLedger),
    keys,
    clock: systemClock,
    meter: noMeter,
    progress: noCheckpoint,
    signal: never,
    ...changes,
  });
}

/** Accepts what the model owner signs. */
function acceptSigned(descriptor: JobDescriptor, dataset: Dataset): Promise<Participation> {
  return accept(signJob(descriptor), dataset);
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

test('accepts what the model gives, and contributes its records with its tags and nothing else', async ({
  dataset,
}) => {
  const descriptor = await describe(document);
  const participation = await acceptSigned(descriptor, dataset);
  assert.deepEqual([participation.records, participation.dropped], [30, 0]);
  assert.deepEqual(participation.cost, {
    dataset: 'data.csv',
    rho: null,
    unit: null,
    neighbours: null,
    sampling: null,
  });
  assert.equal(participation.digest, objectDigest('job', descriptor));
  const signed = participation.check(1, viewOf(signRound(describeRound(descriptor, 1, parameters))));
  const model = parseModel(document);
  const { plan, task } = termsOf(model, 3);
  const records = encodeTable(compileFeatures(model), await readTable({ text: textOf(sample) }, model.data_props));
  const digest = objectDigest('round', signed.descriptor);
  const bytes = await participation.contribution(signed, digest);
  assert.equal(bytes.length, plan.ciphertexts * 512);

  const context = { job: participation.digest, round: 1, roundDigest: objectDigest('round', signed.descriptor) };
  const shared = new Map([[anna, tagSecret.agree(participation.tagKey, anna)]]);
  const opened = openVector(plan, createDecryptor(privateKey), bytes, 1, (sums) => {
    checkTags(sums, shared, context);
  });
  assert.deepEqual(opened, contribution(task, records, Float64Array.from(parameters)));
  assert.notDeepEqual(await participation.contribution(signed, digest), bytes);
});

test('answers with the same tag key whenever it accepts the same job, and with another one for every other job', async ({
  dataset,
}) => {
  const descriptor = await describe(document);
  const { tagKey } = await acceptSigned(descriptor, dataset);
  assert.equal((await acceptSigned(descriptor, dataset)).tagKey, tagKey);
  const other = { ...descriptor, roster: [bert, anna, cora] };
  assert.notEqual((await acceptSigned(other, dataset)).tagKey, tagKey);
  const storageKey = annaIdentity.derive('another storage');
  assert.notEqual((await accept(signJob(descriptor), dataset, { storageKey })).tagKey, tagKey);
});

test('a job that its model owner did not sign is refused', async ({ dataset }) => {
  const descriptor = await describe(document);
  const { signature } = signJob(descriptor);
  const cases: readonly (readonly [SignedJob, string])[] = [
    [{ descriptor: { ...descriptor, deadline_seconds: 31 }, signature }, 'signature_invalid'],
    [signJob(descriptor, annaIdentity), 'signature_invalid'],
    [
      { descriptor, signature: { ...signJob(descriptor, stranger).signature, party: modelOwner.name } },
      'signature_invalid',
    ],
    [signJob({ ...descriptor, model_owner: stranger.name }, stranger), 'party_unknown'],
    [signJob({ ...descriptor, model_owner: bert }), 'role_forbidden'],
    [{ descriptor, signature: { ...signature, value: `${'A'.repeat(85)}A` } }, 'signature_invalid'],
  ];
  for (const [signed, code] of cases) assert.equal((await refusal(() => accept(signed, dataset))).code, code);
});

test('a job for another facilitator, or with another model than it says, is refused', async ({ dataset }) => {
  const descriptor = await describe(document);
  const elsewhere = await refusal(() => acceptSigned({ ...descriptor, facilitator: 'other' as PartyId }, dataset));
  assert.deepEqual([elsewhere.code, elsewhere.field], ['job_conflict', 'facilitator']);
  assert.match(elsewhere.message, /made for the facilitator other, and anna follows facilitator$/);
  const model = { ...descriptor.model, name: 'another' };
  const hash = await refusal(() => acceptSigned({ ...descriptor, model }, dataset));
  assert.deepEqual([hash.code, hash.field], ['model_invalid', 'model_hash']);
});

test('a plan that differs in anything from the one the model gives is refused, naming the field', async ({
  dataset,
}) => {
  const honest = await describe(document);
  for (const [field, value] of Object.entries<string | number>({ ...honest.plan })) {
    const other = typeof value === 'number' ? value + 1 : String(BigInt(value) + 1n);
    const descriptor = { ...honest, plan: { ...honest.plan, [field]: other } };
    const { code, field: named, message } = await refusal(() => acceptSigned(descriptor, dataset));
    assert.deepEqual([code, named], ['plan_mismatch', `plan.${field}`]);
    assert.match(message, new RegExp(`in ${field}$`));
  }
});

test('noise other than the privacy settings give is refused, in both directions', async ({ dataset }) => {
  const honest = await describe({ ...document, privacy: { rho: 0.5 } });
  const { noise } = honest;
  assert.ok(noise !== null);
  assert.deepEqual((await acceptSigned(honest, dataset)).cost, {
    dataset: 'data.csv',
    rho: {
      numerator: BigInt(noise.rho_per_round.numerator),
      denominator: BigInt(noise.rho_per_round.denominator),
    },
    unit: 'record',
    neighbours: 'zero-out',
    sampling: 1,
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
    const { code, field } = await refusal(() => acceptSigned({ ...honest, noise: other }, dataset));
    assert.deepEqual([code, field], ['privacy_invalid', 'noise'], JSON.stringify(other));
  }
  const unasked = { ...(await describe(document)), noise };
  assert.equal((await refusal(() => acceptSigned(unasked, dataset))).code, 'privacy_invalid');
});

test('a key that is too small, of another size or no key is refused', async ({ dataset }) => {
  const honest = await describe(document);
  const small = await testOnlyGenerateKeyPair({ bits: 1024 });
  const even = publicKeyToJwk(publicKey).n.replace(/.$/, 'A');
  const bad = [
    { n: publicKeyToJwk(small.publicKey).n, why: /^the key has 1024 bits, not 2048$/ },
    // Divisible by 3, which is not found out: its size is enough.
    { n: Buffer.alloc(2048, 0xff).toString('base64url'), why: /^the key has 16384 bits, not 2048$/ },
    { n: even, why: /^n: expected a product of two odd primes/ },
    { n: '', why: /^n: expected canonical base64url/ },
  ];
  for (const { n, why } of bad) {
    const public_key = { ...honest.public_key, n };
    const { code, message } = await refusal(() => acceptSigned({ ...honest, public_key }, dataset));
    assert.equal(code, 'key_invalid');
    assert.match(message, why);
  }

  const larger = await describe({ ...document, encryption: { key_bits: 3072 } });
  const { code, field, message } = await refusal(() => acceptSigned(larger, dataset));
  assert.deepEqual([code, field], ['key_invalid', 'public_key']);
  assert.match(message, /2048 bits, not 3072/);
});

test('a key without a good proof for this very job is refused before any record is read', async ({ dataset }) => {
  const honest = await describe(document, 'unproven');
  const good = honest.public_key_proof;
  const [first, ...others] = good.blum;
  assert.ok(first !== undefined);
  const fresh = await generateKeyPair({ bits: 2048 });
  const context = Buffer.from(`sealsum modulus proof v1|unproven|${modelOwner.name}`);
  const cases: readonly Partial<JobDescriptor>[] = [
    { public_key_proof: await proofFor('job') },
    { public_key_proof: await proveModulus(fresh.privateKey, context) },
    { public_key_proof: { ...good, blum: [{ ...first, a: first.a === 0 ? 1 : 0 }, ...others] } },
    { public_key_proof: { ...good, roots: good.roots.slice(1) } },
    { public_key: publicKeyToJwk(fresh.publicKey) },
  ];
  const records = (): Promise<never> => Promise.reject(new Error('the records were read'));
  const blind: Dataset = { ...dataset, heldFor: () => ({ name: dataset.name, records }) };
  for (const [index, change] of cases.entries())
    assert.equal(
      (await refusal(() => acceptSigned({ ...honest, ...change }, blind))).code,
      'key_invalid',
      String(index),
    );
});

test('a good proof is verified once in the life of a process, for its job, model owner and key alone', async ({
  dataset,
}) => {
  const own = createKeyChecks();
  const descriptor = await describe(document);
  const bad = { ...descriptor.public_key_proof, roots: [] };
  const refused = await refusal(() =>
    accept(signJob({ ...descriptor, public_key_proof: bad }), dataset, { keys: own }),
  );
  assert.equal(refused.code, 'key_invalid');
  await accept(signJob(descriptor), dataset, { keys: own });
  await accept(signJob({ ...descriptor, public_key_proof: bad }), dataset, { keys: own });
  const renamed = { ...(await describe(document, 'renamed')), public_key_proof: bad };
  assert.equal((await refusal(() => accept(signJob(renamed), dataset, { keys: own }))).code, 'key_invalid');
});

test('a tag key with which no secret can be shared is refused', async ({ dataset }) => {
  const tag_key = Buffer.alloc(32).toString('base64url');
  const { code, field } = await refusal(async () => acceptSigned({ ...(await describe(document)), tag_key }, dataset));
  assert.deepEqual([code, field], ['identity_invalid', 'tag_key']);
});

test('a quorum, a deadline or a roster that is not the one of the model is refused', async ({ dataset }) => {
  const named = { ...document, participation: { quorum: 2, deadline_seconds: 30, roster: ['anna', 'bert', 'cora'] } };
  const honest = await describe(named);
  await acceptSigned({ ...honest, roster: [cora, anna, bert] }, dataset);
  const dora = 'dora' as OwnerId;
  const cases: readonly (readonly [Partial<JobDescriptor>, string])[] = [
    [{ quorum: 3 }, 'quorum'],
    [{ deadline_seconds: 1 }, 'deadline_seconds'],
    [{ roster: [anna, bert, dora] }, 'roster'],
  ];
  for (const [change, field] of cases) {
    const error = await refusal(() => acceptSigned({ ...honest, ...change }, dataset));
    assert.deepEqual([error.code, error.field], ['model_invalid', field]);
  }
  const uninvited = await refusal(() => accept(signJob(honest), dataset, { owner: dora }));
  assert.equal(uninvited.code, 'owner_not_on_roster');
  const senseless = { ...honest.model, model_type: 'TREE' };
  const model_hash = canonicalDigest(senseless);
  assert.equal(
    (await refusal(() => acceptSigned({ ...honest, model: senseless, model_hash }, dataset))).field,
    'model_type',
  );
});

test('a roster of another size than the plan is made for is refused', async ({ dataset }) => {
  const honest = await describe(document);
  const { code, field } = await refusal(() => acceptSigned({ ...honest, roster: [anna, bert] }, dataset));
  assert.deepEqual([code, field], ['plan_mismatch', 'plan.owners']);
});

test('a round that the job did not promise is refused before anything is charged or computed', async ({ dataset }) => {
  const descriptor = await describe(document);
  const participation = await acceptSigned(descriptor, dataset);
  // Four updates and the round that evaluates.
  participation.check(5, viewOf(signRound(describeRound(descriptor, 5, parameters, { roster: [anna, cora] }))));
  const digest = 'a'.repeat(64);
  const cases: readonly (readonly [Partial<RoundDescriptor>, string, string])[] = [
    [{ job: 'other' as RoundDescriptor['job'] }, 'round_conflict', 'job'],
    [{ round: 2 }, 'round_conflict', 'round'],
    [{ job_digest: digest }, 'round_conflict', 'job_digest'],
    [{ model_hash: digest }, 'round_conflict', 'model_hash'],
    [{ quorum: 3 }, 'round_conflict', 'quorum'],
    [{ deadline_seconds: 29 }, 'round_conflict', 'deadline_seconds'],
    [{ roster: [anna] }, 'owners_too_few', 'roster'],
    [{ roster: [anna, bert, 'dora' as OwnerId] }, 'owner_not_on_roster', 'roster'],
    [{ roster: [bert, cora] }, 'owner_not_on_roster', 'roster'],
    [{ parameters: encodeParameters([0.1, 0.2, 0.3, 0.4]) }, 'message_invalid', 'parameters'],
    [{ parameters: encodeParameters([]) }, 'message_invalid', 'parameters'],
  ];
  for (const [change, code, field] of cases) {
    const view = viewOf(signRound(describeRound(descriptor, 1, parameters, change)));
    const error = await refusal(() => participation.check(1, view));
    assert.deepEqual([error.code, error.field], [code, field]);
  }
  const beyond = viewOf(signRound(describeRound(descriptor, 6, parameters)));
  const { code, field } = await refusal(() => participation.check(6, beyond));
  assert.deepEqual([code, field], ['privacy_invalid', 'round']);
});

test('a round that its model owner did not sign, or that is to wait longer than agreed, is refused', async ({
  dataset,
}) => {
  const descriptor = await describe(document);
  const participation = await acceptSigned(descriptor, dataset);
  const honest = viewOf(signRound(describeRound(descriptor, 1, parameters)));
  const { signed, ...unsigned } = honest;
  assert.ok(signed !== undefined);
  const forged = { ...signed, descriptor: { ...signed.descriptor, parameters: encodeParameters([0, 0, 0, 0, 0]) } };
  const cases: readonly (readonly [RoundView, string, string])[] = [
    [unsigned, 'message_invalid', 'signed'],
    [{ ...honest, signed: forged }, 'signature_invalid', 'signature'],
    [{ ...honest, signed: signRound(signed.descriptor, facilitator) }, 'signature_invalid', 'signature'],
    [{ ...honest, deadline: '2024-01-01T00:00:30.001Z' }, 'message_invalid', 'deadline'],
    [{ ...honest, deadline: 'never' }, 'message_invalid', 'deadline'],
    [{ ...honest, opened_at: '' }, 'message_invalid', 'deadline'],
  ];
  for (const [view, code, field] of cases) {
    const error = await refusal(() => participation.check(1, view));
    assert.deepEqual([error.code, error.field], [code, field]);
  }
  assert.equal(participation.check(1, { ...honest, deadline: '2024-01-01T00:00:10.000Z' }), signed);
});

test('parameters that have run away are refused by name, not cut off', async ({ dataset }) => {
  const descriptor = await describe(document);
  const participation = await acceptSigned(descriptor, dataset);
  const runaway = signRound(describeRound(descriptor, 1, [1e6, 0, 0, 0, 0]));
  const { code, message } = await refusal(() =>
    participation.contribution(runaway, objectDigest('round', runaway.descriptor)),
  );
  assert.equal(code, 'number_out_of_bounds');
  assert.match(message, /the training diverges: lower training\.learning_rate/);
});

test('others are told the field of a misfit, never its line; the owner is told both', async ({ folder }) => {
  const path = await folder.write('bad.csv', 'age,visits,ward,outcome\n50,3,south,40\n50,31,south,40\n');
  const dataset = await openDataset(path);
  const descriptor = await describe(document);
  const error = await refusal(() => acceptSigned(descriptor, dataset));
  assert.deepEqual([error.code, error.field], ['data_invalid', 'visits']);
  assert.match(error.message, /^line 3, visits: expected a whole number within \[0, 10\]/);
  assert.equal(publicReason(error), 'the data do not fit the model (visits); the owner knows the line');

  const gone = await openDataset(await folder.write('gone.csv', 'x'));
  await folder.write('gone.csv', '');
  const empty = await refusal(() => acceptSigned(descriptor, gone));
  assert.equal(publicReason(empty), 'the data cannot be used for this model; the owner knows why');
  assert.equal(publicReason(new TypeError('secret')), 'an unexpected error; the owner knows more');
});

test('a data file that is none is refused when the owner starts', async ({ folder }) => {
  const missing = await refusal(() => openDataset(`${folder.path}/nothing.csv`));
  assert.deepEqual([missing.code, missing.field], ['data_invalid', 'data']);
  assert.match(missing.message, /^the data file \S+nothing\.csv cannot be read: there is no such file or folder$/);
  assert.match((await refusal(() => openDataset(folder.path))).message, /^the data file \S+ is not a file$/);
});

test.run();

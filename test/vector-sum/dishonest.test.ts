/** A facilitator and a model owner that lie to the library: Controller and Client refuse what the processes refuse, by name. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { signJob } from '../../src/collecting/proposal.ts';
import { signRound } from '../../src/collecting/round-checks.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import { jobIdSchema, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import { modulusProofContext } from '../../src/protocol/modulus-proof-context.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import type { RoundDescriptor } from '../../src/protocol/round-messages.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import { createTagSecret } from '../../src/protocol/tags.ts';
import { memoryClientStore } from '../../src/vector-sum/client-store.ts';
import { parseVectorSum } from '../../src/vector-sum/document.ts';
import { vectorSumTerms } from '../../src/vector-sum/terms.ts';
import { type Lies, lying } from '../end-to-end/lies.ts';
import { clientOf, createCast } from '../end-to-end/parties.ts';
import { type Stage, setStage } from './stage.ts';

const test = suite('dishonest parties and the library');

/** Values that take two ciphertexts. */
const length = 60;
const width = 512;
const vector = Float64Array.from({ length }, (_, index) => index / length);
const cast = createCast(3);

const refused: readonly { lie: string; lies: Lies; code: string; message: RegExp }[] = [
  {
    lie: 'leaves out a contribution that stands in the manifest',
    lies: { multiplied: (all) => all.slice(1) },
    code: 'tag_mismatch',
    message: /owner-1's contribution is missing from them/,
  },
  {
    lie: 'multiplies a contribution twice',
    lies: { multiplied: (all) => [...all, ...all.slice(1, 2)] },
    code: 'tag_mismatch',
    message: /owner-2's contribution is in them twice/,
  },
  {
    lie: 'swaps two ciphertexts of a contribution',
    lies: {
      multiplied: (all) =>
        all.map((bytes, index) => {
          assert.ok(bytes.length >= 2 * width);
          if (index !== 1) return bytes;
          return Buffer.concat([bytes.subarray(width, 2 * width), bytes.subarray(0, width), bytes.subarray(2 * width)]);
        }),
    },
    code: 'tag_mismatch',
    message: /owner-2's contribution stand in one another's places/,
  },
  {
    lie: 'forges a line of the manifest',
    lies: {
      manifest: (manifest) => ({
        ...manifest,
        contributions: manifest.contributions.map((line) =>
          line.owner === 'owner-2' ? { ...line, digest: '0'.repeat(64) } : line,
        ),
      }),
    },
    code: 'signature_invalid',
    message: /the contribution is not signed by owner-2/,
  },
  {
    lie: 'leaves an owner out of the manifest and not out of the sum',
    lies: { manifest: (manifest) => ({ ...manifest, contributions: manifest.contributions.slice(1), count: 2 }) },
    code: 'tag_mismatch',
    message: /the tags of .* do not match/,
  },
];

for (const { lie, lies, code, message } of refused)
  test(`a facilitator ${lie}: collect() refuses it, and tells nothing of the sum`, async () => {
    await using stage = await setStage({ before: lying(cast, lies) });
    const job = await stage.job({ length, bits: 64, bound: 1, rounds: 2 });
    await Promise.all(stage.clients.map((client) => client.join(job)));
    const round = await job.startRound();
    await Promise.all(stage.clients.map((client) => client.submit(job, round, vector)));
    await assert.rejects(round.collect(), { code, message });
    await assert.rejects(round.collect(), { code, message });
  });

test('a facilitator that changes the round it shows gets nothing from a client, and nothing is charged', async () => {
  const changed: Lies = {
    round: (view) =>
      view.signed === undefined
        ? view
        : {
            ...view,
            signed: {
              ...view.signed,
              descriptor: { ...view.signed.descriptor, parameters: encodeParameters([1]) },
            },
          },
  };
  await using stage = await setStage({ before: lying(cast, changed) });
  const job = await stage.job({ length, bits: 32, norm: 1, privacy: { rho: 1 } });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  // Without the second of them the quorum is out of reach, and the round is over for the third.
  for (const client of stage.clients.slice(0, 2)) {
    await assert.rejects(client.privacyOf(job, round), { code: 'signature_invalid' });
    await assert.rejects(client.submit(job, round, vector), { code: 'signature_invalid' });
    assert.equal((await client.ledger()).rounds, 0);
  }
  await assert.rejects(round.collect(), { code: 'round_abandoned' });
});

test('a receipt for other bytes is refused, and the owner takes no further part', async () => {
  await using stage = await setStage({
    before: (app) => async (request) => {
      const response = await app(request);
      if (!response.ok || !request.url.includes('/contributions/owner-1')) return response;
      const { receipt } = (await response.json()) as { receipt: object };
      const other = { ...receipt, digest: '0'.repeat(64) };
      return Response.json({ receipt: other, signature: signObject(cast.facilitator, 'receipt', other) });
    },
  });
  const job = await stage.job({ length, bits: 32, bound: 1 });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  await assert.rejects(client.submit(job, round, vector), { code: 'message_invalid', field: 'receipt' });
  await assert.rejects(client.submit(job, round, vector), { code: 'message_invalid', field: 'receipt' });
});

const keyPair = await generateKeyPair({ bits: 2048 });
const id = jobIdSchema.parse('forged');
const proof = await proveModulus(keyPair.privateKey, modulusProofContext(id, cast.modelOwner.name));
const settings = parseVectorSum({
  model_type: 'VECTOR_SUM',
  length,
  bits: 32,
  norm: 1,
  rounds: 2,
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 60 },
  privacy: { rho: 1 },
});
const roster = cast.owners.map(({ name }) => ownerIdSchema.parse(name));
const honest = signJob({
  job: id,
  identity: cast.modelOwner,
  facilitator: cast.facilitator.name,
  document: settings as unknown as JobDescriptor['model'],
  settings,
  terms: vectorSumTerms(settings, 3),
  roster,
  publicKey: keyPair.publicKey,
  proof,
  tagKey: createTagSecret(new Uint8Array(32).fill(7)).publicKey,
});

/** A job as its model owner signs it, whatever it is. */
async function propose(stage: Stage, changes: Partial<JobDescriptor>): Promise<void> {
  const descriptor = { ...honest.descriptor, ...changes };
  const signed = { descriptor, signature: signObject(cast.modelOwner, 'job', descriptor) };
  await clientOf(cast.modelOwner, stage.facilitator.url).createJob(signed, new AbortController().signal);
}

const otherProof = await proveModulus(keyPair.privateKey, modulusProofContext(id, cast.facilitator.name));
const { noise } = honest.descriptor;
assert.ok(noise !== null);
const weaker: readonly { lie: string; changes: Partial<JobDescriptor>; code: string; field: string }[] = [
  { lie: 'no noise', changes: { noise: null }, code: 'privacy_invalid', field: 'noise' },
  {
    lie: 'less noise than its document asks for',
    changes: { noise: { ...noise, variance: '1' } },
    code: 'privacy_invalid',
    field: 'noise',
  },
  {
    lie: 'more rounds than its document has',
    changes: { noise: { ...noise, rounds: 3 } },
    code: 'privacy_invalid',
    field: 'noise',
  },
  { lie: 'a smaller quorum', changes: { quorum: 3 }, code: 'model_invalid', field: 'quorum' },
  { lie: 'another deadline', changes: { deadline_seconds: 61 }, code: 'model_invalid', field: 'deadline_seconds' },
  { lie: 'the proof of another job', changes: { public_key_proof: otherProof }, code: 'key_invalid', field: 'proof' },
];

for (const { lie, changes, code, field } of weaker)
  test(`a job with ${lie} is refused by the client's own arithmetic`, async () => {
    await using stage = await setStage();
    await propose(stage, changes);
    const store = memoryClientStore();
    const client = stage.client(0, { store });
    await assert.rejects(client.submit(id, 1, vector), (error: { code: string; field?: string }) => {
      assert.equal(error.code, code);
      if (code !== 'key_invalid') assert.equal(error.field, field);
      return true;
    });
    assert.deepEqual(await store.ledger.entries(), []);
  });

test('a round that is not what its job promised is refused before anything is charged', async () => {
  await using stage = await setStage();
  await propose(stage, {});
  for (const client of stage.clients) await client.join(id);
  const jobDigest = objectDigest('job', honest.descriptor);
  const terms = {
    signed: honest,
    jobDigest,
    identity: cast.modelOwner,
    facilitator: cast.facilitator.name,
    parties: () => cast.parties,
  };
  const { descriptor: fine } = signRound(terms, 1, roster, { parameters: new Float64Array(0), clip: undefined });
  const descriptor: RoundDescriptor = { ...fine, parameters: encodeParameters([1, 2]) };
  const signed = { descriptor, signature: signObject(cast.modelOwner, 'round', descriptor) };
  await clientOf(cast.modelOwner, stage.facilitator.url).openRound(signed, new AbortController().signal);
  for (const client of stage.clients.slice(0, 2)) {
    await assert.rejects(client.submit(id, 1, vector), { code: 'message_invalid', field: 'parameters' });
    assert.equal((await client.ledger()).rounds, 0);
  }
});

test('what was computed on the parameters of one round is not given to another of its number', async () => {
  let isOther = false;
  const two: Lies = {
    round: (view) => {
      if (view.signed === undefined || !isOther) return view;
      const descriptor = { ...view.signed.descriptor, parameters: encodeParameters([2]) };
      return { ...view, signed: { descriptor, signature: signObject(cast.modelOwner, 'round', descriptor) } };
    },
  };
  await using stage = await setStage({ before: lying(cast, two) });
  const job = await stage.job({ length, bits: 32, norm: 1, privacy: { rho: 1 }, parameters: 1 });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound({ parameters: [1] });
  const [first, second] = stage.clients;
  assert.ok(first !== undefined && second !== undefined);
  for (const client of [first, second]) assert.deepEqual([...(await client.parametersOf(job, round))], [1]);
  isOther = true;
  await assert.rejects(first.parametersOf(job, round), { code: 'round_conflict', field: 'round' });
  for (const client of [first, second]) {
    await assert.rejects(client.submit(job, round, vector), { code: 'round_conflict', field: 'round' });
    assert.equal((await client.ledger()).rounds, 0);
  }
});

test.run();

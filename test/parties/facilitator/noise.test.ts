/**
 * Noise that the facilitator adds: drawn once in a round and kept before it is used, so that whatever dies on the way to the
 * aggregate, the aggregate has that noise and no other; and gone with the round.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../../src/paillier/encryptor.ts';
import type { Ciphertext } from '../../../src/paillier/public-key.ts';
import { openVector, sealVector } from '../../../src/pipeline.ts';
import type { WireNoise } from '../../../src/protocol/job-messages.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { createTestClock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';
import {
  createStore,
  describeJob,
  ended,
  keys,
  never,
  planFor,
  startFacilitator,
  sumOf,
  type TestFacilitator,
  trio,
  vectorOf,
} from './harness.ts';

const test = suite('noise that the facilitator adds');

const noise: WireNoise = {
  place: 'facilitator',
  unit: 'record',
  neighbours: 'zero-out',
  variance: String(2n ** 40n),
  rho_per_round: { numerator: '1', denominator: '2' },
  rounds: 3,
};
const length = 60;
const plan = planFor(3, length, noise);
const encryptor = createEncryptor(keys.publicKey);
const decryptor = createDecryptor(keys.privateKey);
const { job } = describeJob();

const contributionOf = (number: number): Uint8Array => sealVector(plan, encryptor, vectorOf(number, length));

/** A ciphertext in a block: blocks of noise and aggregates have several. */
const limits = { blockBytes: 512 };

/** What an aggregate holds beyond the sum of three: for the weight, then for each value. */
function noiseIn(aggregate: Uint8Array): bigint[] {
  const { weight, values } = openVector(plan, decryptor, aggregate, 3);
  const exact = sumOf([0, 1, 2], length);
  return [weight - exact.weight, ...values.map((value, index) => value - (exact.values[index] ?? 0n))];
}

/** The noise that a store keeps, opened as the sum of contributors that it is not. */
async function keptNoise(store: FacilitatorStore): Promise<(Uint8Array | undefined)[]> {
  const place = { job, round: 1, series: 'product:noise' } as const;
  return Promise.all(Array.from({ length: plan.ciphertexts }, (_, index) => store.block(place, index)));
}

async function contributeAll(party: TestFacilitator): Promise<void> {
  for (const [number, owner] of trio.entries()) await party.contribute(1, owner, contributionOf(number));
}

test('is in every slot of the aggregate but the count, and is forgotten with the product', async () => {
  await using party = await startFacilitator({ limits });
  await party.create({ noise });
  await party.open(1);
  await contributeAll(party);
  assert.equal((await ended(party)).manifest?.manifest.count, 3);
  const found = noiseIn(await party.client.aggregate(job, 1, never));
  // σ = 2^20: that a draw is 0 has a chance of 2^-21, that three of 61 are one below 2^-46.
  assert.ok(found.filter((draw) => draw === 0n).length < 3, String(found));
  assert.ok(found.every((draw) => draw < 2n ** 24n && draw > -(2n ** 24n)));
  assert.deepEqual(await keptNoise(party.store), [undefined, undefined]);
});

test('a job without it, or with its noise elsewhere, gets exact sums', async () => {
  for (const place of ['model-owner', 'data-owners'] as const) {
    await using party = await startFacilitator({ limits });
    await party.create({ noise: { ...noise, place } });
    await party.open(1);
    await contributeAll(party);
    await ended(party);
    assert.ok(noiseIn(await party.client.aggregate(job, 1, never)).every((draw) => draw === 0n));
  }
});

test('is the same whenever a round is closed anew: after a failure, and by the next process', async () => {
  const clock = createTestClock();
  const store = await createStore(clock);
  let refusals = 0;
  const failing: FacilitatorStore = {
    ...store,
    commit: (change) => {
      if (!change.events.some(({ type }) => type === 'round.closed')) return store.commit(change);
      refusals += 1;
      return Promise.reject(new Error('the disk is full'));
    },
  };
  let drawn: (Uint8Array | undefined)[];
  {
    await using party = await startFacilitator({ clock, store: failing, limits });
    await party.create({ noise });
    await party.open(1);
    await contributeAll(party);
    await until('the round not to be closed', () => refusals > 0);
    drawn = await keptNoise(store);
    assert.ok(drawn.every((block) => block !== undefined));
  }
  const [first, second] = drawn.map((block) => Buffer.from(block).toString('hex'));
  await using party = await startFacilitator({ clock, store, limits });
  assert.equal((await ended(party)).manifest?.manifest.count, 3);
  const aggregate = await party.client.aggregate(job, 1, never);
  // What was kept is encrypted: the aggregate divided by the product is exactly that, and the noise is what it decrypts to.
  const opened = [first, second].map((hex) => decryptor.decrypt(BigInt(`0x${hex ?? ''}`) as Ciphertext));
  const n = keys.publicKey.n;
  const exact = [0, 1, 2].map((number) => sealVector(plan, encryptor, vectorOf(number, length)));
  const sums = Array.from({ length: plan.ciphertexts }, (_, index) =>
    exact.reduce((sum, bytes) => (sum + plaintextOf(bytes, index)) % n, 0n),
  );
  for (const [index, sum] of sums.entries())
    assert.equal(plaintextOf(aggregate, index), (sum + (opened[index] ?? 0n)) % n);
  assert.ok(opened.every((each) => each !== 0n));
});

function plaintextOf(bytes: Uint8Array, index: number): bigint {
  const width = bytes.length / plan.ciphertexts;
  const hex = Buffer.from(bytes.subarray(index * width, (index + 1) * width)).toString('hex');
  return decryptor.decrypt(BigInt(`0x${hex}`) as Ciphertext);
}

test.run();

/**
 * What is left of requests, streams and jobs once they are over, at the facilitator and at its client: nothing. Whatever
 * waits here has an AbortController, so those that are still alive after a collection tell what is still held. And while a
 * contribution is under way, there is a block of it and no more, however long it is.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import { contributionStatement } from '../../../src/protocol/manifest.ts';
import { objectDigest } from '../../../src/protocol/signed.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  bert,
  clientOf,
  codeOf,
  contributionOf,
  createStore,
  describeJob,
  identityOf,
  mona,
  signContribution,
  startFacilitator,
} from './harness.ts';

const test = suite('memory of a facilitator');

const { job } = describeJob();
const roster = [anna, bert];
/** The upkeep's timer. */
const upkeep = 1;

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

const made: WeakRef<AbortController>[] = [];
globalThis.AbortController = class extends AbortController {
  constructor() {
    super();
    made.push(new WeakRef(this));
  }
};

/** Does something often; afterwards no more than a few of what that made may be alive. */
async function assertNothingIsLeft(times: number, once: (index: number) => Promise<unknown>): Promise<void> {
  made.length = 0;
  for (let index = 0; index < times; index++) await once(index);
  assert.ok(made.length >= times, 'nothing was made that could be counted');
  await until(`all but a few of ${made.length} to be collected`, () => {
    collectGarbage();
    return made.filter((each) => each.deref() !== undefined).length < times / 10;
  });
}

test('requests leave nothing, neither of signals that live long nor of those that were refused', async () => {
  await using party = await startFacilitator();
  const signal = new AbortController().signal;
  await party.create({ roster });
  await assertNothingIsLeft(120, async (index) => {
    await party.client.job(job, signal);
    await party.answer(anna, index % 2 === 0 ? 'ready' : 'refused');
    await codeOf(party.client.round(job, 5, signal));
  });
  assert.equal(party.clock.pending(), upkeep);
});

test('streams leave nothing, whether their reader goes, never reads or loses its line', async () => {
  await using party = await startFacilitator();
  const signal = new AbortController().signal;
  await party.create({ roster });
  const client = clientOf(party.url, mona, party.clock);
  await assertNothingIsLeft(100, async () => {
    const stop = new AbortController();
    let heard = 0;
    for await (const { id } of client.followJob(job, 0, signal)) {
      heard += id;
      break;
    }
    assert.equal(heard, 1);
    const unread = await party.fetchAs(anna)(`${party.url}/events?owner=anna`, { signal: stop.signal });
    assert.equal(unread.status, 200);
    await (await party.fetchAs(bert)(`${party.url}/events?owner=bert`, { method: 'HEAD' })).arrayBuffer();
    stop.abort();
  });
  await until('every timer to be gone', () => party.clock.pending() === upkeep);
  assert.deepEqual(party.facilitator.connectedOwners(mona), []);
});

test('of a job that has ended no bytes and no timer are left', async () => {
  await using party = await startFacilitator();
  const { facilitator, clock, store } = party;
  const sent = [contributionOf(0, 2), contributionOf(1, 2)] as const;
  await assertNothingIsLeft(20, async (index) => {
    const name = `job-${index}`;
    const { descriptor } = await party.create({ job: name, roster });
    for (let round = 1; round <= 3; round++) {
      await party.open(round, { job: name });
      await party.contribute(round, anna, sent[0], name);
      if (round === 3) break;
      await party.contribute(round, bert, sent[1], name);
      await until(
        'the round to close',
        async () => (await store.round(descriptor.job, round))?.state.status === 'closed',
      );
    }
    await facilitator.endJob(mona, descriptor.job, 'finished');
    for (const series of ['product:1', 'product:2', 'aggregate'] as const)
      assert.equal(await store.block({ job: descriptor.job, round: 3, series }, 0), undefined);
  });
  assert.equal(clock.pending(), upkeep);
});

/** Bytes that the values of this process take, above what they took before; a database in memory is not among them. */
function measureMemory(): { readonly look: () => void; readonly most: () => number } {
  const used = (): number => {
    // What a collection found is freed beside it; the next one begins when that is done.
    collectGarbage();
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  let most = 0;
  return {
    look: () => {
      most = Math.max(most, used() - before);
    },
    most: () => most,
  };
}

/** The greatest memory that two contributions of so many ciphertexts take while they arrive and are multiplied. */
async function memoryFor(ciphertexts: number): Promise<number> {
  const store = await createStore();
  let look: () => void = () => undefined;
  const watched: FacilitatorStore = {
    ...store,
    keepBlock: async (place, block, bytes) => {
      if (block % 8 === 0) look();
      await store.keepBlock(place, block, bytes);
    },
    commit: (change) => {
      look();
      return store.commit(change);
    },
  };
  await using party = await startFacilitator({ store: watched });
  const { descriptor } = await party.create({ length: ciphertexts * 60 });
  const signed = await party.open(1, { parameters: [] });
  const count = descriptor.plan.ciphertexts;
  assert.ok(count >= ciphertexts);
  const ciphertext = contributionOf(0).subarray(0, 512);
  const hash = createHash('sha256');
  for (let index = 0; index < count; index++) hash.update(ciphertext);
  const announced = { digest: hash.digest('hex'), bytes: count * 512 };
  // Made while it is sent, so that nobody has it in memory as a whole.
  function* pieces(): Generator<Uint8Array> {
    for (let left = count; left > 0; left -= 64)
      yield new Uint8Array(512 * Math.min(left, 64)).map((_, at) => ciphertext[at % 512] ?? 0);
  }
  const memory = measureMemory();
  look = memory.look;
  for (const owner of roster) {
    const statement = contributionStatement(signed, objectDigest('round', signed.descriptor), { owner, ...announced });
    const { created } = await party.facilitator.contribute(identityOf(owner), {
      job,
      round: 1,
      owner,
      ...announced,
      signature: signContribution(statement),
      body: Readable.from(pieces(), { highWaterMark: 1 }),
    });
    assert.ok(created);
  }
  look = () => undefined;
  return memory.most();
}

test('a contribution takes the memory of a few blocks, however long it is', async () => {
  const short = await memoryFor(1024);
  const long = await memoryFor(process.env.SLOW === undefined ? 16 * 1024 : 120 * 1024);
  // The long one has at least 8 MiB.
  assert.ok(long < short + 2 * 2 ** 20, `${long} bytes for the long one, ${short} for the short one`);
});

test.run();

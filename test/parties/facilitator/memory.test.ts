/**
 * What is left of requests, streams and jobs once they are over, at the facilitator and at its client: nothing. Whatever
 * waits here has an AbortController, so those that are still alive after a collection tell what is still held.
 */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import { until } from '../../support/until.ts';
import { anna, bert, clientOf, codeOf, contributionOf, describeJob, startFacilitator } from './harness.ts';

const test = suite('memory of a facilitator');

const { job } = describeJob();
const roster = [anna, bert];

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
  await party.client.createJob(describeJob({ roster }), signal);
  await assertNothingIsLeft(300, async (index) => {
    await party.client.job(job, signal);
    await party.client.answerJob(job, anna, { status: index % 2 === 0 ? 'ready' : 'refused' }, signal);
    await codeOf(party.client.round(job, 5, signal));
  });
  assert.equal(party.clock.pending(), 0);
});

test('streams leave nothing, whether their reader goes, never reads or loses its line', async () => {
  await using party = await startFacilitator();
  const signal = new AbortController().signal;
  await party.client.createJob(describeJob({ roster }), signal);
  const client = clientOf(party.url, party.clock);
  await assertNothingIsLeft(150, async () => {
    const stop = new AbortController();
    let heard = 0;
    for await (const { id } of client.followJob(job, signal)) {
      heard += id;
      break;
    }
    assert.equal(heard, 1);
    const unread = await fetch(`${party.url}/events?owner=anna`, { signal: stop.signal });
    assert.equal(unread.status, 200);
    await (await fetch(`${party.url}/events?owner=bert`, { method: 'HEAD' })).arrayBuffer();
    stop.abort();
  });
  await until('every timer to be gone', () => party.clock.pending() === 0);
  assert.deepEqual(party.facilitator.connectedOwners(), []);
});

test('of a job that has ended no bytes and no timer are left', async () => {
  await using party = await startFacilitator();
  const { facilitator, clock } = party;
  const sent = [contributionOf(0, 2), contributionOf(1, 2)] as const;
  await assertNothingIsLeft(20, async (index) => {
    const descriptor = describeJob({ job: `job-${index}`, roster });
    await facilitator.createJob(descriptor);
    for (let round = 1; round <= 3; round++) {
      await facilitator.openRound(descriptor.job, round, { roster, parameters: [1, 2] });
      await facilitator.contribute(descriptor.job, round, anna, sent[0].slice());
      if (round < 3) await facilitator.contribute(descriptor.job, round, bert, sent[1].slice());
    }
    await facilitator.endJob(descriptor.job, 'finished');
  });
  assert.equal(clock.pending(), 0);
});

test.run();

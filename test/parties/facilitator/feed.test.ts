/** Who is woken by an event that concerns many: everybody, in portions, and nobody too seldom. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createFeed } from '../../../parties/facilitator/feed.ts';
import { createRegister } from '../../../parties/facilitator/register.ts';
import type { JobEvent } from '../../../src/protocol/events.ts';
import { createTurns, type Turns } from '../../../src/threads/turns.ts';
import { createTestClock } from '../../support/clock.ts';
import {
  createStore,
  describeJob,
  facilitatorIdentity,
  identityOf,
  never,
  partiesWith,
  signJob,
  trio,
} from './harness.ts';

const test = suite('the feed of a facilitator');

const descriptor = describeJob();
const { job } = descriptor;

/** A feed of one job whose turns are given, and how often each owner has been woken. */
async function follow(turns: Turns) {
  const clock = createTestClock();
  const store = await createStore(clock);
  const register = createRegister(facilitatorIdentity.name);
  const owners = trio.map((owner) => ({ owner, status: 'ready' }) as const);
  const changed = { createdAt: clock.now(), changedAt: clock.now() };
  register.note({ signed: signJob(descriptor), digest: '', status: 'open', owners, round: 0, ...changed });
  const parties = partiesWith();
  const feed = createFeed({ store, parties: () => parties, clock, turns, newestRound: () => undefined }, register);
  const woken = new Map<string, number>();
  for (const owner of trio) {
    const bell = feed.bellOf(identityOf(owner));
    woken.set(owner, 0);
    void (async () => {
      for (;;) {
        await bell.next(never);
        woken.set(owner, (woken.get(owner) ?? 0) + 1);
      }
    })();
  }
  const publish = (id: number): void => {
    const event: JobEvent = { id, type: 'round.opened', job, round: 1, at: '2026-01-02T03:04:05.678Z' };
    feed.publish([event]);
  };
  return { publish, counts: () => trio.map((owner) => woken.get(owner)) };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
}

test('all whom an event concerns are woken by it', async () => {
  const { publish, counts } = await follow(createTurns(() => 0));
  publish(1);
  await settled();
  assert.deepEqual(counts(), [1, 1, 1]);
  publish(2);
  await settled();
  assert.deepEqual(counts(), [2, 2, 2]);
});

test('others have their turn between two who are woken, and what happens then wakes everybody again', async () => {
  /** Those who rest, until they are let go on. */
  const resting: (() => void)[] = [];
  const turns: Turns = {
    take: () => Promise.resolve(),
    rest: () =>
      new Promise((resolve) => {
        resting.push(resolve);
      }),
  };
  const { publish, counts } = await follow(turns);
  const goOn = async (): Promise<void> => {
    await settled();
    resting.shift()?.();
    await settled();
  };
  publish(1);
  await settled();
  assert.deepEqual(counts(), [1, 0, 0]);
  // The first has read what there was by now; the others have not been told of anything yet.
  publish(2);
  for (let each = 0; each < 12; each += 1) await goOn();
  assert.deepEqual(counts(), [2, 1, 1]);
});

test.run();

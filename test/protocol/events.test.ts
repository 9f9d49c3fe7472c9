/** Events: read as they were written, and no other type of event. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { timestamp } from '../../src/protocol/clock.ts';
import { jobEventSchema } from '../../src/protocol/events.ts';

const test = suite('events');

test('an event is read as it was written, and no other type of event', () => {
  const event = { id: 7, type: 'owner.answered', job: 'j', owner: 'a', status: 'ready', at: timestamp(0) };
  assert.deepEqual(jobEventSchema.parse(JSON.parse(JSON.stringify(event))), event);
  assert.deepEqual(jobEventSchema.parse({ ...event, more: 1 }), event);
  for (const type of [
    'job.created',
    'job.ended',
    'round.opened',
    'round.contribution',
    'round.closed',
    'round.abandoned',
  ])
    assert.equal(jobEventSchema.parse({ ...event, type, round: 1 }).type, type);
  for (const change of [{ type: 'owner.lost' }, { id: 0 }, { id: 1.5 }, { job: '' }, { owner: null }, { round: 0 }])
    assert.ok(!jobEventSchema.safeParse({ ...event, ...change }).success, JSON.stringify(change));
});

test.run();

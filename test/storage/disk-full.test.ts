/** A disk that takes no more: the change is refused as a whole, what was acknowledged stays, and there is a way on. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { inFile, onEach } from './places.ts';
import { auditLog } from './samples.ts';
import { changeOf, requireWhole } from './whole.ts';
import { Writer } from './writer-process.ts';

const test = suite('full disk');

onEach(
  test,
  'full disk',
  'a change that does not fit is store_unavailable, and nothing of it is there',
  async (place) => {
    // The log of the store reaches the greatest size that this process may give a file.
    await using writer = new Writer(place.location, { limit: 3000 });
    await writer.go();
    assert.equal(await writer.ended(), null);
    const acknowledged = writer.acknowledged;
    assert.ok(acknowledged > 0);
    assert.deepEqual(writer.lines.slice(-2), [`whole up to ${acknowledged}`, 'store_unavailable']);
    await using database = await place.open('facilitator');
    assert.equal(await requireWhole(database), acknowledged);
    const store = createFacilitatorStore(database, auditLog());
    for (let more = 1; more <= 20; more++) await store.commit(changeOf(acknowledged + more));
    assert.equal(await requireWhole(database), acknowledged + 20);
  },
  [inFile],
);

test.run();

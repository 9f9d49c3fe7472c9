/** kill -9 of a process that is changing its store: what it acknowledged is there, and nothing is there by half. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { until } from '../support/until.ts';
import { type Kind, onEach, type Place } from './places.ts';
import { auditLog } from './samples.ts';
import { begin, lastChange, requireUsed, requireWhole } from './whole.ts';
import { patience, Writer } from './writer-process.ts';

const kills = process.env.SLOW === undefined ? 16 : 200;

async function looked(place: Place, writer: Writer): Promise<number> {
  assert.deepEqual(
    writer.lines.filter((line) => !/^([0-9]+|ready)$/.test(line)),
    [],
  );
  await using database = await place.open('facilitator');
  const last = await requireWhole(database);
  if (writer.acknowledged > 0) await requireUsed(database, writer.acknowledged);
  return last;
}

export function crashTests(test: Test, suite: string, kind: Kind): void {
  onEach(
    test,
    suite,
    'killed at any instant',
    async (place) => {
      let next = new Writer(place.location);
      try {
        let before = 0;
        for (let kill = 0; kill < kills; kill++) {
          await using writer = next;
          next = new Writer(place.location);
          await writer.go();
          // Every fourth one dies while it opens the store, or soon after.
          if (kill % 4 > 0) await until('a change is acknowledged', () => writer.acknowledged > 0, patience);
          await pause(Math.random() * 40);
          await writer.kill();
          const last = await looked(place, writer);
          const acknowledged = Math.max(before, writer.acknowledged);
          assert.ok(last === acknowledged || last === acknowledged + 1, `${last} of ${acknowledged} acknowledged`);
          before = last;
        }
        assert.ok(before >= kills / 2, `only ${before} changes were made`);
      } finally {
        await next.kill();
      }
    },
    [kind],
  );

  // Change 2 is the seventh time that something is written, its nonce the fifth.
  for (const [where, visit, expected] of [
    ['store.begin', 7, 1],
    ['store.written', 7, 1],
    ['store.committed', 7, 2],
    ['store.committed', 5, 1],
  ] as const)
    onEach(
      test,
      suite,
      `killed at ${where}, visit ${visit}`,
      async (place) => {
        await using writer = new Writer(place.location, { place: where, visit });
        await writer.go();
        assert.equal(await writer.ended(), 'SIGKILL');
        assert.equal(writer.acknowledged, 1);
        assert.equal(await looked(place, writer), expected);
        if (visit !== 5) return;
        await using database = await place.open('facilitator');
        await requireUsed(database, 2);
      },
      [kind],
    );

  onEach(
    test,
    suite,
    'a second process is refused as long as the first lives, and not a moment longer',
    async (place) => {
      await using writer = new Writer(place.location);
      await writer.go();
      await until('a change is acknowledged', () => writer.acknowledged > 0, patience);
      await assert.rejects(
        place.open('facilitator'),
        (error) =>
          error instanceof SealsumError &&
          error.code === 'store_unavailable' &&
          /another process has this store open; stop it/.test(error.message) &&
          (place.file === undefined || error.message.includes(place.file)),
      );
      const before = writer.acknowledged;
      await until('it goes on', () => writer.acknowledged > before, patience);
      await writer.kill();
      await using database = await place.open('facilitator');
      const store = createFacilitatorStore(database, auditLog());
      await begin(store);
      assert.ok((await lastChange(store)) >= writer.acknowledged);
    },
    [kind],
  );
}

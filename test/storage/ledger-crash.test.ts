/** kill -9 of a process between a charge and what it pays for: nothing is paid twice, and the cap is spent exactly. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import { rational, sumRationals, ZERO } from '../../src/privacy/rational.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { until } from '../support/until.ts';
import { inFile, lasting, onEach, type Place } from './places.ts';
import { patience, Writer } from './writer-process.ts';

const test = suite('a ledger whose process is killed');
const name = 'a ledger whose process is killed';

const source = 'test/storage/ledger-writer.ts';
const kills = process.env.SLOW === undefined ? 6 : 60;

/** The rounds in the books, each once and none missing before the last; everything that was acknowledged is among them. */
async function booked(place: Place, writers: readonly Writer[]): Promise<number> {
  await using database = await place.open('data-owner');
  const entries = await createLedgerStore(database).entries();
  assert.deepEqual(
    entries.map(({ round }) => round),
    entries.map((_, index) => index + 1),
  );
  const paid = Math.max(0, ...writers.map(({ acknowledged }) => acknowledged));
  assert.ok(entries.length >= paid, `${paid} rounds were acknowledged, and ${entries.length} are in the books`);
  return entries.length;
}

/** Lets a process spend what is left. */
async function spendRest(place: Place): Promise<void> {
  await using last = new Writer(place.location, { source });
  await last.go();
  await last.ended();
  assert.equal(last.lines.at(-1), 'full', last.lines.slice(-3).join(', '));
  assert.equal(await booked(place, [last]), 100);
  await using database = await place.open('data-owner');
  const rhos = (await createLedgerStore(database).entries()).map(({ rho }) => rho ?? ZERO);
  assert.deepEqual(sumRationals(rhos), rational(100n, 3n));
}

onEach(
  test,
  name,
  'at any instant',
  async (place) => {
    const writers: Writer[] = [];
    for (let kill = 0; kill < kills; kill++) {
      await using writer = new Writer(place.location, { source });
      writers.push(writer);
      await writer.go();
      const before = Math.max(0, ...writers.slice(0, -1).map(({ acknowledged }) => acknowledged));
      await until('it has got further', () => writer.acknowledged > before || writer.lines.includes('full'), patience);
      await pause(Math.random() * 4);
      await writer.kill();
      await booked(place, writers);
    }
    await spendRest(place);
  },
  lasting,
);

for (const [where, visit, paid] of [
  ['store.begin', 25, 24],
  ['store.written', 25, 24],
  ['store.committed', 25, 25],
] as const)
  onEach(
    test,
    name,
    `at ${where}, visit ${visit}`,
    async (place) => {
      await using writer = new Writer(place.location, { place: where, visit, source });
      await writer.go();
      assert.equal(await writer.ended(), 'SIGKILL');
      assert.equal(writer.acknowledged, 24, 'what the last charge was to pay for was not sent');
      assert.equal(await booked(place, [writer]), paid);
      await spendRest(place);
    },
    [inFile],
  );

test.run();

/** Whoever it hits is killed at random instants of a training: 10 times, or 200 times with SLOW=1. */
import { suite } from 'uvu';
import { createBench, reported } from './bench.ts';
import { leavesNothingBehind } from './checks.ts';
import { killAtRandom } from './instants.ts';
import { sqlite } from './stores.ts';

const test = suite('deaths at any instant');

test('a model is the same to the last bit whenever parties die (SQLite)', async () => {
  await using bench = await createBench();
  await using consortium = await bench.consortium(sqlite);
  await reported(consortium, bench, async () => {
    const done = await killAtRandom(consortium, bench.chance, kills);
    await leavesNothingBehind(consortium);
    return done;
  });
});

const kills = process.env.SLOW === undefined ? 10 : 200;

test.run();

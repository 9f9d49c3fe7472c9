/**
 * Deaths at the named places of an ordinary training, one place after the other: nothing is lost, and nothing is done twice. With
 * SLOW=1 at every one of them, else at each that is not beside another (places.ts).
 */
import { suite } from 'uvu';
import { createBench, reported } from './bench.ts';
import { leavesNothingBehind } from './checks.ts';
import { ordinaryPlaces, partOf } from './places.ts';
import { followRoute } from './routes.ts';
import { sqlite } from './stores.ts';

const test = suite('deaths at named places');

test('a model is the same to the last bit wherever facilitator and owners die (SQLite)', async () => {
  await using bench = await createBench();
  await using consortium = await bench.consortium(sqlite);
  const route = partOf(ordinaryPlaces(bench.chance), ['facilitator', 'north', 'east', 'south']);
  await reported(consortium, bench, async () => {
    const done = await followRoute(consortium, route);
    await leavesNothingBehind(consortium);
    return done;
  });
});

test.run();

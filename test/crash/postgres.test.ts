/**
 * The same with PostgreSQL: a few random instants and the places where changes of stores are cut off; with SLOW=1 two hundred
 * instants and every named place of an ordinary training. Where no server answers, it is skipped by name.
 */
import { suite } from 'uvu';
import { type Bench, createBench, reported } from './bench.ts';
import { leavesNothingBehind } from './checks.ts';
import type { Consortium } from './consortium.ts';
import { killAtRandom } from './instants.ts';
import { everybody, ordinaryPlaces, partOf, storesOf } from './places.ts';
import { followRoute } from './routes.ts';
import { postgres, postgresTrouble } from './stores.ts';

interface World {
  bench: Bench;
  consortium: Consortium;
}

const slow = process.env.SLOW !== undefined;
const test = suite<World>('deaths with PostgreSQL');

function withPostgres(name: string, work: (consortium: Consortium, bench: Bench) => Promise<string>): void {
  const run = async ({ bench, consortium }: World): Promise<void> => {
    await reported(consortium, bench, () => work(consortium, bench));
  };
  if (postgresTrouble === undefined) test(name, run);
  else {
    console.log(`skipped: deaths with PostgreSQL: ${name}: ${postgresTrouble}`);
    test.skip(name, run);
  }
}

test.before(async (world) => {
  if (postgresTrouble !== undefined) return;
  world.bench = await createBench();
  world.consortium = await world.bench.consortium(postgres);
});

test.after(async ({ bench, consortium }) => {
  if (postgresTrouble !== undefined) return;
  await consortium[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

withPostgres('a model is the same to the last bit wherever parties die', (consortium, { chance }) =>
  followRoute(consortium, partOf(slow ? ordinaryPlaces(chance) : storesOf(chance), everybody)),
);

withPostgres('a model is the same to the last bit whenever parties die', (consortium, { chance }) =>
  killAtRandom(consortium, chance, slow ? 200 : 3),
);

withPostgres('nothing is left of all that', async (consortium) => {
  await leavesNothingBehind(consortium);
  return 'everybody has stopped';
});

test.run();

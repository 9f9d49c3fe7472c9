/** That a simulation can fail, since a sum that leaves somebody out is found, and that the same seed gives the same run. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createChance } from '../../scripts/simulation/chance.ts';
import { type SimulationReport, simulate } from '../../scripts/simulation/simulate.ts';
import { createTimeline } from '../../scripts/simulation/timeline.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import type { FacilitatorStore } from '../../src/storage/facilitator-store.ts';

const test = suite('simulation');
const keyPair = await generateKeyPair({ bits: 2048 });
const operations = 250;

function run(seed: number, told: string[] = []): Promise<SimulationReport> {
  return simulate({ seed, operations, keyPair, tell: (what) => told.push(what) });
}

test('a facilitator that leaves a contribution out of a product, and says that it is in, is found out', async () => {
  const firsts = new Map<string, Uint8Array>();
  const forgetful = (store: FacilitatorStore): FacilitatorStore => ({
    ...store,
    commit: (change) => {
      const blocks = change.blocks?.map((kept) => {
        const { place, bytes } = kept;
        const round = `${place.job} ${place.round}`;
        if (place.series === 'product:1') firsts.set(round, bytes);
        return place.series === 'product:2' ? { ...kept, bytes: firsts.get(round) ?? bytes } : kept;
      });
      return store.commit(blocks === undefined ? change : { ...change, blocks });
    },
  });
  const { problems } = await simulate({ seed: 5, operations, keyPair, tell: () => undefined, alter: forgetful });
  assert.match(problems[0] ?? 'none', /is not the sum of/);
});

test('the same seed gives the same run', async () => {
  const [first, second]: [string[], string[]] = [[], []];
  const reports = [await run(4, first), await run(4, second)];
  assert.deepEqual(reports[0], reports[1]);
  assert.deepEqual(first, second);
});

test('what is drawn follows from the seed, and parts apart do not disturb each other', () => {
  const draw = (between: number): number[] => {
    const chance = createChance(7);
    const part = chance.apart();
    for (let index = 0; index < between; index++) part.next();
    return Array.from({ length: 5 }, () => chance.between(0, 1000));
  };
  assert.deepEqual(draw(0), draw(100));
  const other = createChance(8);
  assert.notDeepEqual(
    draw(0),
    Array.from({ length: 5 }, () => other.between(0, 1000)),
  );
});

test('happenings come in the order of their time, and none for who is dead', async () => {
  const timeline = createTimeline(1000);
  const seen: string[] = [];
  let alive = true;
  const clock = timeline.clockFor(() => alive);
  timeline.schedule(20, () => seen.push(`second at ${timeline.now()}`));
  clock.after(10, () => {
    seen.push(`first at ${clock.now()}`);
    alive = false;
  });
  clock.after(30, () => seen.push('never'));
  timeline.schedule(20, () => seen.push('third'))();
  while (await timeline.step());
  assert.deepEqual(seen, ['first at 1010', 'second at 1020']);
});

test.run();

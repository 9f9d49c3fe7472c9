/** How many owners a round asks, and that each of them is as likely as any other. */
import assert from 'node:assert/strict';
import { property as holds, nat, assert as property, shuffledSubarray } from 'fast-check';
import { suite } from 'uvu';
import { sampleOwners, sampleSize } from '../../src/averaging/sampling.ts';
import { systemRandom } from '../../src/paillier/random.ts';

const test = suite('sampling');

// int(ready * fraction_fit), and min_fit_clients at least: Python gives the same for these.
for (const [fractionFit, minFitClients, ready, expected] of [
  [1, 2, 10, 10],
  [0.5, 2, 9, 4],
  [0.29, 1, 100, 28],
  [0.7, 2, 10, 7],
  [0.1, 3, 10, 3],
  [0, 2, 10, 2],
  [0.5, 8, 10, 8],
  [1, 5, 3, 3],
] as const)
  test(`of ${ready} owners, ${fractionFit} of them and at least ${minFitClients} are ${expected}`, () => {
    assert.equal(sampleSize({ fractionFit, minFitClients }, ready), expected);
  });

test('a sample is of distinct owners, and as many as are asked for', () => {
  const owners = Array.from({ length: 12 }, (_, index) => `owner-${index}`);
  property(
    holds(shuffledSubarray(owners), nat(12), (ready, size) => {
      const before = [...ready];
      const sample = sampleOwners(ready, Math.min(size, ready.length), systemRandom);
      assert.equal(new Set(sample).size, Math.min(size, ready.length));
      assert.ok(sample.every((owner) => ready.includes(owner)));
      assert.deepEqual(ready, before);
    }),
  );
});

/** Each of the six is drawn 2000 times on average, with a deviation of 40.8; eight of these are passed once in 10^14 runs. */
test('every pair of four owners is as likely as any other', () => {
  const counts = new Map<string, number>();
  for (let draw = 0; draw < 12_000; draw += 1) {
    const pair = sampleOwners(['a', 'b', 'c', 'd'], 2, systemRandom).sort().join('');
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const [pair, count] of counts) assert.ok(Math.abs(count - 2000) < 8 * 40.8, `${pair}: ${count}`);
});

test.run();

/** How many owners a round asks. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { sampleSize } from '../../src/averaging/sampling.ts';

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

test.run();

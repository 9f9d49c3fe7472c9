/** What Flower's parameters become: the quorum, whom a round asks, and the fixed point of the vector sum. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type AveragingOptions, averagingTerms } from '../../src/averaging/options.ts';
import { modelOf } from './stage.ts';

const test = suite('options of averagings');

const termsOf = (options: Partial<AveragingOptions>, roster = 10) =>
  averagingTerms({ initial: modelOf([0, 0]), ...options }, roster);

test('what is left out is what Flower has', () => {
  const { sum, minFitClients, fractionFit, leastReady } = termsOf({});
  assert.deepEqual(sum, {
    length: 2,
    bits: 32,
    levels: 4_194_304,
    bound: 8,
    maxWeight: 1000,
    parameters: 2,
    averaging: {
      tensors: [
        { name: 'slope', shape: [1, 1] },
        { name: 'intercept', shape: [] },
      ],
      sends: 'parameters',
      settings: [],
      metrics: [],
    },
    quorum: 2,
    deadlineSeconds: 86_400,
  });
  assert.deepEqual([minFitClients, fractionFit, leastReady], [2, 1, undefined]);
});

// max(round(threshold * num_shares), 2) in Python, where a half is rounded to the even number.
for (const [reconstructionThreshold, roster, fractionFit, quorum] of [
  [0.5, 10, 1, 5],
  [0.5, 5, 1, 2],
  [0.5, 7, 1, 4],
  [0.7, 10, 0.5, 4],
  [0.1, 10, 1, 2],
  [1, 10, 1, 10],
  [1, 10, 0.3, 3],
  [2, 10, 1, 2],
  [7, 10, 1, 7],
] as const)
  test(`the quorum of ${reconstructionThreshold}, where a round asks ${fractionFit} of ${roster}, is ${quorum}`, () => {
    assert.equal(termsOf({ reconstructionThreshold, fractionFit }, roster).sum.quorum, quorum);
  });

test('a round never asks fewer owners than its quorum', () => {
  assert.equal(termsOf({ reconstructionThreshold: 6, fractionFit: 0.2 }).minFitClients, 6);
  assert.equal(termsOf({ reconstructionThreshold: 2, minFitClients: 4 }).minFitClients, 4);
});

test('so many owners must be ready as are asked for, and all answers are waited for where nothing is', () => {
  assert.equal(termsOf({ minAvailableClients: 7, minFitClients: 3 }).leastReady, 7);
  assert.equal(termsOf({ minFitClients: 5 }).leastReady, 5);
  assert.equal(termsOf({ minAvailableClients: 1 }).leastReady, 2);
});

test('the width is the least that has room for the steps, which travel as they were asked for', () => {
  for (const [quantizationRange, bits] of [
    [2, 16],
    [2 ** 16, 16],
    [2 ** 16 + 2, 32],
    [1_000_000, 32],
    [2 ** 32, 32],
    [2 ** 40, 64],
    [2 ** 52, 64],
  ] as const) {
    const { sum } = termsOf({ quantizationRange });
    assert.deepEqual([sum.bits, sum.levels], [bits, quantizationRange]);
  }
});

test('with privacy all weigh alike, and the norm takes the place of the clipping range', () => {
  const { sum } = termsOf({ sends: 'updates', norm: 2, privacy: { epsilon: 1, delta: 1e-6 } });
  assert.deepEqual([sum.maxWeight, sum.norm, sum.bound], [1, 2, undefined]);
});

test('a selection is by name, by pattern or by a function, in the order of the model', () => {
  const sticky = /cept$/g;
  for (const select of [['intercept'], sticky, sticky, /I/i, (name: string) => name.length > 5])
    assert.deepEqual(
      termsOf({ select }).layout.places.map(({ name }) => name),
      ['intercept'],
    );
  assert.deepEqual(
    termsOf({ select: ['intercept', 'slope'] }).layout.places.map(({ name }) => name),
    ['slope', 'intercept'],
  );
});

test.run();

/** Who takes part: each unit by a coin of its own, with exactly the chance that was claimed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { poissonSample } from '../../src/privacy/poisson-sampling.ts';
import { chiSquareCritical } from './statistics.ts';

const test = suite('poisson sampling');

/** Bytes that are the same whenever they are drawn from the same seed: SHA-256 of the seed and a counter. */
function bytesOf(seed: number): RandomBytes {
  let counter = 0;
  return (length) => {
    const blocks: Buffer[] = [];
    for (let got = 0; got < length; got += 32)
      blocks.push(createHash('sha256').update(`${seed} ${counter++}`).digest());
    return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
  };
}

/** P(Binomial(n, p) = k) for k = 0 … n, from the recurrence in logarithms. */
function binomial(n: number, p: number): number[] {
  let log = n * Math.log1p(-p);
  return Array.from({ length: n + 1 }, (_, k) => {
    if (k > 0) log += Math.log((n - k + 1) / k) + Math.log(p) - Math.log1p(-p);
    return Math.exp(log);
  });
}

/** The two-sided exact test: how likely a count is that is no likelier than k. */
function binomialTest(k: number, n: number, p: number): number {
  const law = binomial(n, p);
  const here = (law[k] ?? 0) * (1 + 1e-9);
  return law.reduce((sum, each) => (each <= here ? sum + each : sum), 0);
}

test('the exact binomial test is that of the tables', () => {
  // By hand: of ten fair coins, 0, 1, 9 or 10 heads have 22 of 1024 outcomes, and 5 is the likeliest.
  assert.ok(Math.abs(binomialTest(1, 10, 0.5) - 22 / 1024) < 1e-12);
  assert.ok(Math.abs(binomialTest(5, 10, 0.5) - 1) < 1e-12);
  // Of three coins of a quarter, 0 and 1 heads are alike likely, with 27 of 64 each.
  assert.ok(Math.abs(binomialTest(2, 3, 0.25) - 10 / 64) < 1e-12 && Math.abs(binomialTest(0, 3, 0.25) - 1) < 1e-12);
});

const chances = [1e-6, 0.01, 0.1, 1 / 3, 0.5, 0.9, 0.999_99];

// Chance of failing though right: 1e-9 for each of the seven.
test('as many take part as the chance says: the exact binomial test of 200,000 units each', () => {
  for (const chance of chances) {
    const found = poissonSample(200_000, chance, systemRandom).length;
    const likelihood = binomialTest(found, 200_000, chance);
    assert.ok(likelihood > 1e-9, `${found} of 200000 by ${chance}: ${likelihood}`);
    // And it would be seen if the chance were another by a quarter of the lesser side.
    if (chance < 0.01 || chance > 0.99) continue;
    const other = chance + Math.min(chance, 1 - chance) / 4;
    assert.ok(binomialTest(found, 200_000, other) < 1e-9, `${found} would pass for ${other}`);
  }
});

// Chance of failing though right: 1e-6 for each χ², of which there are two for each of three chances.
test('every position has the chance, and what its neighbour or the round before does says nothing (χ²)', () => {
  const [units, rounds] = [40, 2500];
  for (const chance of [0.1, 1 / 3, 0.8]) {
    const hits = Array.from({ length: units }, () => 0);
    /** [before][now], of neighbours in one round and of one unit in consecutive rounds. */
    const pairs = [0, 0, 0, 0];
    let before = new Set<number>();
    for (let round = 0; round < rounds; round += 1) {
      const sample = new Set(poissonSample(units, chance, systemRandom));
      for (const unit of sample) hits[unit] = (hits[unit] ?? 0) + 1;
      // Units 0 and 1, 2 and 3, … of every fourth round, and below each unit in two rounds that are not among these: no toss is in two pairs.
      for (let unit = 0; unit < units; unit += 2) {
        const place = Number(sample.has(unit)) * 2 + Number(sample.has(unit + 1));
        if (round % 4 === 0) pairs[place] = (pairs[place] ?? 0) + 1;
      }
      if (round % 4 === 3)
        for (let unit = 0; unit < units; unit += 1) {
          const place = Number(before.has(unit)) * 2 + Number(sample.has(unit));
          pairs[place] = (pairs[place] ?? 0) + 1;
        }
      before = sample;
    }
    const variance = rounds * chance * (1 - chance);
    const positions = hits.reduce((sum, count) => sum + (count - rounds * chance) ** 2 / variance, 0);
    assert.ok(positions < chiSquareCritical(units, 1e-6), `positions by ${chance}: ${positions}`);
    const all = pairs.reduce((sum, count) => sum + count, 0);
    const together = pairs.reduce((sum, count, place) => {
      const expected = all * (place >= 2 ? chance : 1 - chance) * (place % 2 === 1 ? chance : 1 - chance);
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    assert.ok(together < chiSquareCritical(3, 1e-6), `pairs by ${chance}: ${together}`);
  }
});

test('positions ascend, each at most once, and everybody takes part where the chance is 1', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 300 }),
      fc.double({ min: 2 ** -1074, max: 1, noNaN: true }),
      fc.nat(),
      (count, chance, seed) => {
        const sample = poissonSample(count, chance, bytesOf(seed));
        for (const [index, position] of sample.entries()) {
          assert.ok(Number.isInteger(position) && position >= 0 && position < count, 'a position');
          if (index > 0) assert.ok(position > (sample[index - 1] ?? 0), 'ascending');
        }
        assert.deepEqual(poissonSample(count, chance, bytesOf(seed)), sample, 'a function of its randomness');
        const all = Array.from({ length: count }, (_, index) => index);
        assert.deepEqual(poissonSample(count, 1, bytesOf(seed)), all, 'everybody');
      },
    ),
    { numRuns: 100 },
  );
});

test('whoever takes part by a chance takes part by a greater one, tossed the same coins', () => {
  const [less, more] = [0.2, 0.5].map((chance) => new Set(poissonSample(2000, chance, bytesOf(7))));
  assert.ok(less !== undefined && more !== undefined && less.size < more.size && less.size > 300, 'fewer');
  assert.ok([...less].every((position) => more.has(position)));
});

test('refuses what is no number of units and no chance, naming it', () => {
  for (const count of [-1, 1.5, Number.NaN, Infinity])
    assert.throws(() => poissonSample(count, 0.5, systemRandom), { code: 'privacy_invalid', field: 'count' });
  for (const chance of [0, -0.5, 1 + 2 ** -52, Number.NaN, Infinity])
    assert.throws(() => poissonSample(1, chance, systemRandom), { code: 'privacy_invalid', field: 'sampling' });
});

test.run();

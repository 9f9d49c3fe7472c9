import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { bitLength, bytesToBigint } from '../../src/paillier/bytes.ts';
import { randomBelow, randomBits, randomSubset, systemRandom } from '../../src/paillier/random.ts';

const test = suite('random');

test('the system gives as many bytes as asked for, and other ones each time', () => {
  for (const length of [0, 1, 31, 32, 1000]) assert.equal(systemRandom(length).length, length);
  // Equal by chance once in 2^256.
  assert.notDeepEqual(systemRandom(32), systemRandom(32));
});

test('randomBits masks the top byte and uses every bit it is given', () => {
  const ones = (length: number): Uint8Array => new Uint8Array(length).fill(255);
  for (let bits = 0; bits <= 40; bits += 1) assert.equal(randomBits(bits, ones), (1n << BigInt(bits)) - 1n);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
      assert.equal(
        randomBits(64, () => bytes),
        bytesToBigint(bytes),
      );
    }),
  );
});

test('randomBits refuses a source that gives too few bytes or too many', () => {
  for (const given of [0, 3, 5, 8]) {
    assert.throws(() => randomBits(32, () => new Uint8Array(given)), {
      code: 'backend_unavailable',
      message: `random source: expected 4 bytes, it gave ${given}; pass one that gives as many as it is asked for`,
    });
  }
});

test('randomBelow draws again when the candidate is not below the limit', () => {
  const source = [Uint8Array.of(7), Uint8Array.of(0xfd), Uint8Array.of(0b1111_1100)];
  let draws = 0;
  assert.equal(
    randomBelow(5n, () => source[draws++] ?? Uint8Array.of(0)),
    4n,
  );
  assert.equal(draws, 3);
  assert.equal(randomBelow(1n, systemRandom), 0n);
});

test('randomBelow refuses a limit below one', () => {
  for (const limit of [0n, -1n]) {
    assert.throws(() => randomBelow(limit, systemRandom), {
      code: 'number_out_of_bounds',
      message: 'random limit: expected at least 1',
    });
  }
});

test('randomBelow is uniform: χ² of 60,000 draws below 6 (fails by chance once in 10^9)', () => {
  const draws = 60_000;
  const counts = new Array<number>(6).fill(0);
  for (let draw = 0; draw < draws; draw += 1) {
    const value = Number(randomBelow(6n, systemRandom));
    counts[value] = (counts[value] ?? Number.NaN) + 1;
  }
  const expected = draws / 6;
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // The upper 10^−9 quantile of χ² with 5 degrees of freedom is 50.69.
  assert.ok(statistic < 50.7, `χ² = ${statistic}`);
});

test('randomBits fills all bits: each of 256 is set and clear among 100 draws (fails by chance once in 2^91)', () => {
  const draws = Array.from({ length: 100 }, () => randomBits(256, systemRandom));
  const all = (1n << 256n) - 1n;
  assert.equal(
    draws.reduce((union, each) => union | each, 0n),
    all,
  );
  assert.equal(
    draws.reduce((common, each) => common & each, all),
    0n,
  );
  assert.ok(draws.every((each) => bitLength(each) <= 256));
});

test('a subset is of distinct ones, and of as many as are asked for', () => {
  const owners = Array.from({ length: 12 }, (_, index) => `owner-${index}`);
  fc.assert(
    fc.property(fc.shuffledSubarray(owners), fc.nat(12), (ready, size) => {
      const before = [...ready];
      const sample = randomSubset(ready, Math.min(size, ready.length), systemRandom);
      assert.equal(new Set(sample).size, Math.min(size, ready.length));
      assert.ok(sample.every((owner) => ready.includes(owner)));
      assert.deepEqual(ready, before);
    }),
  );
});

/** Each of the six is drawn 2000 times on average, with a deviation of 40.8; eight of these are passed once in 10^14 runs. */
test('every pair of four is as likely as any other', () => {
  const counts = new Map<string, number>();
  for (let draw = 0; draw < 12_000; draw += 1) {
    const pair = randomSubset(['a', 'b', 'c', 'd'], 2, systemRandom).sort().join('');
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const [pair, count] of counts) assert.ok(Math.abs(count - 2000) < 8 * 40.8, `${pair}: ${count}`);
});

test.run();

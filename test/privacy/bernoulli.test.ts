import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { systemRandom } from '../../src/paillier/random.ts';
import { type RandomWords, randomWordsFrom, uniformBelow } from '../../src/paillier/random-words.ts';
import { bernoulli, bernoulliExponential } from '../../src/privacy/bernoulli.ts';
import { CHANCE, chiSquareCritical, normalCritical, wilsonHolds } from './statistics.ts';

const test = suite('bernoulli');

const fresh = randomWordsFrom(systemRandom);

/** Gives these words and nothing after them. */
function given(...values: number[]): RandomWords {
  const rest = values[Symbol.iterator]();
  return () => {
    const next = rest.next();
    assert.ok(next.done !== true, 'drew more words than expected');
    return next.value;
  };
}

const someWord = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test('a coin shows heads exactly when the number that the words spell lies below the fraction', () => {
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 90n),
      fc.bigInt(1n, 2n ** 90n),
      fc.array(someWord, { minLength: 4, maxLength: 4 }),
      (a, b, words) => {
        const [numerator, denominator] = a <= b ? [a, b] : [b, a];
        const spelt = words.reduce((number, word) => (number << 32n) | BigInt(word), 0n);
        const fraction = (numerator << 128n) / denominator;
        fc.pre(spelt !== fraction);
        assert.equal(bernoulli(numerator, denominator, given(...words)), spelt < fraction);
      },
    ),
  );
});

test('a coin looks at as many words as agree with the fraction, and one more', () => {
  // 1/3 is 0.55555555 55555555 … in words.
  const third = 0x55555555;
  for (const agreeing of [0, 1, 2, 7]) {
    const words = Array.from({ length: agreeing }, () => third);
    assert.equal(bernoulli(1n, 3n, given(...words, third - 1)), true);
    assert.equal(bernoulli(1n, 3n, given(...words, third + 1)), false);
  }
});

test('never and always are certain, whatever the words', () => {
  for (const word of [0, 1, 2 ** 32 - 1]) {
    assert.equal(bernoulli(0n, 5n, given(word === 0 ? 1 : word)), false);
    assert.equal(bernoulli(5n, 5n, given(word)), true);
    // exp(−0) = 1: the first coin, of probability 0/1, fails at K = 1.
    assert.equal(bernoulliExponential(0n, 5n, given(word === 0 ? 1 : word)), true);
  }
});

test('Algorithm 1 step by step, also where a whole word agrees and the next decides', () => {
  const top = 2 ** 32 - 1;
  const third = 0x55555555;
  // K = 1 fails: odd, heads. K = 2 fails: even, tails. K = 3 fails: heads.
  assert.equal(bernoulliExponential(1n, 3n, given(top)), true);
  assert.equal(bernoulliExponential(1n, 3n, given(0, top)), false);
  assert.equal(bernoulliExponential(1n, 3n, given(0, 0, top)), true);
  // γ/1 = 0.55555555 55555555 …; γ/2 = 0.2AAAAAAA AAAAAAAA …
  assert.equal(bernoulliExponential(1n, 3n, given(third, third + 1)), true);
  assert.equal(bernoulliExponential(1n, 3n, given(third, third - 1, 0x2aaaaaaa, 0xaaaaaaab)), false);
  assert.equal(bernoulliExponential(1n, 3n, given(third, third - 1, 0x2aaaaaaa, 0xaaaaaaa9, top)), true);
  // γ = 2 + 1/3 asks for two coins of exp(−1), whose first step cannot fail, and gives up at the first tails.
  assert.equal(bernoulliExponential(7n, 3n, given(0, top)), false);
  assert.equal(bernoulliExponential(7n, 3n, given(0, 0, top, 0, top)), false);
  assert.equal(bernoulliExponential(7n, 3n, given(0, 0, top, 0, 0, top, top)), true);
});

// Chance of failing though right: 1e-9 for each of the twelve figures.
test('coins of exp(−γ) come up with that frequency', () => {
  const flips = 200_000;
  const z = normalCritical();
  for (const [numerator, denominator] of [
    [0n, 1n],
    [1n, 100n],
    [1n, 7n],
    [1n, 2n],
    [999_999n, 1_000_000n],
    [1n, 1n],
    [1_000_001n, 1_000_000n],
    [3n, 2n],
    [2n, 1n],
    [10n, 3n],
    [5n, 1n],
    [2n ** 161n + 1n, 2n ** 160n - 1n],
  ] as const) {
    let heads = 0;
    for (let flip = 0; flip < flips; flip += 1) if (bernoulliExponential(numerator, denominator, fresh)) heads += 1;
    const probability = Math.exp(-Number(numerator) / Number(denominator));
    assert.ok(wilsonHolds(heads, flips, probability, z), `exp(-${numerator}/${denominator}): ${heads} of ${flips}`);
    if (numerator === 0n) assert.equal(heads, flips);
    // The control: a hundredth is only nine standard deviations, three more than z, which a figure in a thousand would miss.
    else assert.ok(!wilsonHolds(heads, flips, probability + 0.02, z), 'the test would not notice two hundredths more');
  }
});

// Chance of failing though right: 1e-9 for each of the three figures.
test('integers below a limit are uniform', () => {
  for (const limit of [3n, 5n, 64n]) {
    const draw = uniformBelow(limit, fresh);
    const counts = Array.from({ length: Number(limit) }, () => 0);
    const draws = 100_000;
    for (let index = 0; index < draws; index += 1) {
      const value = Number(draw());
      counts[value] = (counts[value] ?? 0) + 1;
    }
    assert.equal(counts.length, Number(limit), 'a draw reached the limit');
    const expected = draws / Number(limit);
    const statistic = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
    assert.ok(statistic < chiSquareCritical(Number(limit) - 1, CHANCE), `below ${limit}: ${statistic}`);
  }
});

test('integers below a limit are the leading bits of the words, drawn again while they reach the limit', () => {
  assert.equal(uniformBelow(1n, given())(), 0n);
  assert.equal(uniformBelow(5n, given(0b101 << 29, 0b111 << 29, 0b100 << 29))(), 4n);
  assert.equal(uniformBelow(2n ** 32n, given(2 ** 32 - 1))(), 2n ** 32n - 1n);
  assert.equal(uniformBelow(2n ** 32n + 1n, given(0x80000000, 0x80000000, 0x80000000, 0))(), 2n ** 32n);
  assert.equal(uniformBelow(2n ** 64n, given(1, 2))(), 2n ** 32n + 2n);
});

test('words are big-endian, in order, and a source that gives too little is refused', () => {
  const words = randomWordsFrom((length) => Uint8Array.from({ length }, (_, index) => index % 251));
  assert.equal(words(), 0x00010203);
  assert.equal(words(), 0x04050607);
  for (const given of [0, 4, 4095, 4097]) {
    assert.throws(() => randomWordsFrom(() => new Uint8Array(given))(), { code: 'backend_unavailable' });
  }
});

test.run();

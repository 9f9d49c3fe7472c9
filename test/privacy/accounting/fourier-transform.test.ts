import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { fourierTransform, placeOfNegative } from '../../../src/privacy/accounting/fourier-transform.ts';

const test = suite('fourier transform');

/** The bits of `index` below `length`, reversed. */
function reversed(index: number, length: number): number {
  let result = 0;
  for (let bit = 1; bit < length; bit *= 2) result = result * 2 + ((index / bit) & 1);
  return result;
}

const someVector = fc.integer({ min: 0, max: 7 }).chain((log) =>
  fc.array(fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true })), {
    minLength: 2 ** log,
    maxLength: 2 ** log,
  }),
);

test('forward is the definition, in bit-reversed order, and inverse undoes it', () => {
  fc.assert(
    fc.property(someVector, (values) => {
      const length = values.length;
      const [re, im] = [Float64Array.from(values, ([x]) => x), Float64Array.from(values, ([, y]) => y)];
      const transform = fourierTransform(length);
      transform.forward({ re, im });
      for (let k = 0; k < length; k += 1) {
        let [x, y] = [0, 0];
        for (const [j, [a, b]] of values.entries()) {
          const angle = (-2 * Math.PI * ((j * k) % length)) / length;
          x += a * Math.cos(angle) - b * Math.sin(angle);
          y += a * Math.sin(angle) + b * Math.cos(angle);
        }
        const place = reversed(k, length);
        assert.ok(Math.hypot(x - (re[place] ?? 0), y - (im[place] ?? 0)) < 1e-15 * length + 1e-14, `${k} of ${length}`);
        assert.equal(placeOfNegative(place), reversed((length - k) % length, length));
      }
      transform.inverse({ re, im });
      for (const [j, [a, b]] of values.entries()) {
        assert.ok(Math.hypot((re[j] ?? 0) / length - a, (im[j] ?? 0) / length - b) < 1e-15);
      }
    }),
  );
});

test('the accuracy stated, there and back, up to a length of 2^20', () => {
  for (const log of [12, 17, 20]) {
    const length = 2 ** log;
    const value = (index: number): number => ((index * 7919) % 1009) / 1009 - 0.5;
    const re = Float64Array.from({ length }, (_, index) => value(index));
    const im = Float64Array.from({ length }, (_, index) => value(index + 5000));
    const transform = fourierTransform(length);
    transform.forward({ re, im });
    // Parseval: Σ|X|² = length·Σ|x|².
    let [squares, spectrum] = [0, 0];
    for (let index = 0; index < length; index += 1) {
      squares += value(index) ** 2 + value(index + 5000) ** 2;
      spectrum += (re[index] ?? 0) ** 2 + (im[index] ?? 0) ** 2;
    }
    assert.ok(Math.abs(spectrum / squares / length - 1) < 1e-12);
    transform.inverse({ re, im });
    let error = 0;
    for (let index = 0; index < length; index += 1) {
      error += ((re[index] ?? 0) / length - value(index)) ** 2 + ((im[index] ?? 0) / length - value(index + 5000)) ** 2;
    }
    assert.ok(Math.sqrt(error / squares) < 1e-15, `2^${log}: ${Math.sqrt(error / squares)}`);
  }
});

test('refuses a length that is no power of two', () => {
  for (const length of [0, 3, 12, -4, 2 ** 27, Number.NaN]) {
    assert.throws(() => fourierTransform(length), { code: 'privacy_invalid', field: 'length' });
  }
});

test.run();

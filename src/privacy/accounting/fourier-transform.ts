/**
 * The discrete Fourier transform of complex numbers, in place, for lengths that are powers of two.
 *
 * Gentleman, Sande, Fast Fourier Transforms for Fun and Profit (1966): `forward` takes natural order and leaves the spectrum in
 * bit-reversed order, `inverse` takes it from there, so that nothing is ever reordered: what lies between them multiplies
 * spectra point by point. Two steps of radix 2 are done in one pass, since passes over memory are what takes the time.
 *
 * Accuracy: every angle is computed by itself, not by recurrence, so that the root mean square of the error grows with
 * √log₂(length): below 1e-15 of the root mean square of the values up to length 2^22.
 */
import { SealsumError } from '../../errors.ts';

export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export interface FourierTransform {
  /** X[k] = Σ x[j]·exp(−2πi·jk/length), left at the place whose bits are those of k reversed. */
  forward(values: ComplexVector): void;
  /** What `forward` made a spectrum of, times the length. */
  inverse(spectrum: ComplexVector): void;
}

/** The transform for vectors of `length`, a power of two up to 2^26; its table of angles takes 8 bytes per value. */
export function fourierTransform(length: number): FourierTransform {
  if (!(Number.isInteger(Math.log2(length)) && length <= 2 ** 26)) {
    throw new SealsumError('privacy_invalid', `length: expected a power of two up to 2^26, got ${length}`, {
      field: 'length',
    });
  }
  // exp(−2πi·index/length) for the first half of the circle; four times as fast to fill as by a function for each element.
  const cos = new Float64Array(length / 2);
  const sin = new Float64Array(length / 2);
  // Only the first eighth is worked out, and mirrored into the others. Places beyond the table, which short ones have, are not written.
  for (let index = 0, quarter = length / 4; index <= length / 8; index++) {
    const c = Math.cos((2 * Math.PI * index) / length);
    const s = Math.sin((2 * Math.PI * index) / length);
    cos[length / 2 - index] = -c;
    sin[length / 2 - index] = -s;
    cos[quarter + index] = -s;
    sin[quarter + index] = -c;
    cos[quarter - index] = s;
    sin[quarter - index] = -c;
    cos[index] = c;
    sin[index] = -s;
  }
  const odd = Math.log2(length) % 2 === 1;
  return {
    forward({ re, im }) {
      let size = length;
      for (; size >= 4; size /= 4) forwardFours(re, im, cos, sin, size);
      if (odd) pairs(re, im);
    },
    inverse({ re, im }) {
      if (odd) pairs(re, im);
      for (let size = odd ? 8 : 4; size <= length; size *= 4) inverseFours(re, im, cos, sin, size);
    },
  };
}

/** The place of −k (mod length) in bit-reversed order, given that of k: all bits below the leading one are flipped. */
export function placeOfNegative(place: number): number {
  return place < 2 ? place : place ^ ((1 << (31 - Math.clz32(place))) - 1);
}

/** Two steps of the forward transform in blocks of `size`: butterflies size/2 apart, then size/4 apart. */
function forwardFours(re: Float64Array, im: Float64Array, cos: Float64Array, sin: Float64Array, size: number): void {
  const quarter = size / 4;
  const stride = re.length / size;
  for (let start = 0; start < re.length; start += size) {
    for (let offset = 0, angle = 0; offset < quarter; offset++, angle += stride) {
      const i0 = start + offset;
      const i1 = i0 + quarter;
      const i2 = i1 + quarter;
      const i3 = i2 + quarter;
      // w = exp(−2πi·offset/size), and its square.
      const wr = cos[angle] as number;
      const wi = sin[angle] as number;
      const vr = cos[2 * angle] as number;
      const vi = sin[2 * angle] as number;
      const sumR = (re[i0] as number) + (re[i2] as number);
      const sumI = (im[i0] as number) + (im[i2] as number);
      const differenceR = (re[i0] as number) - (re[i2] as number);
      const differenceI = (im[i0] as number) - (im[i2] as number);
      const otherSumR = (re[i1] as number) + (re[i3] as number);
      const otherSumI = (im[i1] as number) + (im[i3] as number);
      // The second half of the first step's angles is the first times −i: −i·(a + bi) = b − ai.
      const turnedR = (im[i1] as number) - (im[i3] as number);
      const turnedI = (re[i3] as number) - (re[i1] as number);
      re[i0] = sumR + otherSumR;
      im[i0] = sumI + otherSumI;
      const ar = sumR - otherSumR;
      const ai = sumI - otherSumI;
      re[i1] = ar * vr - ai * vi;
      im[i1] = ar * vi + ai * vr;
      const br = differenceR + turnedR;
      const bi = differenceI + turnedI;
      const pr = br * wr - bi * wi;
      const pi = br * wi + bi * wr;
      re[i2] = pr;
      im[i2] = pi;
      const cr = differenceR - turnedR;
      const ci = differenceI - turnedI;
      const qr = cr * wr - ci * wi;
      const qi = cr * wi + ci * wr;
      re[i3] = qr * vr - qi * vi;
      im[i3] = qr * vi + qi * vr;
    }
  }
}

/** Undoes `forwardFours`, times 4. */
function inverseFours(re: Float64Array, im: Float64Array, cos: Float64Array, sin: Float64Array, size: number): void {
  const quarter = size / 4;
  const stride = re.length / size;
  for (let start = 0; start < re.length; start += size) {
    for (let offset = 0, angle = 0; offset < quarter; offset++, angle += stride) {
      const i0 = start + offset;
      const i1 = i0 + quarter;
      const i2 = i1 + quarter;
      const i3 = i2 + quarter;
      // The conjugates of the angles above.
      const wr = cos[angle] as number;
      const wi = -(sin[angle] as number);
      const vr = cos[2 * angle] as number;
      const vi = -(sin[2 * angle] as number);
      const ar = (re[i1] as number) * vr - (im[i1] as number) * vi;
      const ai = (re[i1] as number) * vi + (im[i1] as number) * vr;
      const sumR = (re[i0] as number) + ar;
      const sumI = (im[i0] as number) + ai;
      const otherSumR = (re[i0] as number) - ar;
      const otherSumI = (im[i0] as number) - ai;
      const qr = (re[i3] as number) * vr - (im[i3] as number) * vi;
      const qi = (re[i3] as number) * vi + (im[i3] as number) * vr;
      const pr = (re[i2] as number) + qr;
      const pi = (im[i2] as number) + qi;
      const br = pr * wr - pi * wi;
      const bi = pr * wi + pi * wr;
      const mr = (re[i2] as number) - qr;
      const mi = (im[i2] as number) - qi;
      const cr = mr * wr - mi * wi;
      const ci = mr * wi + mi * wr;
      re[i0] = sumR + br;
      im[i0] = sumI + bi;
      re[i2] = sumR - br;
      im[i2] = sumI - bi;
      // i·(a + bi) = −b + ai.
      re[i1] = otherSumR - ci;
      im[i1] = otherSumI + cr;
      re[i3] = otherSumR + ci;
      im[i3] = otherSumI - cr;
    }
  }
}

/** The step between neighbours, which has no angles and is its own inverse, times 2. */
function pairs(re: Float64Array, im: Float64Array): void {
  for (let index = 0; index < re.length; index += 2) {
    const r = re[index] as number;
    const i = im[index] as number;
    re[index] = r + (re[index + 1] as number);
    im[index] = i + (im[index + 1] as number);
    re[index + 1] = r - (re[index + 1] as number);
    im[index + 1] = i - (im[index + 1] as number);
  }
}

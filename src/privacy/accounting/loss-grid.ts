/**
 * Privacy losses on a grid: discretised so that no δ is understated, composed over rounds, and read as (ε, δ).
 *
 * The privacy loss of an outcome x of P against Q is ln(P(x)/Q(x)), and over x drawn from P it has a distribution; then
 *
 *     δ(ε) = E[max(0, 1 − exp(ε − loss))],
 *
 * and the losses of rounds that are run one after the other add up (Sommer, Meiser, Mohammadi, Privacy Loss Classes, 2019).
 */
import { fourierTransform, placeOfNegative } from './fourier-transform.ts';

export interface LossGrid {
  /** The distance between two points. */
  readonly interval: number;
  /** The first point is first·interval; a whole number. */
  readonly first: number;
  /** The probability of each point under P, from the first up. */
  readonly probabilities: Float64Array;
  /** The probability of an infinite loss, or of what is charged as one. */
  readonly infinite: number;
}

/** The greatest grid: a composition of this many points takes about a second and 100 MB. */
export const MOST_POINTS: number = 2 ** 21;

/** What P and Q give to the cells of a grid. */
export interface CellMasses {
  readonly interval: number;
  /** The first point of the grid, in intervals; one cell below it, one between any two points, one above the last. */
  readonly first: number;
  /** Probabilities under P and under Q of a loss in each cell, from the one below the first point to the one above the last. */
  readonly upper: Float64Array;
  readonly lower: Float64Array;
}

/**
 * Connect the dots: every cell's mass goes to the two points at its ends, so that neither its P nor its Q changes.
 *
 * Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, Connect the Dots: Tighter Discrete Approximations of Privacy Loss
 * Distributions (2022), Algorithm 1, said in masses instead of δ: at the grid's points δ is exact, and between them it is
 * never understated, as the chord of a convex function. Differences of δ would lose the far ends to rounding; masses do not.
 */
export function connectTheDots({ interval, first, upper, lower }: CellMasses): LossGrid {
  const points = upper.length - 1;
  const probabilities = new Float64Array(points);
  const most = -Math.expm1(-interval);
  // A loss below the grid is charged as its first point.
  probabilities[0] = upper[0] as number;
  for (let cell = 1; cell <= points; cell++) {
    const p = upper[cell] as number;
    const q = lower[cell] as number;
    // What is above the last point goes to infinity instead of to a next one. Beyond e^700 Q is 0 in doubles, or nearly.
    const surplus = p - Math.exp(Math.min(700, (first + cell - 1) * interval)) * q;
    const up = Math.min(p, Math.max(0, cell === points ? surplus : surplus / most));
    probabilities[cell - 1] = (probabilities[cell - 1] as number) + p - up;
    if (cell < points) probabilities[cell] = up;
    else return { interval, first, probabilities, infinite: up };
  }
  throw new RangeError('a grid has at least one point');
}

/** The probability that a window may miss, charged as an infinite loss. */
const TRUNCATION = 1e-15;

/** Charged likewise, per round: what rounding adds to a δ or takes from it was never seen to reach half of it. */
const ROUNDING = 1e-16;

/** The points of a composition that are kept, counted from rounds·first. */
export interface Window {
  readonly low: number;
  readonly high: number;
}

/** The sums of points outside of which the losses of `rounds` rounds fall with a probability of at most TRUNCATION. */
export function windowOf({ probabilities }: LossGrid, rounds: number): Window {
  const last = probabilities.length - 1;
  // P(sum ≥ s) ≤ exp(rounds·K(λ) − λs) for every λ > 0, where K is the logarithm of E[exp(λ·index)].
  const above = leastBound((rate) => rounds * Math.log(geometricSum(probabilities, Math.exp(rate))), last);
  const below = leastBound((rate) => rounds * Math.log(geometricSum(probabilities, Math.exp(-rate))), last);
  // Where everything is infinite, nothing is left to bound, and any window will do.
  const low = Math.min(last * rounds, Math.max(0, Math.floor(-below)));
  return { low, high: Math.min(last * rounds, Math.max(low, Math.ceil(above))) };
}

/** How many points a window has. */
export function pointsOf({ low, high }: Window): number {
  return high - low + 1;
}

/**
 * The losses of `rounds` rounds together, for each of two grids (the two directions of a neighbourhood), in their windows.
 *
 * By one Fourier transform of first + i·second there and one back. What lies outside the window is at most 1e-15 and is added to
 * the infinite mass; what wraps around from there into the window only adds. So is rounds·1e-16 for rounding, which is
 * measured and not proven: it is why these figures are for information.
 */
export function composeLosses(
  grids: readonly [LossGrid, LossGrid],
  windows: readonly [Window, Window],
  rounds: number,
): [LossGrid, LossGrid] {
  const length = 2 ** Math.ceil(Math.log2(Math.max(...windows.map(pointsOf))));
  const re = wrapped(grids[0].probabilities, length);
  const im = wrapped(grids[1].probabilities, length);
  const transform = fourierTransform(length);
  transform.forward({ re, im });
  raiseBoth(re, im, rounds);
  transform.inverse({ re, im });
  return [cutOut(grids[0], windows[0], rounds, re), cutOut(grids[1], windows[1], rounds, im)];
}

/** δ for ε, which may be negative. */
export function deltaAt({ interval, first, probabilities, infinite }: LossGrid, epsilon: number): number {
  let delta = 0;
  // From the top, where the terms are least.
  for (let index = probabilities.length - 1; index >= 0; index--) {
    const over = (first + index) * interval - epsilon;
    if (over <= 0) break;
    delta -= Math.expm1(-over) * (probabilities[index] as number);
  }
  return Math.min(1, infinite + delta);
}

/** The least ε of at least 0 for δ; Infinity where more than δ has an infinite loss. */
export function epsilonAt({ interval, first, probabilities, infinite }: LossGrid, delta: number): number {
  if (infinite > delta) return Infinity;
  const shrink = Math.exp(-interval);
  // Over the points from `index` up: their mass under P, and exp(loss of `index`) times that under Q, which cannot overflow.
  let upper = infinite;
  let lower = 0;
  for (let index = probabilities.length - 1; index >= 0; index--) {
    upper += probabilities[index] as number;
    lower = lower * shrink + (probabilities[index] as number);
    // From the next point below up to this one, δ(ε) = upper − exp(ε − loss)·lower; below the first point it goes on like that.
    if (upper - lower * shrink <= delta && index > 0) continue;
    return upper > delta ? Math.max(0, (first + index) * interval + Math.log((upper - delta) / lower)) : 0;
  }
  return 0;
}

/** The least (logMoment(λ) + ln(2/TRUNCATION))/λ over λ, roughly: every λ gives a bound, and the best is flat around. */
function leastBound(logMoment: (rate: number) => number, last: number): number {
  // It falls and then rises in λ. Beyond exp(600) the moments would overflow.
  let low = Math.log(1e-9);
  let high = Math.log(Math.min(30, 600 / (last + 1)));
  const bound = (logRate: number): number =>
    (logMoment(Math.exp(logRate)) + Math.log(2 / TRUNCATION)) / Math.exp(logRate);
  const golden = (Math.sqrt(5) - 1) / 2;
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [atLeft, atRight] = [bound(left), bound(right)];
  for (let step = 0; step < 20; step++) {
    if (atLeft < atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = bound(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = bound(right);
    }
  }
  return Math.min(atLeft, atRight);
}

/** Σ probabilities[i]·base^i, by Horner's rule in four sums side by side: in one, every step would wait for the one before. */
function geometricSum(probabilities: Float64Array, base: number): number {
  const whole = probabilities.length - (probabilities.length % 4);
  let [b, c, d] = [0, 0, 0];
  let a = 0;
  for (let index = probabilities.length - 1; index >= whole; index--) a = a * base + (probabilities[index] as number);
  const square = base * base;
  const fourth = square * square;
  for (let index = whole - 4; index >= 0; index -= 4) {
    a = a * fourth + (probabilities[index] as number);
    b = b * fourth + (probabilities[index + 1] as number);
    c = c * fourth + (probabilities[index + 2] as number);
    d = d * fourth + (probabilities[index + 3] as number);
  }
  return a + base * b + square * (c + base * d);
}

function wrapped(probabilities: Float64Array, length: number): Float64Array {
  const circle = new Float64Array(length);
  for (let index = 0; index < probabilities.length; index++) {
    const place = index & (length - 1);
    circle[place] = (circle[place] as number) + (probabilities[index] as number);
  }
  return circle;
}

/**
 * From the spectrum F of a + ib, a and b real, to that of a' + ib', where a' and b' are their `rounds`-fold convolutions.
 *
 * Their spectra are A(k) = (F(k) + F̄(−k))/2 and B(k) = (F(k) − F̄(−k))/2i, and A(−k) = Ā(k).
 */
function raiseBoth(re: Float64Array, im: Float64Array, rounds: number): void {
  const power = { re: 0, im: 0 };
  // |z|^rounds < 1e-35 where |z|² is below this: most of a long composition.
  const nothing = 1e-35 ** (2 / rounds);
  for (let place = 0; place < re.length; place++) {
    const negative = placeOfNegative(place);
    if (negative < place) continue;
    const fr = re[place] as number;
    const fi = im[place] as number;
    const gr = re[negative] as number;
    const gi = im[negative] as number;
    raise((fr + gr) / 2, (fi - gi) / 2, rounds, nothing, power);
    const ar = power.re;
    const ai = power.im;
    raise((fi + gi) / 2, (gr - fr) / 2, rounds, nothing, power);
    re[place] = ar - power.im;
    im[place] = ai + power.re;
    re[negative] = ar + power.im;
    im[negative] = power.re - ai;
  }
}

/** power = (re + i·im)^exponent, by repeated squaring; 0 where the square of the base's magnitude is less than `nothing`. */
function raise(re: number, im: number, exponent: number, nothing: number, power: { re: number; im: number }): void {
  power.re = 0;
  power.im = 0;
  if (re * re + im * im < nothing) return;
  power.re = 1;
  for (let rest = exponent; ; ) {
    if (rest % 2 === 1) {
      const product = power.re * re - power.im * im;
      power.im = power.re * im + power.im * re;
      power.re = product;
      rest -= 1;
    }
    if (rest === 0) return;
    const square = re * re - im * im;
    im = 2 * re * im;
    re = square;
    rest /= 2;
  }
}

/** The window out of the circle; rounding leaves traces below 0 around it, which count as 0, so that they only add. */
function cutOut(grid: LossGrid, { low, high }: Window, rounds: number, circle: Float64Array): LossGrid {
  const probabilities = new Float64Array(high - low + 1);
  for (let index = 0; index < probabilities.length; index++) {
    probabilities[index] = Math.max(0, (circle[(low + index) % circle.length] as number) / circle.length);
  }
  const infinite = -Math.expm1(rounds * Math.log1p(-grid.infinite)) + TRUNCATION + rounds * ROUNDING;
  return { interval: grid.interval, first: rounds * grid.first + low, probabilities, infinite };
}

/**
 * The privacy loss of one round of the Gaussian with Poisson sampling, in closed form and on a grid, in both directions.
 *
 * A round without the unit is N = N(0, z²), one with it is the mixture M = (1 − q)·N(0, z²) + q·N(1, z²), both in units of the
 * greatest norm. `remove` is the loss of M against N, ln(1 − q + q·exp((2x − 1)/2z²)), which grows with x from ln(1 − q) up;
 * `add` is that of N against M, the same with the other sign. (Zhu, Dong, Wang, Optimal Accounting of Differential Privacy via
 * Characteristic Function, 2022: this pair dominates every pair of neighbours, in any dimension.)
 */
import { connectTheDots, type LossGrid } from './loss-grid.ts';
import { normalTail } from './normal-distribution.ts';

export type Direction = 'remove' | 'add';

export interface SampledGaussian {
  /** z: the standard deviation of the noise, divided by the greatest norm of what one unit adds. */
  readonly noiseMultiplier: number;
  /** q: the probability with which a unit takes part. */
  readonly sampling: number;
}

/** The least δ for which one round is (ε, δ)-differentially private in this direction; ε may be negative. */
export function sampledGaussianDelta(
  { noiseMultiplier, sampling }: SampledGaussian,
  direction: Direction,
  epsilon: number,
): number {
  // Where the loss reaches ε, or for `add` −ε: there the densities' ratio changes from one side of e^ε to the other.
  const x = outcomeOf({ noiseMultiplier, sampling }, direction === 'remove' ? epsilon : -epsilon);
  const without = x / noiseMultiplier;
  const withUnit = (x - 1) / noiseMultiplier;
  if (direction === 'remove') {
    // P(M above x) − e^ε·P(N above x); in the whole range, 1 − e^ε. e^ε·0 beyond the doubles is 0.
    const rest = normalTail(without);
    return clamped(sampling * normalTail(withUnit) - (rest === 0 ? 0 : (Math.expm1(epsilon) + sampling) * rest));
  }
  // P(N below x) − e^ε·P(M below x).
  const below = normalTail(-without);
  if (below === 0) return 0;
  return clamped(below - Math.exp(epsilon) * ((1 - sampling) * below + sampling * normalTail(-withUnit)));
}

/** The outcomes beyond this many standard deviations are charged as a whole: their probability is less than 2^-70. */
const REACH = 9.7;

/** The points of the grid: whole multiples of the interval, both included. */
export interface GridBounds {
  readonly interval: number;
  readonly first: number;
  readonly last: number;
}

/** The grid that holds the losses of all outcomes but those beyond `REACH`. */
export function gridBounds(mechanism: SampledGaussian, interval: number): GridBounds {
  const reach = REACH * mechanism.noiseMultiplier;
  return {
    interval,
    first: Math.floor(lossOf(mechanism, -reach) / interval),
    last: Math.ceil(lossOf(mechanism, 1 + reach) / interval),
  };
}

/**
 * The losses of one round on a grid, pessimistic, for `remove` and for `add`; `bounds` are those of `remove`, and the grid of
 * `add` is its mirror image.
 */
export function sampledGaussianLosses(mechanism: SampledGaussian, bounds: GridBounds): [LossGrid, LossGrid] {
  const { interval, first, last } = bounds;
  const { noiseMultiplier, sampling } = mechanism;
  // Cell c lies below the point first + c, and the last one above all points.
  const cells = last - first + 2;
  const n = new Float64Array(cells);
  const m = new Float64Array(cells);
  let from = -Infinity;
  let [fromN, fromM] = [0, 0];
  for (let cell = 0; cell < cells; cell++) {
    const to = cell === cells - 1 ? Infinity : outcomeOf(mechanism, (first + cell) * interval);
    const toN = nearTail(to / noiseMultiplier);
    const toM = nearTail((to - 1) / noiseMultiplier);
    const without = fromN - toN + (from <= 0 && to > 0 ? 1 : 0);
    const withUnit = fromM - toM + (from <= 1 && to > 1 ? 1 : 0);
    n[cell] = Math.max(0, without);
    m[cell] = Math.max(0, (1 - sampling) * without + sampling * withUnit);
    [from, fromN, fromM] = [to, toN, toM];
  }
  return [
    connectTheDots({ interval, first, upper: m, lower: n }),
    connectTheDots({ interval, first: -last, upper: n.toReversed(), lower: m.toReversed() }),
  ];
}

/**
 * The tail beyond x on the side of x where it is small, negative on the left: its differences are probabilities of intervals, as
 * exact far out as in the middle, but for the interval with 0 in it, which lacks 1.
 */
function nearTail(x: number): number {
  return x > 0 ? normalTail(x) : -normalTail(-x);
}

/** The loss of the outcome x in the direction `remove`. */
function lossOf({ noiseMultiplier, sampling }: SampledGaussian, x: number): number {
  const full = (x - 0.5) / noiseMultiplier ** 2;
  // ln(1 − q + q·e^full), without overflow and without losing what is small.
  if (sampling === 1) return full;
  return full > 1
    ? full + Math.log(sampling + (1 - sampling) * Math.exp(-full))
    : Math.log1p(sampling * Math.expm1(full));
}

/** The outcome with this loss in the direction `remove`; −∞ where every outcome loses more. */
function outcomeOf({ noiseMultiplier, sampling }: SampledGaussian, loss: number): number {
  return 0.5 + noiseMultiplier ** 2 * fullLossOf(sampling, loss);
}

/** ln((e^loss − 1 + q)/q): what the loss would be if the unit had certainly taken part. */
function fullLossOf(sampling: number, loss: number): number {
  if (sampling === 1) return loss;
  if (loss > 1) return loss + Math.log((1 - (1 - sampling) * Math.exp(-loss)) / sampling);
  const ratio = Math.expm1(loss) / sampling;
  return ratio > -1 ? Math.log1p(ratio) : -Infinity;
}

function clamped(probability: number): number {
  return Math.min(1, Math.max(0, probability));
}

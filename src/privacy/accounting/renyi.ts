/**
 * Rényi differential privacy at integer orders: the Gaussian and the discrete Gaussian with Poisson sampling, over rounds.
 *
 * Mironov, Talwar, Zhang 2019, "Rényi Differential Privacy of the Sampled Gaussian Mechanism": Theorem 4 reduces a sum of
 * vectors to one dimension, Theorem 5 shows that of the two directions the one below is the greater, and Section 3.3 gives it for
 * an integer order α, noise multiplier z and sampling probability q:
 *
 *     (α−1)·ε(α) = ln Σ C(α,k)·(1−q)^(α−k)·q^k·exp((k²−k)/2z²),   k = 0 … α.
 *
 * It holds for the discrete Gaussian too. The sum is Σ C(α,k)(1−q)^(α−k)q^k·E[L^k], where L is the ratio of the noise moved by
 * one unit's vector to the noise itself, and E[L^k] ≤ exp((k²−k)/2z²) for moves on the integer grid (Canonne, Kamath, Steinke
 * 2020, Theorem 14). What Theorem 5 asks for, a reflection that exchanges noise and moved noise, keeps the grid.
 *
 * Neighbours differ by one unit that is there or not (its vector zero). Divergences add up over rounds, each of which may be
 * chosen by what the earlier ones released (Mironov 2017, Proposition 1).
 */
import { SealsumError } from '../../errors.ts';
import { type NoisyRounds, requireDelta, requireNoisyRounds, requireRounds } from './parameters.ts';
import { ROUNDING, rounding, sum } from './rounding.ts';

/** An upper bound on the Rényi divergence of an order between neighbours. */
export interface RenyiDivergence {
  readonly order: number;
  readonly divergence: number;
}

/** The greatest integer order of `sampledGaussianDivergence`: up to it every binomial coefficient fits a double. */
const GREATEST_ORDER = 1024;

/** Every order from 2 to 256, then ever fewer up to 1024: the best ε lies at a low one unless there is hardly any loss. */
export const RENYI_ORDERS: readonly number[] = [
  ...Array.from({ length: 255 }, (_, index) => index + 2),
  ...[320, 384, 448, 512, 640, 768, GREATEST_ORDER],
];

/**
 * The divergence of one round at an integer order from 2 to 1024, rounded upwards.
 *
 * Ranges as in `NoisyRounds`. Throws `privacy_invalid`.
 */
export function sampledGaussianDivergence(order: number, noiseMultiplier: number, sampling: number): number {
  requireNoisyRounds({ noiseMultiplier, sampling, rounds: 1 });
  if (!Number.isInteger(order) || order < 2 || order > GREATEST_ORDER) {
    const expected = `a whole number from 2 to ${GREATEST_ORDER}`;
    throw new SealsumError('privacy_invalid', `order: expected ${expected}, got ${order}`, { field: 'order' });
  }
  return divergenceOf(order, noiseMultiplier, sampling, logExcesses(order, noiseMultiplier));
}

/** The divergences of one round at every order of `RENYI_ORDERS`. Ranges as in `NoisyRounds`; throws `privacy_invalid`. */
export function sampledGaussianDivergences(noiseMultiplier: number, sampling: number): RenyiDivergence[] {
  requireNoisyRounds({ noiseMultiplier, sampling, rounds: 1 });
  const excesses = logExcesses(GREATEST_ORDER, noiseMultiplier);
  return RENYI_ORDERS.map((order) => ({
    order,
    divergence: divergenceOf(order, noiseMultiplier, sampling, excesses),
  }));
}

/**
 * The sum above, in logarithms. The binomial weights add up to 1, so Σ weight·exp(x) = 1 + Σ weight·(exp(x) − 1): positive terms
 * only, nothing cancels however little is lost, and those of k = 0 and 1 vanish.
 */
function divergenceOf(order: number, noiseMultiplier: number, sampling: number, excesses: Float64Array): number {
  if (sampling === 1) return (order / 2 / noiseMultiplier / noiseMultiplier) * (1 + ROUNDING);
  const logChosen = Math.log(sampling);
  const logLeft = Math.log1p(-sampling);
  const binomials = logBinomialsOf(order);
  const logs = new Float64Array(order - 1);
  let greatest = -Infinity;
  for (let k = 2; k <= order; k += 1) {
    const binomial = binomials[k] ?? 0;
    const excess = excesses[k] ?? 0;
    const weight = k * logChosen + (order - k) * logLeft;
    const lost = ROUNDING * (3 + binomial - weight + Math.abs(excess));
    const log = binomial + weight + excess + lost;
    logs[k - 2] = log;
    if (log > greatest) greatest = log;
  }
  let scaled = 0;
  for (const log of logs) scaled += Math.exp(log - greatest);
  // Adding and exponentials lose at most one rounding of the sum per term, and the logarithm's own.
  const logSum = greatest + Math.log(scaled) + ROUNDING * Math.abs(greatest) + order * ROUNDING;
  // ln(1 + e^logSum) without overflow, and without losing it where it is small.
  const total = logSum > 0 ? logSum + Math.log1p(Math.exp(-logSum)) : Math.log1p(Math.exp(logSum));
  return (total / (order - 1)) * (1 + ROUNDING);
}

/** ln(exp(x) − 1) for x = (k² − k)/2z² and k = 2 … greatest, without overflow and without losing it where x is small. */
function logExcesses(greatest: number, noiseMultiplier: number): Float64Array {
  return Float64Array.from({ length: greatest + 1 }, (_, k) => {
    const x = (k * (k - 1)) / 2 / noiseMultiplier / noiseMultiplier;
    return x < 1 ? Math.log(Math.expm1(x)) : x + Math.log1p(-Math.exp(-x));
  });
}

/**
 * The least ε that divergences give with δ, and the order it was reached at, as a function of how many rounds lose that much each.
 *
 * The conversion of zcdp.ts (Canonne, Kamath, Steinke 2020, Proposition 12), order by order:
 *
 *     ε = rounds·ε(α) + ln(1 − 1/α) − (ln δ + ln α)/(α − 1).
 *
 * `divergences` has at least one order, all greater than 1; 0 < δ < 1. Rounded upwards. Throws `privacy_invalid`, and so does the
 * function for rounds that are no whole number of at least 1.
 */
export function renyiConversion(
  divergences: readonly RenyiDivergence[],
  delta: number,
): (rounds: number) => { epsilon: number; order: number } {
  requireDelta(delta);
  const logDelta = Math.log(delta);
  const lines = divergences.map(({ order, divergence }) => {
    const terms = [Math.log1p(-1 / order), -logDelta / (order - 1), -Math.log(order) / (order - 1)];
    return { order, slope: divergence * (1 + ROUNDING), offset: sum(terms) + rounding(terms) };
  });
  return (rounds) => {
    requireRounds(rounds);
    let epsilon = Infinity;
    let order = Infinity;
    for (const line of lines) {
      const found = rounds * line.slope + line.offset;
      if (found < epsilon) {
        epsilon = found;
        order = line.order;
      }
    }
    return { epsilon: Math.max(0, epsilon + ROUNDING * Math.abs(epsilon)), order };
  };
}

/** ε over all rounds of the Gaussian or discrete Gaussian with Poisson sampling, rounded upwards, and its order. */
export function epsilonOfSampledGaussian(
  { noiseMultiplier, sampling, rounds }: NoisyRounds,
  delta: number,
): { epsilon: number; order: number } {
  return renyiConversion(sampledGaussianDivergences(noiseMultiplier, sampling), delta)(rounds);
}

const logBinomialRows = new Map<number, Float64Array>();

/**
 * ln C(order, k) for k = 0 … order. Each coefficient loses two roundings per step up to the middle, which is less than
 * `ROUNDING` times its logarithm, since C(order, k) ≥ 2^min(k, order − k).
 */
function logBinomialsOf(order: number): Float64Array {
  const known = logBinomialRows.get(order);
  if (known !== undefined) return known;
  const row = new Float64Array(order + 1);
  let binomial = 1;
  for (let k = 0; 2 * k <= order; k += 1) {
    row[k] = row[order - k] = Math.log(binomial);
    binomial *= (order - k) / (k + 1);
  }
  logBinomialRows.set(order, row);
  return row;
}

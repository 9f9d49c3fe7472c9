/**
 * The privacy loss of the discrete Gaussian on one coordinate: exactly our noise, where the accountants take it for the Gaussian.
 *
 * Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy (2020), Theorem 7. It is about one integer that a unit
 * changes by Δ; a vector of many coordinates has no such formula, so this checks the accountants and replaces none.
 */
import { SealsumError } from '../../errors.ts';
import { composeLosses, connectTheDots, type LossGrid, MOST_POINTS, pointsOf, windowOf } from './loss-grid.ts';
import { requireInRange, requireRounds } from './parameters.ts';
import { lossesTogether, type PrivacyLoss, requireInterval } from './privacy-loss.ts';

export interface IntegerNoise {
  /** σ² of the discrete Gaussian; from 2^-10 to 2^32. */
  readonly variance: number;
  /** Δ: by how much one unit changes the integer; a whole number of at least 1. */
  readonly sensitivity: number;
}

/**
 * The least δ for which one round is (ε, δ)-differentially private, exactly but for rounding (to 1e-12 of itself).
 *
 * 0 ≤ ε ≤ 2^64. Throws `privacy_invalid`.
 */
export function discreteGaussianDelta(noise: IntegerNoise, epsilon: number): number {
  requireIntegerNoise(noise);
  requireInRange('epsilon', epsilon);
  let delta = 0;
  forEachLoss(noise, (loss, probability) => {
    if (loss > epsilon) delta -= Math.expm1(epsilon - loss) * probability;
  });
  return Math.min(1, delta);
}

export interface IntegerRounds extends IntegerNoise {
  /** A whole number of at least 1. */
  readonly rounds: number;
  /** The distance between losses that are told apart, in [1e-9, 1]; 1e-4 unless told. */
  readonly interval?: number | undefined;
  /**
   * How a loss between two points is charged: shared between both so that neither direction is understated, or as the upper one
   * (privacy buckets: Meiser, Mohammadi, Tight on Budget?, 2018), which overstates every round by half an interval.
   */
  readonly discretisation?: 'connect the dots' | 'round up' | undefined;
}

/** The privacy loss of all rounds. Throws `privacy_invalid`. */
export function discreteGaussianPrivacyLoss({
  rounds,
  interval = 1e-4,
  discretisation = 'connect the dots',
  ...noise
}: IntegerRounds): PrivacyLoss {
  requireIntegerNoise(noise);
  requireRounds(rounds);
  requireInterval(interval);
  const once = discretisation === 'round up' ? roundedUp(noise, interval) : connected(noise, interval);
  if (rounds === 1) return lossesTogether([once]);
  // Both directions are alike: a distribution and itself, moved by Δ or by −Δ.
  const window = windowOf(once, rounds);
  requirePoints(pointsOf(window), interval);
  return lossesTogether([composeLosses([once, once], [window, window], rounds)[0]]);
}

function connected(noise: IntegerNoise, interval: number): LossGrid {
  const { first, points } = boundsOf(noise, interval);
  const upper = new Float64Array(points + 1);
  const lower = new Float64Array(points + 1);
  forEachLoss(noise, (loss, probability) => {
    const cell = Math.min(points, Math.max(0, Math.floor(loss / interval) - first + 1));
    upper[cell] = (upper[cell] as number) + probability;
    lower[cell] = (lower[cell] as number) + probability * Math.exp(-loss);
  });
  return connectTheDots({ interval, first, upper, lower });
}

function roundedUp(noise: IntegerNoise, interval: number): LossGrid {
  const { first, points } = boundsOf(noise, interval);
  const probabilities = new Float64Array(points);
  forEachLoss(noise, (loss, probability) => {
    const point = Math.ceil(loss / interval) - first;
    probabilities[point] = (probabilities[point] as number) + probability;
  });
  return { interval, first, probabilities, infinite: 0 };
}

function boundsOf({ variance, sensitivity }: IntegerNoise, interval: number): { first: number; points: number } {
  const reach = reachOf(variance);
  const first = Math.floor((sensitivity * (sensitivity - 2 * reach)) / (2 * variance) / interval);
  const last = Math.ceil((sensitivity * (sensitivity + 2 * reach)) / (2 * variance) / interval);
  requirePoints(last - first + 1, interval);
  return { first, points: last - first + 1 };
}

function requirePoints(points: number, interval: number): void {
  if (points <= MOST_POINTS) return;
  throw new SealsumError('privacy_invalid', `interval: ${interval} needs more than 2^21 losses; choose a longer one`, {
    field: 'interval',
  });
}

/** Beyond this many integers from the middle every probability is less than the least double, or than e^-1000. */
function reachOf(variance: number): number {
  return Math.ceil(45 * Math.sqrt(variance)) + 1;
}

/** Visits the loss and the probability of every outcome, the least probable first. */
function forEachLoss(
  { variance, sensitivity }: IntegerNoise,
  visit: (loss: number, probability: number) => void,
): void {
  const reach = reachOf(variance);
  const weight = (outcome: number): number => Math.exp((-outcome * outcome) / (2 * variance));
  let total = 0;
  for (let outcome = reach; outcome > 0; outcome--) total += 2 * weight(outcome);
  total += 1;
  for (let distance = reach; distance >= 0; distance--) {
    const probability = weight(distance) / total;
    // ln of the law's ratio to itself moved by −Δ.
    visit((sensitivity * (sensitivity + 2 * distance)) / (2 * variance), probability);
    if (distance > 0) visit((sensitivity * (sensitivity - 2 * distance)) / (2 * variance), probability);
  }
}

function requireIntegerNoise({ variance, sensitivity }: IntegerNoise): void {
  if (!(variance >= 2 ** -10 && variance <= 2 ** 32)) {
    throw new SealsumError('privacy_invalid', `variance: expected 2^-10 to 2^32, got ${variance}`, {
      field: 'variance',
    });
  }
  if (!Number.isSafeInteger(sensitivity) || sensitivity < 1) {
    throw new SealsumError(
      'privacy_invalid',
      `sensitivity: expected a whole number of at least 1, got ${sensitivity}`,
      {
        field: 'sensitivity',
      },
    );
  }
}

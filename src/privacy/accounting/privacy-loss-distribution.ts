/**
 * Privacy loss distributions: how much rounds of the Gaussian with Poisson sampling lose, nearly exactly.
 *
 * For information, to see how much the promise overstates; the promise itself is made in exact fractions (zcdp.ts). This is
 * floating point: the discretisation is pessimistic and the truncation is charged, but rounding only as measured, not as proven.
 *
 * Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, Connect the Dots: Tighter Discrete Approximations of Privacy Loss Distributions
 * (2022), composed by Fourier transform (Koskela, Jälkö, Honkela, Computing Tight Differential Privacy Guarantees Using FFT,
 * 2020). Neighbours differ by one unit that is there or not (its vector zero): both directions are computed, the worse counts.
 */
import { composeLosses, type LossGrid, MOST_POINTS, pointsOf, windowOf } from './loss-grid.ts';
import { type NoisyRounds, requireDelta, requireNoisyRounds } from './parameters.ts';
import { lossesTogether, type PrivacyLoss, requireInterval } from './privacy-loss.ts';
import { gridBounds, type SampledGaussian, sampledGaussianLosses } from './sampled-gaussian-losses.ts';

export interface SampledGaussianRounds extends NoisyRounds {
  /**
   * The distance between losses that are told apart, in [1e-9, 1]; 1e-4 unless told. ε grows by up to rounds·interval²/12. It is
   * doubled until no more than 2^21 losses are needed (2^19 in a single round, or without sampling, when all rounds are one),
   * which takes about a second and 100 MB at most. Where one round loses less than the interval, ε is much too large: choose
   * a smaller one. Beyond a loss of 700 in one round it is too large by up to an interval.
   */
  readonly interval?: number | undefined;
}

/** Of a single round, whose error does not multiply. */
const MOST_POINTS_ONCE = 2 ** 19;

/** The privacy loss of all rounds. Ranges as in `SampledGaussianRounds`; throws `privacy_invalid`. */
export function privacyLoss({
  noiseMultiplier,
  sampling,
  rounds,
  interval = 1e-4,
}: SampledGaussianRounds): PrivacyLoss {
  requireNoisyRounds({ noiseMultiplier, sampling, rounds });
  requireInterval(interval);
  // Without sampling all rounds together are one Gaussian (Dong, Roth, Su, Gaussian Differential Privacy, 2019, Corollary 3.3).
  const grids =
    sampling === 1
      ? [lossesOfRound({ noiseMultiplier: noiseMultiplier / Math.sqrt(rounds), sampling }, interval)[0]]
      : lossesOfRounds({ noiseMultiplier, sampling }, rounds, interval);
  return lossesTogether(grids);
}

/** ε of all rounds for δ. Ranges as in `SampledGaussianRounds`; throws `privacy_invalid`. */
export function epsilonOfPrivacyLoss(options: SampledGaussianRounds & { readonly delta: number }): { epsilon: number } {
  requireDelta(options.delta);
  return { epsilon: privacyLoss(options).epsilon(options.delta) };
}

type Both = readonly [remove: LossGrid, add: LossGrid];

/** The losses of one round in both directions, on the finest grid that is no finer than asked for and not too large. */
function lossesOfRound(mechanism: SampledGaussian, interval: number): Both {
  const bounds = gridBounds(mechanism, interval);
  const points = bounds.last - bounds.first + 1;
  if (points > MOST_POINTS_ONCE) return lossesOfRound(mechanism, coarser(interval, points / MOST_POINTS_ONCE));
  return sampledGaussianLosses(mechanism, bounds);
}

function lossesOfRounds(mechanism: SampledGaussian, rounds: number, interval: number): Both {
  const once = lossesOfRound(mechanism, interval);
  if (rounds === 1) return once;
  const windows = [windowOf(once[0], rounds), windowOf(once[1], rounds)] as const;
  const points = Math.max(...windows.map(pointsOf));
  if (points > MOST_POINTS) return lossesOfRounds(mechanism, rounds, coarser(once[0].interval, points / MOST_POINTS));
  return composeLosses(once, windows, rounds);
}

/** The interval doubled until it is at least `times` as long. */
function coarser(interval: number, times: number): number {
  return interval * 2 ** Math.max(1, Math.ceil(Math.log2(times)));
}

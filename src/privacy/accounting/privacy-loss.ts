/** What rounds lose, once it has been worked out: ε for any δ and δ for any ε, the worse of the directions. */
import { SealsumError } from '../../errors.ts';
import { deltaAt, epsilonAt, type LossGrid } from './loss-grid.ts';
import { requireDelta, requireInRange } from './parameters.ts';

export interface PrivacyLoss {
  /** The distance between the losses that were told apart. */
  readonly interval: number;
  /**
   * The least ε for δ, 0 < δ < 1; Infinity where δ is below what was charged for truncation and rounding, about
   * (10 + rounds)·1e-16. Throws `privacy_invalid`.
   */
  epsilon(delta: number): number;
  /** The least δ for ε, 0 ≤ ε ≤ 2^64. Throws `privacy_invalid`. */
  delta(epsilon: number): number;
}

/** The loss that holds whichever direction's grid is the true one. */
export function lossesTogether(grids: readonly LossGrid[]): PrivacyLoss {
  return {
    interval: Math.max(...grids.map(({ interval }) => interval)),
    epsilon: (delta) => {
      requireDelta(delta);
      return Math.max(...grids.map((grid) => epsilonAt(grid, delta)));
    },
    delta: (epsilon) => {
      requireInRange('epsilon', epsilon);
      return Math.max(...grids.map((grid) => deltaAt(grid, epsilon)));
    },
  };
}

/** Throws `privacy_invalid` unless the interval of a grid lies in [1e-9, 1]. */
export function requireInterval(interval: number): void {
  if (interval >= 1e-9 && interval <= 1) return;
  throw new SealsumError('privacy_invalid', `interval: expected a number from 1e-9 to 1, got ${interval}`, {
    field: 'interval',
  });
}

/**
 * Stops a training whose loss on records that it is not trained on no longer falls, and keeps the parameters that had the least
 * (Prechelt 1998, section 1): an improvement is one by more than `minimum_improvement` over the last that counted as one.
 */
import type { Metrics } from './metrics.ts';
import type { EarlyStoppingSettings, ValidationSettings } from './model-types.ts';

/** What was best so far. */
export interface Kept {
  readonly parameters: readonly number[];
  readonly metrics: Metrics;
  /** Updates after which they were so. */
  readonly round: number;
}

/** Plain data for JSON. */
export interface EarlyStoppingState {
  readonly kept: Kept | null;
  /** Rounds since then. */
  readonly stale: number;
}

export interface EarlyStopping {
  /** Undefined before the first round. */
  readonly kept: Kept | undefined;
  /**
   * Takes what a round told of the parameters that it was asked with.
   *
   * @returns whether to stop
   */
  note(evaluated: { readonly parameters: Float64Array; readonly metrics: Metrics; readonly round: number }): boolean;
  state(): EarlyStoppingState;
}

/** Undefined where nothing is held out, or where what is held out ends nothing. */
export function earlyStoppingOf(
  validation: ValidationSettings | undefined,
  state?: EarlyStoppingState,
): EarlyStopping | undefined {
  return validation === undefined || 'fold' in validation ? undefined : createEarlyStopping(validation, state);
}

function createEarlyStopping(settings: EarlyStoppingSettings, state?: EarlyStoppingState): EarlyStopping {
  let kept = state?.kept ?? undefined;
  let stale = state?.stale ?? 0;
  return {
    get kept() {
      return kept;
    },
    note({ parameters, metrics, round }) {
      const { validation_loss: loss = Number.NaN } = metrics;
      const { validation_loss: least = Number.POSITIVE_INFINITY } = kept?.metrics ?? {};
      if (kept === undefined || loss < least - settings.minimum_improvement) {
        kept = { parameters: [...parameters], metrics, round };
        stale = 0;
      } else stale += 1;
      return stale >= settings.patience;
    },
    state: () => ({ kept: kept ?? null, stale }),
  };
}

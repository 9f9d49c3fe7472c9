/** How many a round asks, where it does not ask everybody; who they are is drawn anew for every round. */
export interface Sampling {
  /** The fraction of the owners who are ready that a round asks, 0 to 1. */
  readonly fractionFit: number;
  /** The least number of owners that a round asks. */
  readonly minFitClients: number;
}

/** How many of the owners who are ready a round asks: Flower's num_fit_clients(), rounded down. */
export function sampleSize({ fractionFit, minFitClients }: Sampling, ready: number): number {
  return Math.min(ready, Math.max(Math.trunc(ready * fractionFit), minFitClients));
}

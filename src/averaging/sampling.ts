/** Whom a round asks, where it does not ask everybody: so many of those who are ready, drawn anew for every round. */
import { type RandomBytes, randomBelow } from '../paillier/random.ts';

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

/** So many of them, every subset of that size as likely as any other: the first steps of a shuffle (Fisher and Yates). */
export function sampleOwners<Owner>(ready: readonly Owner[], size: number, random: RandomBytes): Owner[] {
  const owners = [...ready];
  for (let index = 0; index < size; index += 1) {
    const chosen = index + Number(randomBelow(BigInt(owners.length - index), random));
    [owners[index], owners[chosen]] = [owners[chosen] as Owner, owners[index] as Owner];
  }
  return owners.slice(0, size);
}

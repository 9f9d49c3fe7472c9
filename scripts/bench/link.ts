/** How long an aggregation takes on links of a given rate: computed, from what it takes on one core and from its bytes. */
import type { Phases, Traffic } from './contender.ts';

/** Mbit/s. */
export const linkRates: readonly number[] = [10, 100, 1000];

/** The model in one line, for people. */
export const linkModel: string =
  'end to end: owners seal and send at once, each on a link of its own; all contributions pass one after the other through ' +
  "the facilitator's link of the same rate; then fold, the sum to the model owner, open; no latency, nothing overlaps";

/** Seconds from the owners' start until the model owner has the sum, at a rate in Mbit/s. */
export function endToEnd(phases: Phases, traffic: Traffic, owners: number, rate: number): number {
  const computing = (phases.seal_ms + phases.fold_ms + phases.open_ms) / 1000;
  const bytes = owners * traffic.contribution + traffic.aggregate;
  return computing + (8 * bytes) / (rate * 1e6);
}

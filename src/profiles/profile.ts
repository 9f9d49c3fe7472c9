/**
 * Aggregation profiles: what stands between a program's own things and the vectors that are summed, in four steps.
 *
 *     prepare → encode → (the secure sum, as aggregate says) → decode
 */
import type { Client } from '../vector-sum/client.ts';
import type { Submission, SubmitOptions } from '../vector-sum/client-options.ts';
import type { VectorSumOptions } from '../vector-sum/controller.ts';
import type { DecodedSum } from '../vector-sum/fixed-point-vector.ts';
import type { JobReference, RoundReference } from '../vector-sum/references.ts';
import type { CollectedSum, SumRound } from '../vector-sum/vector-sum-job.ts';

/** What a job must be for vectors of a profile; the other options of createJob() are the caller's. */
export type AggregateOptions = Pick<VectorSumOptions, 'length' | 'bits' | 'bound' | 'norm' | 'maxWeight'>;

/**
 * How a program's own things become vectors, and what is summed of them such things again.
 *
 * @typeParam Given what an owner gives
 * @typeParam Prepared the same, checked, and as the profile keeps it
 * @typeParam Aggregated what comes of the sum
 */
export interface AggregationProfile<Given, Prepared, Aggregated> {
  /** Checks what an owner gives, and copies it. @throws SealsumError naming what is wrong: nothing is charged or sent then */
  prepare(given: Given): Prepared;
  /** As many values as aggregate() says. */
  encode(prepared: Prepared): Float64Array;
  /** What the job must be. */
  aggregate(): AggregateOptions;
  /** What the sum of such vectors means. */
  decode(sum: DecodedSum): Aggregated;
}

/**
 * Contributes what an owner gives to an open round: prepared, encoded, and then as by client.submit(), to a job that is as the
 * profile says and to no other.
 *
 * @throws SealsumError as the profile's prepare(), plan_mismatch for a job that is otherwise; as client.submit()
 */
export async function submitAs<Given, Prepared>(
  profile: AggregationProfile<Given, Prepared, unknown>,
  client: Client,
  job: JobReference,
  round: RoundReference,
  given: Given,
  options: Omit<SubmitOptions, 'expects'> = {},
): Promise<Submission> {
  const vector = profile.encode(profile.prepare(given));
  const { maxWeight, ...expects } = profile.aggregate();
  const max_weight = maxWeight === undefined ? {} : { max_weight: maxWeight };
  return await client.submit(job, round, vector, { ...options, expects: { ...expects, ...max_weight } });
}

/** What was aggregated, beside the sum that it was decoded of. @throws SealsumError as round.collect() */
export async function collectAs<Aggregated>(
  profile: AggregationProfile<never, unknown, Aggregated>,
  round: SumRound,
  options: { readonly signal?: AbortSignal } = {},
): Promise<{ readonly aggregated: Aggregated; readonly collected: CollectedSum }> {
  const collected = await round.collect(options);
  return { aggregated: profile.decode(collected), collected };
}

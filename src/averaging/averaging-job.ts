/**
 * Federated averaging as a model owner has it: rounds bring the parameters of a model to the owners who are asked, each trains on
 * its own records, and what comes back is the average of what they made of it, weighted by their examples, and nothing else.
 *
 *     const averaging = await createAveragingJob(controller, { initial, rounds: 10, strategy: fedAdam() });
 *     for (let round = 0; round < 10; round += 1) console.log((await averaging.next()).weight);
 *
 * The sum is a vector sum (src/vector-sum) of [w, w·values]; owners take part by participate().
 */
import { SealsumError } from '../errors.ts';
import { type RandomBytes, randomSubset, systemRandom } from '../paillier/random.ts';
import type { PrivacyStatement } from '../privacy/statement.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { JobOutcome, OwnerView } from '../protocol/job-messages.ts';
import type { SignedManifest } from '../protocol/round-messages.ts';
import type { Controller } from '../vector-sum/controller.ts';
import type { VectorSum } from '../vector-sum/document.ts';
import type { CollectedSum, SumRound } from '../vector-sum/vector-sum-job.ts';
import { averagedModelOf, type NamedNumbers, numbersOf, valuesOf } from './averaged-model.ts';
import { type AveragingOptions, averagingTerms } from './options.ts';
import { sampleSize } from './sampling.ts';
import { fedAvg, type StrategyMemory } from './strategies.ts';
import type { NamedTensors, TensorLayout } from './tensors.ts';

/** What a round made of the model. */
export interface AveragedRound {
  /** Counted from 1; rounds that were abandoned count. */
  readonly number: number;
  /** Whom the round asked, and who of them contributed. */
  readonly asked: readonly OwnerId[];
  readonly contributors: readonly OwnerId[];
  /** The contributors' weights together. */
  readonly weight: number;
  /** The weighted average of the tensors that are averaged. */
  readonly average: NamedTensors;
  /** The whole model after the round, as the strategy leaves it. */
  readonly parameters: NamedTensors;
  /** The weighted averages of the job's metrics. */
  readonly metrics: NamedNumbers;
  readonly privacy: PrivacyStatement;
  /** The facilitator's, of which every line is signed by its owner. */
  readonly manifest: SignedManifest;
}

/**
 * A federated averaging that runs: the model, and one round after the other. Ends with `await using` or its dispose.
 */
export interface AveragingJob extends AsyncDisposable {
  readonly id: JobId;
  /** The document of the vector sum, with every default. */
  readonly sum: VectorSum;
  /** Who may take part, and what each of them has said. */
  readonly owners: () => readonly OwnerView[];
  /** What is promised, and what was spent of it. */
  readonly privacy: () => PrivacyStatement;
  /** The whole model as it is now; copies. */
  parameters(): NamedTensors;
  /** What the strategy remembers now, for a job after this one. */
  memory(): StrategyMemory;
  /**
   * One round: asks owners who are ready, waits for what they give, and updates the model. Where it fails the model stays as it
   * is. After facilitator_unreachable or aborted the same round goes on; after any other failure the next call opens another.
   *
   * @throws SealsumError weight_zero: nobody has any examples; round_abandoned: too few owners gave anything; owners_too_few;
   *   number_not_finite naming a tensor that the strategy has left beyond doubles; round_open while another call is under way;
   *   privacy_invalid after the last round; and as startRound() and collect() of a vector sum
   */
  next(options?: { readonly signal?: AbortSignal }): Promise<AveragedRound>;
  /** Tells the facilitator that the job is over, and forgets its keys; `finished` unless told. */
  end(outcome?: JobOutcome): Promise<void>;
}

/** What `createAveragingJob` needs of its surroundings. */
export interface AveragingDependencies {
  /** Of which round which owners are asked is drawn from it; the operating system's generator unless given. */
  readonly random?: RandomBytes;
  readonly signal?: AbortSignal;
}

/**
 * Proposes a job to the owners of its roster: a vector sum that says which tensors are averaged.
 *
 * @throws SealsumError model_invalid naming the option; data_invalid, number_not_finite and number_out_of_bounds naming the tensor;
 *   owners_too_few; and as createJob()
 */
export async function createAveragingJob(
  controller: Controller,
  options: AveragingOptions,
  { random = systemRandom, signal }: AveragingDependencies = {},
): Promise<AveragingJob> {
  const terms = averagingTerms(options, controller.rosterOf(options.roster).length);
  const { whole, layout, minFitClients, fractionFit, leastReady } = terms;
  const { strategy = fedAvg(), configure } = options;
  const job = await controller.createJob(terms.sum, signal === undefined ? {} : { signal });
  const { averaging } = averagedModelOf(job.sum);
  let model = whole.unflatten(whole.flatten(options.initial));
  let memory: StrategyMemory = (options.memory ?? []).map((values) => values.slice());
  /** The number of the newest round that was opened. */
  let newest = 0;
  /** What the next round brings, once it is fixed: what was signed once is not signed otherwise. */
  let brings: Float64Array | undefined;
  let open: SumRound | undefined;
  let busy = false;

  async function next(until: { readonly signal?: AbortSignal }): Promise<AveragedRound> {
    const parameters = averagedOf(layout, model);
    if (open?.isOver() !== false) {
      brings ??= joined(parameters, valuesOf('settings', averaging.settings, configure?.(newest + 1) ?? {}));
      const size = (ready: number): number => sampleSize({ fractionFit, minFitClients }, ready);
      open = await job.startRound({
        ...until,
        parameters: brings,
        ...(leastReady === undefined ? {} : { leastReady }),
        choose: (ready) => randomSubset(ready, size(ready.length), random),
      });
      brings = undefined;
      newest = open.number;
    }
    return absorb(open, parameters, await open.collect(until));
  }

  function absorb(round: SumRound, parameters: Float64Array, collected: CollectedSum): AveragedRound {
    const { mean, weight, contributors, privacy, manifest } = collected;
    const given = mean.subarray(0, layout.length);
    const average =
      averaging.sends === 'parameters' ? given : parameters.map((value, index) => value + at(given, index));
    const result = strategy({ round: round.number, parameters, average, memory });
    requireFinite(layout, result.parameters);
    model = new Map([...model, ...layout.unflatten(result.parameters)]);
    memory = [...result.memory];
    return {
      number: round.number,
      asked: round.roster,
      contributors,
      weight,
      average: layout.unflatten(average),
      parameters: copyOf(whole, model),
      metrics: numbersOf(averaging.metrics, mean.subarray(layout.length)),
      privacy,
      manifest,
    };
  }

  return {
    id: job.id,
    sum: job.sum,
    owners: job.owners,
    privacy: job.privacy,
    parameters: () => copyOf(whole, model),
    memory: () => memory.map((values) => values.slice()),
    next: async (until = {}) => {
      if (busy)
        throw new SealsumError('round_open', 'next: a round is under way; wait for what it gives', { field: 'round' });
      busy = true;
      try {
        return await next(until);
      } finally {
        busy = false;
      }
    },
    end: (outcome) => job.end(outcome),
    [Symbol.asyncDispose]: () => job.end(),
  };
}

function averagedOf(layout: TensorLayout, model: NamedTensors): Float64Array {
  return layout.flatten(new Map([...model].filter(([name]) => layout.place(name) !== undefined)));
}

function copyOf(whole: TensorLayout, model: NamedTensors): NamedTensors {
  return whole.unflatten(whole.flatten(model));
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function at(values: Float64Array, index: number): number {
  return values[index] as number;
}

function requireFinite(layout: TensorLayout, values: Float64Array): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return;
  const field = layout.fieldOf(index);
  throw new SealsumError('number_not_finite', `${field} is NaN or infinite after the round: take smaller steps`, {
    field,
  });
}

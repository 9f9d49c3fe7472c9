/**
 * Federated averaging as a data owner has it: a function that trains on this owner's records, asked once a round.
 *
 *     await participate({ client, job, train: (model) => ({ parameters: fit(model, records), weight: records.length }) });
 *
 * What the job averages and how is in its signed document; nothing of it need be told. What was clipped is told here alone.
 */
import { type ErrorCode, SealsumError } from '../errors.ts';
import type { SignedReceipt } from '../protocol/round-messages.ts';
import type { Client } from '../vector-sum/client.ts';
import type { VectorSum } from '../vector-sum/document.ts';
import type { JobReference } from '../vector-sum/references.ts';
import { type AveragedModel, averagedModelOf, type NamedNumbers, numbersOf, valuesOf } from './averaged-model.ts';
import { clip } from './clip.ts';
import { layoutOf, type NamedTensors, type TensorLayout } from './tensors.ts';

/** What a training is told beside the parameters. */
export interface TrainingContext {
  readonly round: number;
  /** What the round brings, such as localEpochs. */
  readonly settings: NamedNumbers;
  /** Fires when nobody waits for the training any longer. */
  readonly signal: AbortSignal | undefined;
}

/** What a training gives. */
export interface Trained {
  /** At least what the job averages; of the owner's other tensors those that have changed. */
  readonly parameters: NamedTensors;
  /**
   * How many examples it was trained on: a whole number from 0 to the job's max_weight. Where that is 1, as with privacy, it may be
   * left out.
   */
  readonly weight?: number;
  /** What the job averages beside the tensors, such as a loss; no others. */
  readonly metrics?: NamedNumbers;
}

/**
 * One local training: from the round's parameters to this owner's, with its weight. What it throws ends taking part.
 */
export type Train = (parameters: NamedTensors, context: TrainingContext) => Trained | Promise<Trained>;

/** What a round took of this owner. */
export interface GivenRound {
  readonly round: number;
  readonly outcome: 'given';
  readonly weight: number;
  /** Which fraction of each tensor's values was beyond the clipping range and was cut off; empty where there is a norm. */
  readonly clipped: ReadonlyMap<string, number>;
  /** The names of the metrics that were cut off. */
  readonly clippedMetrics: readonly string[];
  /** Where there is a norm: the L2 norm of the update, and whether it was shortened to the job's. */
  readonly norm: number;
  readonly shortened: boolean;
  readonly receipt: SignedReceipt;
}

/** A round that was over before this owner's part of it came. */
export interface MissedRound {
  readonly round: number;
  readonly outcome: 'missed';
  readonly reason: SealsumError;
}

/** How a data owner takes part in a federated averaging. */
export interface ParticipateOptions {
  readonly client: Client;
  readonly job: JobReference;
  readonly train: Train;
  /**
   * This owner's whole model before its first round: what the job averages must be in it with the same shape, and what it does
   * not average stays here, as the last training that a round took has left it. The tensors that are averaged unless given.
   */
  readonly model?: NamedTensors;
  /** Told of every round that asked this owner. */
  readonly onRound?: (round: GivenRound | MissedRound) => void;
  readonly signal?: AbortSignal;
}

/** What became of taking part, once the job is over. */
export interface ParticipationSummary {
  /** How many rounds took what was given, and how many were over before. */
  readonly given: number;
  readonly missed: number;
  /** This owner's whole model: of what is averaged, what its last training gave. */
  readonly model: NamedTensors;
}

/**
 * Takes part in every round that asks this owner, until the job is over.
 *
 * @throws SealsumError model_invalid for a job that does not average tensors; plan_mismatch naming the tensor that the owner's
 *   model has not, or in another shape; data_invalid, number_not_finite and number_out_of_bounds naming the tensor, metric or weight
 *   that the training gave, before anything is charged or sent: called again, it is asked for the same round again; whatever
 *   `train` throws; policy_refused, aborted, and as join() and submit() of a client
 */
export async function participate(options: ParticipateOptions): Promise<ParticipationSummary> {
  const { client, job, onRound = () => undefined, signal } = options;
  const limit = signal === undefined ? {} : { signal };
  const { sum } = await client.privacyOf(job, undefined, limit);
  const averaged = averagedModelOf(sum);
  const own = createOwnModel(averaged.layout, options.model);
  let [given, missed, round] = [0, 0, 0];
  for (;;) {
    try {
      round = await client.nextRound(job, { after: round, ...limit });
    } catch (error) {
      if (isOf(error, ['job_ended'])) return { given, missed, model: own.now() };
      throw error;
    }
    const became = await takePart({ ...options, sum, averaged, own }, round).catch((reason: unknown): MissedRound => {
      if (isOf(reason, missedCodes)) return { round, outcome: 'missed', reason };
      throw reason;
    });
    if (became.outcome === 'given') given += 1;
    else missed += 1;
    onRound(became);
  }
}

/** What is said to an owner whose part of a round came too late. */
const missedCodes: readonly ErrorCode[] = ['round_closed', 'round_abandoned', 'job_ended'];

interface TakingPart extends ParticipateOptions {
  readonly sum: VectorSum;
  readonly averaged: AveragedModel;
  readonly own: OwnModel;
}

async function takePart(
  { client, job, train, signal, sum, averaged: { averaging, layout }, own }: TakingPart,
  round: number,
): Promise<GivenRound> {
  const limit = signal === undefined ? {} : { signal };
  const brought = await client.parametersOf(job, round, limit);
  const before = brought.subarray(0, layout.length);
  const settings = numbersOf(averaging.settings, brought.subarray(layout.length));
  const trained = await train(own.with(layout.unflatten(before)), { round, settings, signal });
  const { weight, metrics = {} } = requireTrained(trained, sum);
  const after = own.averagedOf(trained.parameters);
  const values = averaging.sends === 'parameters' ? after : after.map((value, index) => value - (before[index] ?? 0));
  const bound = sum.bound ?? Number.POSITIVE_INFINITY;
  const { values: within, fractions } = clip(layout, values, bound);
  const measured = valuesOf('metrics', averaging.metrics, metrics);
  const vector = new Float64Array(sum.length);
  vector.set(within);
  vector.set(
    measured.map((value) => Math.min(bound, Math.max(-bound, value))),
    layout.length,
  );
  const { receipt, norm, clipped } = await client.submit(job, round, vector, { weight, ...limit });
  own.keep(trained.parameters);
  return {
    round,
    outcome: 'given',
    weight,
    clipped: sum.bound === undefined ? new Map() : fractions,
    clippedMetrics: averaging.metrics.filter((_, index) => Math.abs(measured[index] ?? 0) > bound),
    norm,
    shortened: clipped,
    receipt,
  };
}

/** With its weight, which is a matter of course where all owners weigh alike. */
function requireTrained(given: unknown, { max_weight }: VectorSum): Trained & { readonly weight: number } {
  const trained = given as Trained | null | undefined;
  const weight = trained?.weight ?? (max_weight === 1 ? 1 : undefined);
  if (typeof trained === 'object' && trained !== null && weight !== undefined) return { ...trained, weight };
  throw new SealsumError('data_invalid', 'train: expected { parameters, weight } from it, the weight its examples', {
    field: trained?.parameters === undefined ? 'train' : 'weight',
  });
}

/** An owner's model: what is averaged comes anew with every round, the rest stays. */
interface OwnModel {
  with(averaged: NamedTensors): NamedTensors;
  /** The values that are averaged, of what a training gave. @throws SealsumError data_invalid, number_not_finite */
  averagedOf(trained: NamedTensors): Float64Array;
  keep(trained: NamedTensors): void;
  now(): NamedTensors;
}

function createOwnModel(layout: TensorLayout, given: NamedTensors | undefined): OwnModel {
  const whole = given === undefined ? layout : layoutOf(given);
  for (const { name, shape } of layout.places) {
    const mine = whole.place(name);
    if (mine !== undefined && mine.shape.join() === shape.join()) continue;
    const field = `tensor ${JSON.stringify(name)}`;
    const why = mine === undefined ? 'is not in the model' : `has the shape [${mine.shape.join(', ')}]`;
    throw new SealsumError('plan_mismatch', `${field} ${why}, the job averages it as [${shape.join(', ')}]`, { field });
  }
  let model: NamedTensors = given === undefined ? new Map() : whole.unflatten(whole.flatten(given));
  return {
    with: (averaged) => copyOf(whole, new Map([...model, ...averaged])),
    averagedOf: (trained) => {
      // What the training did not give has not changed, unless it is what the job asks for.
      const unchanged = [...model].filter(([name]) => layout.place(name) === undefined);
      whole.flatten(trained instanceof Map ? new Map([...unchanged, ...trained]) : trained);
      return layout.flatten(new Map([...trained].filter(([name]) => layout.place(name) !== undefined)));
    },
    keep: (trained) => {
      model = copyOf(whole, new Map([...model, ...trained]));
    },
    now: () => (model.size === 0 ? model : copyOf(whole, model)),
  };
}

function copyOf(whole: TensorLayout, model: NamedTensors): NamedTensors {
  return whole.unflatten(whole.flatten(model));
}

function isOf(error: unknown, codes: readonly ErrorCode[]): error is SealsumError {
  return error instanceof SealsumError && codes.includes(error.code);
}

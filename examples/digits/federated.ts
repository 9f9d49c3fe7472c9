/**
 * Training by sums: the model owner sends parameters, every data owner answers with the sums over its own records of a function
 * that it was given, and all that the model owner learns of a round is the sum of these. Any gradient will do: nothing here knows
 * what is trained.
 *
 *     model owner                            facilitator                      data owners
 *         │  round r: parameters, signed          │                               │
 *         ├──────────────────────────────────────►├──────────────────────────────►│
 *         │                                       │     [gradient, loss, count]   │  over its own records,
 *         │                                       │◄──────────────────────────────┤  encrypted
 *         │   one encrypted sum                   │                               │
 *         │◄──────────────────────────────────────┤                               │
 *         │  decrypts, divides by the count, takes a step                         │
 */
import {
  type Client,
  type Controller,
  createOptimiser,
  type Expected,
  SealsumError,
  type VectorSumJob,
  type VectorSumOptions,
} from '../../src/index.ts';

/** Sums over records: a value for each parameter, then the loss, then how many records they are. */
export type Gradient = (parameters: Float64Array) => Float64Array;

/** The same of all owners together. */
export type SumOfAll = (parameters: Float64Array) => Promise<Float64Array>;

export interface Descent {
  readonly rounds: number;
  readonly learningRate: number;
  /** Told after every round: the loss before its step, per record, and the parameters after it. */
  readonly onRound?: (round: number, loss: number, parameters: Float64Array) => void;
}

/** Adam on whole batches, beginning at `start`. @throws SealsumError weight_zero when nobody has a record */
export async function descend(
  sumOfAll: SumOfAll,
  start: Float64Array,
  { rounds, learningRate, onRound = () => undefined }: Descent,
): Promise<Float64Array> {
  const parameters = start.slice();
  const optimiser = createOptimiser({ optimizer: 'adam', learning_rate: learningRate }, parameters.length);
  for (let round = 1; round <= rounds; round += 1) {
    const sums = await sumOfAll(parameters);
    const [loss = 0, count = 0] = sums.subarray(parameters.length);
    if (!(count > 0)) throw new SealsumError('weight_zero', 'the owners have no records');
    optimiser.step(
      parameters,
      sums.subarray(0, parameters.length).map((sum) => sum / count),
    );
    onRound(round, loss / count, parameters);
  }
  return parameters;
}

/** Without anything secret: what secureSum() gives, but for rounding. */
export function plainSum(owners: readonly Gradient[]): SumOfAll {
  return (parameters) => {
    const vectors = owners.map((gradient) => gradient(parameters));
    const [first = new Float64Array(0), ...others] = vectors;
    return Promise.resolve(
      first.map((value, index) => others.reduce((sum, other) => sum + (other[index] ?? 0), value)),
    );
  };
}

/** The model owner's side: each call is a round. */
export function secureSum(job: VectorSumJob, signal?: AbortSignal): SumOfAll {
  const limit = signal === undefined ? {} : { signal };
  return async (parameters) => {
    const round = await job.startRound({ parameters, ...limit });
    return (await round.collect(limit)).sum;
  };
}

/**
 * What a training with so many parameters sums. In 64 bits of fixed point with room for sums up to 2^20, the step between two
 * numbers is 10^-13: Adam divides by the size of a gradient, so that small ones matter as much as great ones.
 */
export function sumFor(parameters: number): Expected & Required<Pick<VectorSumOptions, 'length' | 'bits' | 'bound'>> {
  return { length: parameters + 2, parameters, bits: 64, bound: 2 ** 20 };
}

export type TrainingJob = Pick<VectorSumOptions, 'rounds' | 'quorum' | 'deadlineSeconds' | 'roster' | 'keyBits'>;

/** Proposes the job of a training to its owners. @throws SealsumError as Controller.createJob() */
export async function proposeTraining(
  controller: Controller,
  parameters: number,
  options: TrainingJob,
  signal?: AbortSignal,
): Promise<VectorSumJob> {
  const { length, bits, bound } = sumFor(parameters);
  return await controller.createJob(
    { length, bits, bound, parameters, name: 'a training by sums', ...options },
    signal === undefined ? {} : { signal },
  );
}

export interface Contributing {
  readonly signal?: AbortSignal;
  /** Told of every round that took this owner's vector. */
  readonly onRound?: (round: number) => void;
}

/**
 * A data owner's side: contributes to every round that asks it until the job is over.
 *
 * @returns how many rounds took its vector
 * @throws SealsumError as Client.join() and submit(): number_out_of_bounds when a gradient has no room
 */
export async function contribute(
  client: Client,
  job: string,
  gradient: Gradient,
  { signal, onRound = () => undefined }: Contributing = {},
): Promise<number> {
  const limit = signal === undefined ? {} : { signal };
  let count = 0;
  let round = 0;
  for (;;) {
    try {
      round = await client.nextRound(job, { after: round, ...limit });
      const parameters = await client.parametersOf(job, round, limit);
      await client.submit(job, round, gradient(parameters), limit);
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
      if (error.code === 'job_ended') return count;
      // The round went on without this owner; the next one asks it again.
      if (error.code === 'round_closed' || error.code === 'round_abandoned') continue;
      throw error;
    }
    count += 1;
    onRound(round);
  }
}

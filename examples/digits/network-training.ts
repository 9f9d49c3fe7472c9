/** What a model owner and a data owner of the network do, wherever they are. */
import { type Client, type Controller, SealsumError } from '../../src/index.ts';
import type { Training } from './config.ts';
import { type Digits, digitsOf, type Row } from './data.ts';
import {
  type Contributing,
  contribute,
  descend,
  proposeTraining,
  type SumOfAll,
  secureSum,
  sumFor,
} from './federated.ts';
import { accuracy, gradientSums, initialParameters, parameterCount, shapeOf } from './network.ts';

/** How far a training is. */
export interface Progress {
  readonly round: number;
  readonly loss: number;
  readonly testAccuracy: number;
}

export interface TrainedNetwork extends Progress {
  readonly parameters: Float64Array;
}

/** The gradient that an owner contributes: of its own records, on any parameters. */
export function gradientOf({ hidden }: Training, digits: Digits): (parameters: Float64Array) => Float64Array {
  const shape = shapeOf(hidden);
  return (parameters) => gradientSums(shape, parameters, digits);
}

/** @param onProgress told of every eighth round, and of the last */
export async function trainNetwork(
  sumOfAll: SumOfAll,
  { hidden, rounds, learning_rate, seed }: Training,
  test: readonly Row[],
  onProgress: (progress: Progress) => void = () => undefined,
): Promise<TrainedNetwork> {
  const shape = shapeOf(hidden);
  const testDigits = digitsOf(test);
  let last: Progress = { round: 0, loss: Number.NaN, testAccuracy: Number.NaN };
  const parameters = await descend(sumOfAll, initialParameters(shape, seed), {
    rounds,
    learningRate: learning_rate,
    onRound: (round, loss, now) => {
      if (round % 8 !== 0 && round !== rounds) return;
      last = { round, loss, testAccuracy: accuracy(shape, now, testDigits) };
      onProgress(last);
    },
  });
  return { ...last, parameters };
}

/** The model owner: proposes the job, trains, ends it. */
export async function runModelOwner(
  controller: Controller,
  training: Training,
  roster: readonly string[],
  test: readonly Row[],
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: (progress: Progress) => void } = {},
): Promise<TrainedNetwork> {
  const { hidden, rounds, key_bits: keyBits, quorum, deadline_seconds: deadlineSeconds } = training;
  const count = parameterCount(shapeOf(hidden));
  const options = { rounds, keyBits, quorum, deadlineSeconds, roster };
  const job = await proposeTraining(controller, count, options, signal);
  const trained = await trainNetwork(secureSum(job, signal), training, test, onProgress);
  await job.end();
  return trained;
}

/** Milliseconds between two looks for a job. */
const pause = 250;

/**
 * A data owner: waits for a training of this network, contributes to it until it is over.
 *
 * @param modelOwner whose jobs are meant
 * @returns how many rounds took its vector
 */
export async function runDataOwner(
  client: Client,
  training: Training,
  modelOwner: string,
  rows: readonly Row[],
  options: Contributing = {},
): Promise<number> {
  const gradient = gradientOf(training, digitsOf(rows));
  const job = await findTraining(client, parameterCount(shapeOf(training.hidden)), modelOwner, options.signal);
  return await contribute(client, job, gradient, options);
}

/** The newest open job of a model owner that is a training of so many parameters. Looking says nothing to anybody. */
async function findTraining(
  client: Client,
  parameters: number,
  modelOwner: string,
  signal?: AbortSignal,
): Promise<string> {
  const limit = signal === undefined ? {} : { signal };
  const { length, bits } = sumFor(parameters);
  for (;;) {
    for (const { job, status } of [...(await client.jobs(limit))].reverse()) {
      if (status !== 'open') continue;
      try {
        const { sum, modelOwner: asker } = await client.privacyOf(job, undefined, limit);
        if (asker === modelOwner && sum.parameters === parameters && sum.length === length && sum.bits === bits)
          return job;
      } catch (error) {
        // A job of another kind, or one that is over by now.
        if (!(error instanceof SealsumError) || !['model_invalid', 'job_unknown'].includes(error.code)) throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    signal?.throwIfAborted();
  }
}

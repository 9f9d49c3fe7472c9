/** The sums over an owner's records on a thread of their own. */
import type { WeightedVector } from '../encoding/contribution.ts';
import { systemRandom } from '../paillier/random.ts';
import { answering, type ThreadFunction } from '../threads/thread.ts';
import { type ClippingReport, type OwnSums, sampleRecords } from './clipped-sums.ts';
import { compileFeatures, type Records } from './features.ts';
import { closingSums } from './inference/closing-sums.ts';
import { closingTaskOf } from './inference/closing-task.ts';
import type { AnyModel } from './model-document.ts';
import { isStatistics } from './statistics/model.ts';
import { createStatisticsTask, statisticsSums } from './statistics/task.ts';
import { atClip, createTask, ownSums } from './task.ts';

/** Tasks have functions, which threads are not given: this is what one is made of. */
export interface ContributionOrder {
  readonly model: AnyModel;
  readonly sign: bigint | undefined;
  readonly clip: number | undefined;
  /** Whether it is to the closing round. */
  readonly closing: boolean;
  /** Those in shared memory (`shareRecords`) are not copied. */
  readonly records: Records;
  readonly parameters: Float64Array;
}

export interface OwnContribution {
  readonly sums: OwnSums | WeightedVector;
  readonly report: ClippingReport | undefined;
}

export const contribute: ThreadFunction<ContributionOrder, OwnContribution> = answering(
  ({ model, sign, clip, closing, records, parameters }) => {
    if (isStatistics(model)) return { sums: statisticsSums(createStatisticsTask(model), records), report: undefined };
    const closingTask = closing ? closingTaskOf(model, compileFeatures(model)) : undefined;
    if (closingTask !== undefined) return { sums: closingSums(closingTask, records, parameters), report: undefined };
    const task = atClip(createTask(model, compileFeatures(model), sign), clip);
    const chosen = task.clipping === undefined ? records : sampleRecords(task.clipping, records, systemRandom);
    let report: ClippingReport | undefined;
    const sums = ownSums(task, chosen, parameters, {
      observe: (said) => {
        report = said;
      },
    });
    return { sums, report };
  },
  ({ sums }) => ('sums' in sums ? [sums.sums] : []),
);

/** The model owner's side of a job for statistics, as of a training: it takes the statistics of its one round, and is finished. */
import { SealsumError } from '../../errors.ts';
import type { Trainer, TrainerState } from '../trainer.ts';
import { reportOf } from './report.ts';
import type { StatisticsTask } from './task.ts';

/**
 * @param deviation the standard deviation of the noise in every value of a sum of so many contributions, in integers
 * @param state that of one that was interrupted
 */
export function createCollector(
  task: StatisticsTask,
  deviation: (contributors: number) => number,
  state?: TrainerState,
): Trainer {
  if (state !== undefined && state.solver !== 'statistics')
    throw new SealsumError('plan_mismatch', 'state: it was saved by a training of another model', { field: 'state' });
  let report = state?.report;
  return {
    get parameters() {
      return new Float64Array(0);
    },
    clip: undefined,
    get round() {
      return report === undefined ? 0 : 1;
    },
    get finished() {
      return report !== undefined;
    },
    evaluated: undefined,
    metrics: undefined,
    keptRound: undefined,
    crossValidation: undefined,
    get report() {
      return report;
    },
    absorb({ sum }) {
      if (report !== undefined || sum === undefined)
        throw new SealsumError('plan_mismatch', 'statistics: a job for statistics takes the sums of one round', {
          field: 'statistics',
        });
      report = reportOf(task, sum, deviation(sum.contributors));
    },
    state: () => ({ solver: 'statistics', ...(report === undefined ? {} : { report }) }),
  };
}

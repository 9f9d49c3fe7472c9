/** The same statistics of all records in one place, without encryption and without noise: what the encrypted ones are compared with. */
import type { Records } from '../features.ts';
import type { StatisticsModel } from './model.ts';
import { reportOf, type StatisticsReport } from './report.ts';
import { createStatisticsTask, statisticsSums } from './task.ts';

/**
 * The statistics of all records in one place, without encryption or noise.
 *
 * @param contributors how many owners the records are taken to come from
 * @throws SealsumError `plan_mismatch` where the records are not the model's
 */
export function pooledStatistics(model: StatisticsModel, records: Records, contributors: number): StatisticsReport {
  const task = createStatisticsTask({ ...model, privacy: undefined });
  return reportOf(task, { ...statisticsSums(task, records), contributors }, 0);
}

/** What somebody should know of a job before it costs anything. */
import { isStatistics } from '../../learning/statistics/model.ts';
import { noiseDeviation } from '../../protocol/terms.ts';
import { counted } from '../table.ts';
import type { Duration } from './job-cost.ts';
import type { JobShape } from './job-shape.ts';

export interface EstimateWarning {
  readonly code: 'machine_busy' | 'noise_swamps' | 'deadline_short' | 'no_privacy' | 'records_unused' | 'early_end';
  readonly message: string;
}

export interface Estimated {
  readonly job: JobShape;
  /** Of every kind of round. */
  readonly durations: readonly Duration[];
  /** The load average when measuring began, for each processor. */
  readonly load: number;
}

/** Processes that wait or run for each processor, beside the one that asks. */
const busy = 0.7;

/** Parts of the greatest length that a mean can have: from here on it is worth a word, and from there it says hardly anything. */
const audible = 0.1;

export function warningsOf({ job, durations, load }: Estimated): EstimateWarning[] {
  const { model, terms } = job;
  const warnings: EstimateWarning[] = [];
  const noise = noiseShare(job);
  if (load > busy)
    warnings.push({
      code: 'machine_busy',
      message: `this machine was busy with other things, ${load.toPrecision(2)} processes for each processor: by the clock everything takes less on one that is not`,
    });
  if (model.privacy === undefined)
    warnings.push({
      code: 'no_privacy',
      message: 'there is no differential privacy: what is learned follows from exact sums',
    });
  if (noise > audible)
    warnings.push({
      code: 'noise_swamps',
      message:
        `the noise in a round's mean is ${percent(noise)} of the greatest length that the mean can have` +
        `${noise > 1 ? ', and swamps it' : ''}: more records or owners, a greater epsilon (or rho), fewer rounds or columns make it less`,
    });
  const { deadline_seconds: deadline } = model.participation;
  const slow = durations.flatMap(({ apart }) => apart).find(({ seconds }) => seconds > deadline);
  if (durations.some(({ together }) => together > deadline) || slow !== undefined)
    warnings.push({
      code: 'deadline_short',
      message: `a round may take longer than participation.deadline_seconds, ${deadline}${
        slow === undefined ? '' : `, at ${slow.mbits} Mbit/s`
      }: who is late is left out`,
    });
  const { max_records: most } = model.participation;
  if (most > 16 * job.records && 'quantising' in terms.task && terms.task.quantising !== undefined)
    warnings.push({
      code: 'records_unused',
      message: `integers have room for participation.max_records, ${most}, and owners have ${job.records}: a smaller number leaves more bits to each value`,
    });
  if (!isStatistics(model) && model.training.solver === 'gradient' && endsEarly(model.training))
    warnings.push({
      code: 'early_end',
      message: `the training may end before its ${counted(job.rounds, 'round')}, as its settings say`,
    });
  return warnings;
}

function endsEarly(training: { readonly tolerance: number; readonly validation?: object | undefined }): boolean {
  return training.tolerance > 0 || (training.validation !== undefined && !('fold' in training.validation));
}

/** The expected length of the noise in a mean, as a part of the greatest length of the mean: 1 unit of the scale's norm. 0: no noise. */
function noiseShare({ terms, model, owners, records }: JobShape): number {
  const deviation = noiseDeviation(terms);
  if (deviation === 0 || model.privacy === undefined) return 0;
  const { privacy } = model;
  const units = (privacy.unit === 'owner' ? owners : owners * records) * privacy.sampling;
  const norm = Number(terms.calibration?.sensitivity ?? 1n) / (privacy.neighbours === 'substitution' ? 2 : 1);
  return (deviation * Math.sqrt(terms.plan.length + 1)) / (norm * units);
}

function percent(share: number): string {
  return `${share >= 0.1 ? Math.round(100 * share) : (100 * share).toPrecision(2)} %`;
}

/** Residuals and calibration in bins, of the closing round's sums: counts and means over all records, in the data's own units. */
import type { FeatureMap } from '../features.ts';
import { targetScale } from '../prediction.ts';
import { unscaleValue } from '../scaling.ts';
import type { Statistics } from '../task.ts';
import { perBin } from './closing-round.ts';
import type { ClosingTask } from './closing-task.ts';

/** Bins are [edge, next edge), one fewer than edges. A `small` bin has fewer than ten records, but not none: read it with care. */
export interface Bins {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  readonly small: readonly boolean[];
}

/** How far targets are from their predictions (target − prediction), in the target's own unit. */
export interface ResidualHistogram extends Bins {
  /** Those beyond the edges. */
  readonly below: number;
  readonly above: number;
}

/** The same by what was predicted; bins are those of the target's declared range, whose first and last hold what is beyond it. */
export interface ResidualProfile extends Bins {
  /** null where there is no record. */
  readonly means: readonly (number | null)[];
  /** About the mean; null with fewer than two records. */
  readonly standard_deviations: readonly (number | null)[];
}

/** How often what was predicted with some probability was so. */
export interface Calibration extends Bins {
  /** The class that the probabilities are of; absent where they are of the likeliest one of several. */
  readonly class?: string;
  /** The mean of the probabilities in the bin; null where there is no record. */
  readonly predicted: readonly (number | null)[];
  /** The share of records that have the class. */
  readonly observed: readonly (number | null)[];
}

/** Plain data for JSON, as a model shows it. */
export interface Diagnostics {
  readonly records: number;
  /** Linear. */
  readonly residuals?: ResidualHistogram;
  readonly residuals_by_prediction?: ResidualProfile;
  /** Classifiers. */
  readonly calibration?: Calibration;
}

const few = 10;

/** @param halfWidth of the histogram of residuals, in scaled units */
export function diagnosticsOf(
  task: ClosingTask,
  map: FeatureMap,
  { weight, statistics }: Statistics,
  halfWidth: number,
): Diagnostics {
  const { bins, histogram, profile, isLinear } = task;
  const column = (which: number): number[] =>
    Array.from({ length: bins }, (_, bin) => statistics[profile.at + perBin * bin + which] ?? 0);
  const [counts, firsts, seconds] = [column(0).map(Math.round), column(1), column(2)];
  if (!isLinear)
    return {
      records: weight,
      calibration: {
        ...(task.family.outputs === 1 ? { class: map.classes?.[1] ?? '' } : {}),
        edges: Array.from({ length: bins + 1 }, (_, edge) => edge / bins),
        ...withSmall(counts),
        predicted: meansOf(seconds, counts),
        observed: meansOf(firsts, counts),
      },
    };
  const scale = targetScale(map);
  const all = Array.from(statistics.subarray(histogram.at, histogram.at + histogram.length), Math.round);
  const edge = (at: number): number => (2 * at) / bins - 1;
  const edges = Array.from({ length: bins + 1 }, (_, at) => edge(at));
  const deviations = counts.map((count, bin) => {
    if (count < 2) return null;
    const mean = (firsts[bin] ?? 0) / count;
    return scale.half * Math.sqrt(Math.max(0, ((seconds[bin] ?? 0) - count * mean * mean) / (count - 1)));
  });
  return {
    records: weight,
    residuals: {
      edges: edges.map((at) => at * halfWidth * scale.half),
      ...withSmall(all.slice(1, -1)),
      below: all[0] ?? 0,
      above: all.at(-1) ?? 0,
    },
    residuals_by_prediction: {
      edges: edges.map((at) => unscaleValue(scale, at)),
      ...withSmall(counts),
      means: meansOf(firsts, counts).map((mean) => (mean === null ? null : mean * scale.half)),
      standard_deviations: deviations,
    },
  };
}

function withSmall(counts: readonly number[]): Pick<Bins, 'counts' | 'small'> {
  return { counts, small: counts.map((count) => count > 0 && count < few) };
}

function meansOf(sums: readonly number[], counts: readonly number[]): (number | null)[] {
  return counts.map((count, bin) => (count === 0 ? null : (sums[bin] ?? 0) / count));
}

/** What an owner adds to a round's sum without differential privacy: its sums, within bounds that no training should reach. */
import type { WeightedVector } from '../encoding/contribution.ts';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { OwnSums, UnitVectors } from './clipped-sums.ts';
import { learnedOf } from './coefficients.ts';
import { gradientSums } from './families.ts';
import { dividedGradientSums, trainedCount } from './held-out.ts';
import { exactTriangleSums } from './normal-equations.ts';
import { type Quantising, quantisedSums } from './quantising.ts';
import { type Records, recordsInPart } from './records.ts';

/** A gradient or a loss of one record is at most 2^10: more means that the training diverges. */
export const BOUND_BITS = 10;

/** Which sums, and what becomes of them. */
export interface Unclipped extends UnitVectors {
  readonly parameterCount: number;
  readonly fractionBits: number;
  readonly weightUnit: bigint;
  readonly quantising: Quantising | undefined;
  readonly names: () => readonly string[];
}

/** @throws SealsumError `number_out_of_bounds` naming the value */
export function unclippedSums(
  task: Unclipped,
  records: Records,
  parameters: Float64Array,
  random: RandomBytes,
): OwnSums | WeightedVector {
  const { family, holdsOut, weightUnit, quantising } = task;
  if (task.solver === 'normal-equations')
    return { weight: BigInt(records.count) * weightUnit, values: foldedTriangleSums(task, records) };
  const all = (holdsOut ? dividedGradientSums : gradientSums)(family, records, parameters);
  const sums = withoutFrozen(task, all);
  requireWithinBounds(task, sums, records.count);
  const trained = holdsOut ? trainedCount(records) : records.count;
  if (quantising !== undefined) return quantisedSums(quantising, sums, trained, random);
  return { weight: BigInt(trained) * weightUnit, sums };
}

/** The gradient of what is learned, and the metrics. */
function withoutFrozen({ coefficients, parameterCount }: Unclipped, all: Float64Array): Float64Array {
  if (coefficients.learned === undefined) return all;
  const gradient = learnedOf(coefficients, all);
  const sums = new Float64Array(gradient.length + all.length - parameterCount);
  sums.set(gradient);
  sums.set(all.subarray(parameterCount), gradient.length);
  return sums;
}

/** The triangle of every fold, then, where there are several, how many records each of them has, at the same scale. */
function foldedTriangleSums({ folds, fractionBits }: Unclipped, records: Records): bigint[] {
  if (folds === 1) return exactTriangleSums(records, fractionBits);
  const parts = Array.from({ length: folds }, (_, fold) => recordsInPart(records, fold));
  const counts = parts.map(({ count }) => BigInt(count) << BigInt(2 * fractionBits));
  return [...parts.flatMap((part) => exactTriangleSums(part, fractionBits)), ...counts];
}

function requireWithinBounds({ quantising, statistics, names }: Unclipped, sums: Float64Array, count: number): void {
  for (const [index, sum] of sums.entries()) {
    const bound =
      quantising === undefined
        ? 2 ** BOUND_BITS
        : index < statistics
          ? quantising.range
          : (quantising.metricBounds[index - statistics] ?? 0);
    if (Math.abs(sum) <= count * bound) continue;
    const field = names()[index] ?? '';
    const why =
      quantising === undefined
        ? `beyond 2^${BOUND_BITS} per record; the training diverges: lower training.learning_rate`
        : `beyond ${bound} per record, for which quantised integers have no room: ` +
          'raise encryption.quantization_range, or lower training.learning_rate';
    throw new SealsumError('number_out_of_bounds', `${field}: ${why}`, { field });
  }
}

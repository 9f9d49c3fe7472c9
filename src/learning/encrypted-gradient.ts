/**
 * Linear regression on parameters that only the model owner knows (model.json's `model_visibility` "encrypted"): what owners get
 * are encryptions of the integers θ̂ = θ·2^f, and what they contribute is linear in them. With z = (x, y) and r = xᵀθ − y,
 *
 *     (Σ x·r, −Σ y·r) = (XᵀX·θ − Xᵀy, yᵀy − (Xᵀy)ᵀ·θ)
 *
 * is the gradient and one value more, from which whoever knows θ has the loss too: 2·loss = Σ r² = θᵀ(Σ x·r) − Σ y·r. So an owner needs
 * its matrix Z = Σ z·zᵀ, once, as integers of scale G: the rows of its first columns are multiplied with the encrypted θ̂, and its
 * last column, times 2^f, is added. The sum has the product of the scales, G·2^f, and the plan has room for that product:
 *
 *     |Σ zᵢ·r| ≤ n·|zᵢ|·‖z‖·‖(θ, −1)‖ ≤ n·√(features + 2)·√(R² + 1)
 *
 * for the records z of declared ranges (the intercept, the target, and of every feature one number within [−1, 1], or one indicator) and
 * parameters of length R at most (`training.parameter_bound`), onto which the model owner projects them after every update.
 *
 * With differential privacy every record z becomes one integer vector ẑ of length at most N_z first, exactly (privacy/clipping.ts): longer ones are
 * shortened to `privacy.clip`. What it adds to a sum, ẑ·r̂ and its weight w, is then no longer than
 *
 *     N = N_z²·⌈√(R̂² + 4^f)⌉,   Δ = ⌈√(N² + w²)⌉
 *
 * for every θ̂ with ‖θ̂‖ ≤ R̂, and Δ is what the noise is calibrated to.
 */
import type { WeightedVector } from '../encoding/contribution.ts';
import { divideRoundHalfEven, toFixedPoint } from '../encoding/fixed-point.ts';
import { clipToIntegers } from '../privacy/clipping.ts';
import { integerSquareRoot } from '../privacy/integer.ts';
import type { ClippingReport } from './clipped-sums.ts';
import type { Model } from './model-types.ts';
import { exactTriangleSums } from './normal-equations.ts';
import type { Records } from './records.ts';

/** What a model with encrypted parameters fixes. All integers are bounds that everybody computes from the model. */
export interface EncryptedGradient {
  /** R̂ = ⌊R·2^f⌋: the greatest length of the integers θ̂. */
  readonly parameterBound: bigint;
  /** G: what an entry of Z is multiplied with. */
  readonly matrixScale: number;
  /** The greatest magnitude of an entry of an owner's integer Z. */
  readonly entryBound: bigint;
  /** The greatest magnitude of a value per record, in integers at scale G·2^f. */
  readonly valueBound: bigint;
  readonly weightUnit: bigint;
  /** Δ: what one record moves a sum by, at the most, with differential privacy. */
  readonly greatestChange: bigint;
  /** With differential privacy: to which length records are shortened. */
  readonly clip: number | undefined;
}

/** log₂ of G, and twice log₂ of N_z: what rounding does to a sum is far below what its parameters are rounded to. */
const matrixBits = 28;
const recordNorm = 2n ** BigInt(matrixBits / 2);
/** Bits to which records are rounded before they are summed exactly, where no noise follows. */
const exactBits = 40;

/** Undefined where owners see the parameters. */
export function encryptedGradientOf(model: Model): EncryptedGradient | undefined {
  const { training, privacy } = model;
  if (model.model_visibility !== 'encrypted' || training.solver !== 'gradient') return undefined;
  const unit = 1n << BigInt(model.encryption.fraction_bits);
  const parameterBound = BigInt(Math.floor((training.parameter_bound ?? 0) * Number(unit)));
  const maxRecords = BigInt(model.participation.max_records);
  // ⌈√(R̂² + 4^f)⌉: the length of (θ̂, −2^f).
  const length = integerSquareRoot(parameterBound ** 2n + unit ** 2n) + 1n;
  if (privacy !== undefined) {
    const norm = recordNorm ** 2n * length;
    const weightUnit = norm / 4n;
    return {
      parameterBound,
      matrixScale: (Number(recordNorm) / privacy.clip) ** 2,
      entryBound: maxRecords * recordNorm ** 2n,
      valueBound: norm,
      weightUnit,
      greatestChange: integerSquareRoot(norm ** 2n + weightUnit ** 2n) + 1n,
      clip: privacy.clip,
    };
  }
  const scale = 2n ** BigInt(matrixBits);
  const width = BigInt(model.data_props.features.length);
  const longest = integerSquareRoot(width + 2n) + 1n;
  // Every entry of Z is rounded by half a unit at the most, which over a row adds ½·√(columns + 1)·‖(θ̂, 2^f)‖, and √(columns + 1) < G.
  const valueBound = scale * longest * length + (scale * length) / 2n;
  return {
    parameterBound,
    matrixScale: Number(scale),
    entryBound: maxRecords * scale,
    valueBound,
    weightUnit: 1n,
    greatestChange: 0n,
    clip: undefined,
  };
}

/** Columns of Z for records of `width` columns: those, and the target. */
function sideOf(width: number): number {
  return width + 1;
}

/** An owner's weight and the upper triangle of its Z, row by row, as integers of scale G: the same in every round. */
export function matrixSums(
  { clip, weightUnit }: EncryptedGradient,
  records: Records,
): WeightedVector & { readonly report?: ClippingReport } {
  const weight = BigInt(records.count) * weightUnit;
  if (clip === undefined) {
    const first = BigInt(records.count) << BigInt(2 * exactBits);
    const divisor = 1n << BigInt(2 * exactBits - matrixBits);
    const values = [first, ...exactTriangleSums(records, exactBits)].map((sum) => divideRoundHalfEven(sum, divisor));
    return { weight, values };
  }
  const { count, width } = records;
  const side = sideOf(width);
  const unit = Number(recordNorm);
  // With a column of zeros before all others, none of theirs is left out of the triangle as the one that counts records.
  const x = new Float64Array(count * side);
  const y = new Float64Array(count);
  const z = new Float64Array(side);
  let clipped = 0;
  for (let index = 0; index < count; index += 1) {
    z.set(records.x.subarray(index * width, (index + 1) * width));
    z[width] = records.y[index] ?? 0;
    const whole = clipToIntegers(z, clip, recordNorm);
    if (whole.clipped) clipped += 1;
    for (let column = 0; column < width; column += 1) x[index * side + 1 + column] = (whole.values[column] ?? 0) / unit;
    y[index] = (whole.values[width] ?? 0) / unit;
  }
  const values = exactTriangleSums({ count, width: side, x, y }, matrixBits / 2).slice(side);
  return { weight, values, report: { units: count, clipped, notFinite: 0, metrics: [] } };
}

/** What an owner multiplies the encrypted parameters with, and what it adds. */
export interface LinearSums {
  /** One row for each value of a contribution, one column for each parameter. */
  readonly rows: readonly (readonly bigint[])[];
  /** As many, at scale G·2^f. */
  readonly constants: readonly bigint[];
}

/** @param triangle of Z, as matrixSums() gives it, for records of `width` columns */
export function linearSums(triangle: readonly bigint[], width: number, fractionBits: number): LinearSums {
  const side = sideOf(width);
  const entry = (row: number, column: number): bigint => {
    const [i, j] = row < column ? [row, column] : [column, row];
    return triangle[i * side - (i * (i - 1)) / 2 + (j - i)] ?? 0n;
  };
  // The last row is −yᵀX: its product and yᵀy are −Σ y·r.
  const sign = (row: number): bigint => (row < width ? 1n : -1n);
  return {
    rows: Array.from({ length: side }, (_, row) =>
      Array.from({ length: width }, (_, column) => sign(row) * entry(row, column)),
    ),
    constants: Array.from({ length: side }, (_, row) => -sign(row) * (entry(row, width) << BigInt(fractionBits))),
  };
}

/** What they are at parameters that are known. @param parameters one for each column, at scale 2^f */
export function evaluate({ rows, constants }: LinearSums, parameters: readonly bigint[]): bigint[] {
  return rows.map((row, index) =>
    row.reduce((sum, entry, column) => sum + entry * (parameters[column] ?? 0n), constants[index] ?? 0n),
  );
}

/** The mean loss from the means of a sum. @param crossed that of −Σ y·r */
export function lossFrom(gradient: Float64Array, crossed: number, parameters: Float64Array): number {
  return gradient.reduce((sum, value, index) => sum + value * (parameters[index] ?? 0), crossed) / 2;
}

/** Parameters, or those of length R in the same direction where they are longer. */
export function projected(parameters: Float64Array, bound: number): Float64Array {
  const length = Math.sqrt(parameters.reduce((sum, value) => sum + value * value, 0));
  return length > bound ? parameters.map((value) => (value / length) * bound) : parameters;
}

/** θ̂ of parameters that are projected and rounded to 2^−f, of length R̂ at most, exactly. @throws SealsumError number_not_finite */
export function boundedIntegers(parameters: Float64Array, parameterBound: bigint, fractionBits: number): bigint[] {
  const unit = 2 ** fractionBits;
  const integers = toFixedPoint(projected(parameters, Number(parameterBound) / unit), unit);
  let surplus = integers.reduce((sum, value) => sum + value * value, 0n) - parameterBound ** 2n;
  // Rounding adds so little that a few steps towards zero suffice; each makes the sum of squares smaller.
  for (let index = 0; surplus > 0n; index = (index + 1) % integers.length) {
    const value = integers[index] ?? 0n;
    if (value === 0n) continue;
    const size = value < 0n ? -value : value;
    surplus -= 2n * size - 1n;
    integers[index] = value < 0n ? value + 1n : value - 1n;
  }
  return integers;
}

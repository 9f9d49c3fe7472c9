/**
 * What one round sums: which values every owner sends, at which scale and within which bounds.
 *
 * A vector is the statistics (a gradient, or the triangle of the normal equations) followed by the metrics. Without privacy
 * an owner's sums are rounded once, to integers of few bits where that is asked for (quantising.ts); normal equations are summed
 * exactly as integers. With differential privacy every record becomes one integer vector of L2 norm at most S, weight and metrics included, before anything is summed (allowance.ts).
 * The count of records is released with the same noise as the rest and is never sent as a plain number.
 *
 * Records that are held out for validation are in no gradient and in no weight: they are counted and measured in metrics of their
 * own. In cross-validation the statistics are those of the first fold, then of the second, and so on.
 *
 * Where the unit is the owner, it is the means over all of an owner's records that become one such vector: owners weigh alike,
 * however many records they have, and zeroing a whole owner moves the sum by at most S.
 */
import type { OwnVector, WeightedVector } from '../encoding/contribution.ts';
import { fromFixedPoint, toFixedPoint } from '../encoding/fixed-point.ts';
import { renormalise } from '../encoding/renormalise.ts';
import { SealsumError } from '../errors.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { unclippedFraction } from '../privacy/adaptive-clipping.ts';
import { type Clipping, divideAllowance } from './allowance.ts';
import { type ClippingReport, clippedSums, type OwnSums, type UnitVectors } from './clipped-sums.ts';
import { type Coefficients, coefficientsOf } from './coefficients.ts';
import {
  boundedIntegers,
  type EncryptedGradient,
  encryptedGradientOf,
  evaluate,
  linearSums,
  matrixSums,
} from './encrypted-gradient.ts';
import { familyOf } from './families.ts';
import type { FeatureMap, Records } from './features.ts';
import { fieldName } from './fields.ts';
import { hasClosingRound } from './inference/closing-round.ts';
import type { Model } from './model.ts';
import { triangleLength, triangleNames } from './normal-equations.ts';
import { type Quantising, quantisingOf } from './quantising.ts';
import { summedMetricsOf } from './summed-metrics.ts';
import { BOUND_BITS, unclippedSums } from './unclipped-sums.ts';

/** What a round of a training sums: how many values, what they are, in which scale, within which bounds. */
export interface Task extends UnitVectors {
  /** What it is the task of. */
  readonly model: Model;
  /** Columns of a record. */
  readonly width: number;
  /** Parameters that go out before a round; none for normal equations. */
  readonly parameterCount: number;
  /** What every value is, such as `gradient of age` or `age × weight`: made for a message, since there may be a million of them. */
  readonly names: () => readonly string[];
  /** The most rounds a job of this task takes: what a privacy budget is divided by. */
  readonly rounds: number;
  /** integer = real × scale, for the statistics; for the metrics too, unless privacy or few bits give them scales of their own. */
  readonly scale: number;
  /** The greatest |integer| of a value per weight of one: of what one record, or one owner, may add to it. */
  readonly valueBound: bigint;
  /** The integer that stands for a weight of one. */
  readonly weightUnit: bigint;
  /** The greatest weight of one owner. */
  readonly maxWeight: bigint;
  /** The records that a weight of one stands for: 1 unless quantised. Where the unit of privacy is the owner it is owners. */
  readonly recordsPerWeight: number;
  /** Bits that the means of a sum have beyond the scale: where integers have few bits, a mean of many has more. */
  readonly meanBits: number;
  /** Bits after the binary point of rounded inputs and of the parameters that go out. */
  readonly fractionBits: number;
  /** Present with differential privacy. */
  readonly clipping: Clipping | undefined;
  /** Present where contributions are quantised. */
  readonly quantising: Quantising | undefined;
  /** Present where owners do not see the parameters: then an owner's sums are the triangle of its matrix (encrypted-gradient.ts). */
  readonly encrypted: EncryptedGradient | undefined;
}

/** The task of a model with encrypted parameters. */
export type EncryptedTask = Task & { readonly encrypted: EncryptedGradient };

/** Whether owners compute on parameters that they cannot see. */
export function isEncrypted(task: Pick<Task, 'encrypted'>): task is EncryptedTask {
  return task.encrypted !== undefined;
}

/** What else an owner's contribution needs and tells. */
export interface ContributionOptions {
  /** For the coins of stochastic rounding; the operating system's generator by default. */
  readonly random?: RandomBytes | undefined;
  /** Told of the clipping, if there is any; for the owner's own eyes, since nothing of it is noised. */
  readonly observe?: ((clipping: ClippingReport) => void) | undefined;
}

/** What the model owner learns from a round. */
export interface Statistics {
  /** Records; neither whole nor exact with noise, or where integers of so few bits count no single record. */
  readonly weight: number;
  /** Gradient: means per record. Normal equations: sums. */
  readonly statistics: Float64Array;
  /** Per record that counts in the weight, in the order of the task's metrics. */
  readonly metrics: Float64Array;
  /** The noised fraction of the contributing owners that remained unclipped, where the clip adapts; noise may take it out of [0, 1]. */
  readonly unclipped?: number;
  /** The sum as integers and how many contributed to it, where a job asks for statistics of columns and nothing is learned. */
  readonly sum?: WeightedVector & { readonly contributors: number };
}

/**
 * How many rounds a job of a model takes at most: where metrics are summed, one more than updates evaluates the last of them; and where
 * it is asked for, one closes the job.
 */
export function mostRoundsOf({ training, privacy }: Model): number {
  const closing = Number(hasClosingRound({ training }));
  if (training.solver === 'normal-equations') return 1 + closing;
  return training.rounds + (privacy?.metrics === 'local' ? 0 : 1) + closing;
}

/**
 * What a round of a training sums.
 *
 * @param sign where the clip adapts: what `signShare` gives
 * @throws SealsumError `privacy_invalid` where the promise leaves too little for what is to be summed
 */
export function createTask(model: Model, map: FeatureMap, sign?: bigint): Task {
  const family = familyOf(model);
  const gradient = model.training.solver === 'gradient';
  const local = model.privacy?.metrics === 'local';
  const fractionBits = model.encryption.fraction_bits;
  const { width } = map;
  const coefficients = coefficientsOf(model, map);
  const parameterCount = gradient ? family.outputs * width : 0;
  const folds = map.division?.kind === 'folds' ? map.division.folds : 1;
  const statistics = gradient ? (coefficients.learned?.length ?? parameterCount) : folds * triangleLength(width);
  const metrics = summedMetricsOf(model, family);
  const clipping =
    model.privacy === undefined || model.model_visibility === 'encrypted'
      ? undefined
      : divideAllowance(model.privacy, model.encryption, family, metrics, sign);
  const quantising = clipping === undefined ? quantisingOf(model, family, metrics) : undefined;
  const encrypted = encryptedGradientOf(model);
  const signs = clipping?.sign === undefined ? [] : ['unclipped owners'];
  const shared = {
    model,
    width,
    parameterCount,
    coefficients,
    folds,
    holdsOut: map.division !== undefined && map.division.kind !== 'folds',
    length: statistics + metrics.length + signs.length,
    statistics,
    metrics,
    localMetrics: gradient && local ? family.metrics : [],
    names: () => [...(gradient ? gradientNames(map, coefficients) : foldNames(map, folds)), ...metrics, ...signs],
    rounds: mostRoundsOf(model),
    fractionBits,
    family,
    clipping,
    quantising,
    encrypted,
    maxWeight: clipping?.unit === 'owner' ? 1n : BigInt(model.participation.max_records),
    recordsPerWeight: 1,
    meanBits: model.encryption.quantization_bits === undefined ? 0 : fractionBits,
    solver: model.training.solver,
  };
  if (encrypted !== undefined) {
    const { matrixScale, valueBound, weightUnit } = encrypted;
    return { ...shared, scale: matrixScale * 2 ** fractionBits, valueBound, weightUnit };
  }
  if (clipping !== undefined) {
    const { norm, clip, weightUnit, sign = 0n } = clipping;
    return { ...shared, scale: Number(norm) / clip, valueBound: sign > norm ? sign : norm, weightUnit };
  }
  if (quantising !== undefined) {
    const { bound, range, weightUnit, records } = quantising;
    const unit = { weightUnit, maxWeight: 1n, recordsPerWeight: records };
    return { ...shared, ...unit, scale: Number(bound) / range, valueBound: bound };
  }
  // The products of two numbers of f bits have 2f; the entries of z·zᵀ are at most 1.
  const scaleBits = gradient ? fractionBits : 2 * fractionBits;
  const boundBits = gradient ? fractionBits + BOUND_BITS : 2 * fractionBits;
  return { ...shared, scale: 2 ** scaleBits, valueBound: 1n << BigInt(boundBits), weightUnit: 1n };
}

/**
 * A task as it is in a round with a clip of its own: the same integers stand for longer or shorter vectors.
 *
 * @param clip undefined where every round has the task's
 * @throws SealsumError privacy_invalid unless it is a number above 0 whose scale doubles can hold
 */
export function atClip<Kind extends Pick<Task, 'scale' | 'clipping'>>(task: Kind, clip: number | undefined): Kind {
  const { clipping } = task;
  if (clipping === undefined || clip === undefined) return task;
  const scale = Number(clipping.norm) / clip;
  if (!(clip > 0 && Number.isFinite(clip) && Number.isFinite(scale) && scale > 0))
    throw new SealsumError('privacy_invalid', `clip: expected a finite length above 0, got ${clip}`, { field: 'clip' });
  return { ...task, scale, clipping: { ...clipping, clip } };
}

/**
 * An owner's side: the sums over its records as integers.
 *
 * @param parameters `task.parameterCount` of them, outputs × width row by row
 * @throws SealsumError `plan_mismatch` where parameters or records are not the task's, `number_out_of_bounds` naming a value
 * that grew beyond its bound, which is what a diverging training does
 */
export function contribution(
  task: Task,
  records: Records,
  parameters: Float64Array,
  options: ContributionOptions = {},
): WeightedVector {
  if (task.encrypted !== undefined) return linearContribution(task, task.encrypted, records, parameters);
  const { weight, values } = ownVector(task, ownSums(task, records, parameters, options));
  return { weight, values: [...values.slice(0, task.length)] };
}

/** What a contribution on encrypted parameters decrypts to. */
function linearContribution(
  { width, fractionBits }: Task,
  encrypted: EncryptedGradient,
  records: Records,
  parameters: Float64Array,
): WeightedVector {
  const { weight, values } = matrixSums(encrypted, records);
  const integers = boundedIntegers(parameters, encrypted.parameterBound, fractionBits);
  return { weight, values: evaluate(linearSums(values, width, fractionBits), integers) };
}

/** Sums as the integers that they are, or at the task's scale; each made when it is asked for. */
export function ownVector(
  { scale, clipping, quantising }: Pick<Task, 'scale' | 'clipping' | 'quantising'>,
  own: OwnSums | WeightedVector,
): OwnVector {
  if ('values' in own) return own;
  const { weight, sums } = own;
  const unit = clipping === undefined && quantising === undefined ? scale : 1;
  const slice = (from: number, to: number): bigint[] => toFixedPoint(sums.subarray(from, to), unit);
  return { weight, values: { length: sums.length, slice } };
}

/** What takes long of a contribution. Only normal equations are summed as integers of any length. */
export function ownSums(
  task: Task,
  records: Records,
  parameters: Float64Array,
  { random = systemRandom, observe }: ContributionOptions = {},
): OwnSums | WeightedVector {
  // Those that are encrypted are not needed here.
  const expected = task.encrypted === undefined ? task.parameterCount : 0;
  if (parameters.length !== expected) {
    throw new SealsumError('plan_mismatch', `parameters: expected ${expected}, not ${parameters.length}`, {
      field: 'parameters',
    });
  }
  if (records.width !== task.width) {
    throw new SealsumError('plan_mismatch', `records: expected ${task.width} columns, not ${records.width}`, {
      field: 'records',
    });
  }
  if (task.encrypted !== undefined) {
    const { report, ...sums } = matrixSums(task.encrypted, records);
    if (report !== undefined) observe?.(report);
    return sums;
  }
  if (task.clipping !== undefined) {
    const { report, ...sums } = clippedSums(task, task.clipping, records, parameters, random);
    observe?.(report);
    return sums;
  }
  return unclippedSums(task, records, parameters, random);
}

/**
 * The model owner's side: what a sum of contributions says.
 *
 * @param sum at the plan's scale, noise included
 * @param contributors how many owners are in it
 * @throws SealsumError `plan_mismatch` where the length is not the task's, `weight_zero` where no weight is left, such as
 * when noise outweighs the records
 */
export function statisticsOf(task: Task, sum: WeightedVector, contributors: number): Statistics {
  if (sum.values.length !== task.length) {
    throw new SealsumError('plan_mismatch', `values: expected ${task.length}, not ${sum.values.length}`, {
      field: 'values',
    });
  }
  // Less than one record of weight is nothing but noise.
  const counted = sum.weight * BigInt(task.recordsPerWeight);
  if (counted < task.weightUnit) throw new SealsumError('weight_zero', whyNoWeight(task), { field: 'weight' });
  const weight = Number(counted) / Number(task.weightUnit);
  if (task.solver === 'normal-equations') {
    const sums = fromFixedPoint(sum.values.slice(0, task.statistics), task.scale);
    return { weight, statistics: sums, metrics: metricMeans(task, sum) };
  }
  // The gradient's mean goes into the parameters, so it is renormalised to the plan's scale; metrics are only reported.
  const { length, meanBits } = task;
  const weightUnit = task.weightUnit << BigInt(meanBits);
  const means = renormalise({ length, weightUnit }, sum).slice(0, task.statistics);
  const unclipped = unclippedOf(task, sum, contributors);
  return {
    weight,
    statistics: fromFixedPoint(means, task.scale * 2 ** meanBits),
    metrics: metricMeans(task, sum),
    ...(unclipped === undefined ? {} : { unclipped }),
  };
}

/** Per record that counts in the weight, of all metrics. */
function metricMeans(task: Task, { weight, values }: WeightedVector): Float64Array {
  const units = Number(weight) / Number(task.weightUnit);
  const scales = (task.clipping ?? task.quantising)?.metricScales ?? [];
  return Float64Array.from(task.metrics, (_, index) => {
    const value = values[task.statistics + index] ?? 0n;
    return Number(value) / (scales[index] ?? task.scale) / units;
  });
}

function whyNoWeight({ clipping, quantising, model: { privacy } }: Task): string {
  if (quantising !== undefined)
    return (
      'weight: integers of so few bits do not count so few records: lower participation.max_records to what owners have, ' +
      'or raise encryption.quantization_bits'
    );
  if (privacy === undefined) return 'weight: the records of all owners add up to none';
  return (
    'weight: the noise outweighs the records: more records, or a greater privacy.epsilon (or rho), are needed' +
    (clipping !== undefined && clipping.sampling < 1 ? '; or a greater privacy.sampling, where too few took part' : '')
  );
}

/** Who contributes is no secret; of those, as many as the sampling lets take part are expected to. */
function unclippedOf({ clipping, statistics, metrics }: Task, sum: WeightedVector, owners: number): number | undefined {
  if (clipping?.sign === undefined) return undefined;
  const signs = sum.values[statistics + metrics.length] ?? 0n;
  return unclippedFraction(Number(signs) / Number(clipping.sign), owners * clipping.sampling);
}

function gradientNames(map: FeatureMap, { outputs, learned }: Coefficients): string[] {
  const classes = outputs === 1 ? [''] : (map.classes ?? []).map((name) => ` for ${name}`);
  const names = classes.flatMap((ofClass) => map.columns.map((column) => `gradient of ${column}${ofClass}`));
  return learned === undefined ? names : Array.from(learned, (position) => names[position] ?? '');
}

function foldNames(map: FeatureMap, folds: number): string[] {
  const names = triangleNames(map.columns, fieldName(map.target));
  if (folds === 1) return names;
  return Array.from({ length: folds }, (_, fold) => names.map((name) => `${name} in fold ${fold + 1}`)).flat();
}

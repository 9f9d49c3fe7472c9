/**
 * What a model and the number of its owners fix before any key is used: columns, task, plan and noise. The model owner
 * computes them to propose a job and every data owner computes them again to accept one, so nobody has to believe another's
 * arithmetic.
 */
import { createPlan, type Plan } from '../encoding/plan.ts';
import { greatestChange, signShare } from '../learning/allowance.ts';
import { encryptedGradientOf } from '../learning/encrypted-gradient.ts';
import { compileFeatures, type FeatureMap } from '../learning/features.ts';
import { type ClosingTask, closingTaskOf } from '../learning/inference/closing-task.ts';
import type { Model } from '../learning/model.ts';
import type { AnyModel } from '../learning/model-document.ts';
import { isStatistics } from '../learning/statistics/model.ts';
import { compileColumns, type StatisticsMap } from '../learning/statistics/records.ts';
import { type AnyTask, createStatisticsTask, type StatisticsTask } from '../learning/statistics/task.ts';
import { createTask, mostRoundsOf, type Task } from '../learning/task.ts';
import { type Calibration, calibrate, greatestDraw, type PrivacyTarget } from '../privacy/calibration.ts';
import type { PrivacyMode } from '../privacy/mode.ts';
import { multiplyRationals, type Rational, rational, toNumber } from '../privacy/rational.ts';
import type { PrivacyTerms } from '../privacy/statement.ts';
import type { WireNoise } from './job-messages.ts';

/** What the document of every job says, whatever is summed. */
export interface JobSettings {
  readonly encryption: { readonly key_bits: number };
  readonly participation: {
    /** The least number of contributors of a round. */
    readonly quorum: number;
    readonly deadline_seconds: number;
    /** How long the first round waits for owners that have not answered; absent: as long as a round would. */
    readonly answer_seconds?: number | undefined;
    /** How many owners must be ready before the first round; absent: it waits until all have answered. */
    readonly target_owners?: number | undefined;
    /** Who may contribute; whoever the job names unless given. */
    readonly roster?: readonly string[] | undefined;
  };
  /** Absent: no differential privacy. */
  readonly privacy?: PrivacyMode | undefined;
  /** Whether owners see the parameters of every round; absent: where there are any, they do. */
  readonly model_visibility?: 'plain' | 'encrypted' | undefined;
}

/** What both sides compute of a job's document, whatever is summed. */
export interface SumTerms {
  readonly plan: Plan;
  /** Absent: no differential privacy. */
  readonly calibration: Calibration | undefined;
  /** Of the job's last round, where that sums something else. */
  readonly closing?: ClosingTerms | undefined;
}

/** Of a closing round. */
export interface ClosingTerms {
  readonly plan: Plan;
  /** Parameters that go out before it. */
  readonly parameterCount: number;
}

/** Of a model that is trained. */
export interface Terms extends SumTerms {
  readonly map: FeatureMap;
  readonly task: Task;
  readonly closing?: (ClosingTerms & { readonly task: ClosingTask }) | undefined;
}

/** Of one that asks for statistics. */
export interface StatisticsTerms extends SumTerms {
  readonly map: StatisticsMap;
  readonly task: StatisticsTask;
  readonly closing?: undefined;
}

export type AnyTerms = Terms | StatisticsTerms;

export function isOfStatistics(terms: AnyTerms): terms is StatisticsTerms {
  return terms.task.solver === 'statistics';
}

/**
 * Everything that follows from a model and the length of a roster, the same for whoever computes it: columns, task, plan, noise.
 *
 * @param owners how many owners the roster names
 * @throws SealsumError plan_unsafe, privacy_invalid, model_invalid
 */
export function termsOf(model: Model, owners: number): Terms;
export function termsOf(model: AnyModel, owners: number): AnyTerms;
export function termsOf(model: AnyModel, owners: number): AnyTerms {
  const calibration = calibrationOf(model);
  if (isStatistics(model)) {
    const task = createStatisticsTask(model);
    return { map: compileColumns(model), task, plan: planOf(task, calibration, owners), calibration };
  }
  const map = compileFeatures(model);
  const task = createTask(model, map, signShareOf(model, calibration));
  const closing = closingTaskOf(model, map);
  return {
    map,
    task,
    plan: planOf(task, calibration, owners),
    calibration,
    ...(closing === undefined
      ? {}
      : {
          closing: {
            task: closing,
            plan: planOf(closing, undefined, owners),
            parameterCount: closing.parameterCount,
          },
        }),
  };
}

function planOf(task: AnyTask, calibration: Calibration | undefined, owners: number): Plan {
  const { model } = task;
  return createPlan({
    keyBits: model.encryption.key_bits,
    length: task.length,
    owners,
    maxWeight: task.maxWeight,
    valueBound: task.valueBound,
    scale: task.scale,
    weightUnit: task.weightUnit,
    noiseBound: noiseBound(model, calibration, owners),
    tags: true,
  });
}

function calibrationOf(model: AnyModel): Calibration | undefined {
  const { privacy, participation, encryption } = model;
  if (privacy === undefined) return undefined;
  return calibrateSum(privacy, isStatistics(model) ? 1 : mostRoundsOf(model), {
    quorum: participation.quorum,
    greatest: greatestOf(model) ?? greatestChange(encryption),
  });
}

/** Where parameters are encrypted, what one record moves a sum by depends on how long they may be. */
function greatestOf(model: AnyModel): bigint | undefined {
  return isStatistics(model) ? undefined : encryptedGradientOf(model)?.greatestChange;
}

/**
 * The noise of each round of a job: between neighbours by substitution a sum differs by twice what one unit adds to it.
 *
 * @param greatest the L2 norm, in integers at the plan's scale, of what one unit may add to a sum
 * @throws SealsumError privacy_invalid
 */
export function calibrateSum(
  privacy: PrivacyMode & PrivacyTarget,
  rounds: number,
  { quorum, greatest }: { readonly quorum: number; readonly greatest: bigint },
): Calibration {
  const { place, neighbours, silent_owners: silent, sampling } = privacy;
  return calibrate(privacy, rounds, {
    sensitivity: neighbours === 'substitution' ? 2n * greatest : greatest,
    shares: place === 'data-owners' ? quorum - silent : undefined,
    sampling,
  });
}

/** Where the clip adapts: by the noise that every sum has at the least. */
function signShareOf({ privacy, encryption }: Model, calibration: Calibration | undefined): bigint | undefined {
  if (privacy === undefined || calibration === undefined) return undefined;
  return signShare(privacy, encryption, varianceOf(calibration));
}

/** σ² of the noise in every value of a sum, at the least. */
function varianceOf({ variance, shares = 1 }: Calibration): Rational {
  return multiplyRationals(rational(BigInt(shares)), variance);
}

/** What noise under encryption may add to a slot. After decryption nothing needs room. */
export function noiseBound(
  { privacy }: Pick<JobSettings, 'privacy'>,
  calibration: Calibration | undefined,
  owners: number,
): bigint {
  if (privacy === undefined || calibration === undefined || privacy.place === 'model-owner') return 0n;
  const draw = greatestDraw(calibration.variance);
  return privacy.place === 'facilitator' ? draw : draw * BigInt(owners);
}

/** The standard deviation of the noise in every value of a sum, in integers at the plan's scale, at the least; 0: none. */
export function noiseDeviation({ calibration }: Pick<SumTerms, 'calibration'>): number {
  if (calibration === undefined) return 0;
  return Math.sqrt(toNumber(varianceOf(calibration)));
}

/** The same in a sum of so many contributions, where everybody who is to adds its share. */
export function noiseDeviationOf({ calibration }: Pick<SumTerms, 'calibration'>, contributors: number): number {
  if (calibration === undefined) return 0;
  const draws = calibration.shares === undefined ? 1 : contributors;
  return Math.sqrt(draws * toNumber(calibration.variance));
}

/** What a job promises by these terms; undefined: no differential privacy. */
export function privacyTerms(
  { privacy, model_visibility: visibility }: Pick<JobSettings, 'privacy' | 'model_visibility'>,
  { calibration }: Pick<SumTerms, 'calibration'>,
): PrivacyTerms | undefined {
  if (privacy === undefined || calibration === undefined) return undefined;
  return { mode: privacy, calibration, encrypted: visibility === 'encrypted' };
}

/** The noise of these terms as a job descriptor states it. */
export function noiseToWire(
  { privacy }: Pick<JobSettings, 'privacy'>,
  { calibration }: Pick<SumTerms, 'calibration'>,
): WireNoise | null {
  if (privacy === undefined || calibration === undefined) return null;
  const { place, unit, neighbours, sampling } = privacy;
  return {
    place,
    unit,
    neighbours,
    ...(sampling === 1 ? {} : { sampling }),
    variance: String(calibration.variance.numerator / calibration.variance.denominator),
    ...(calibration.shares === undefined ? {} : { shares: calibration.shares }),
    rho_per_round: {
      numerator: String(calibration.rhoPerRound.numerator),
      denominator: String(calibration.rhoPerRound.denominator),
    },
    rounds: calibration.rounds,
  };
}

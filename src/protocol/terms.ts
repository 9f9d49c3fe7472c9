/**
 * What a model and the number of its owners fix before any key is used: columns, task, plan and noise. The model owner
 * computes them to propose a job and every data owner computes them again to accept one, so nobody has to believe another's
 * arithmetic.
 */
import { createPlan, type Plan } from '../encoding/plan.ts';
import { compileFeatures, type FeatureMap } from '../learning/features.ts';
import type { Model } from '../learning/model.ts';
import { createTask, type Task } from '../learning/task.ts';
import { type Calibration, calibrate } from '../privacy/calibration.ts';
import type { WireNoise } from './job-messages.ts';

export interface Terms {
  readonly map: FeatureMap;
  readonly task: Task;
  readonly plan: Plan;
  /** Absent: no differential privacy. */
  readonly calibration: Calibration | undefined;
}

/**
 * @param owners how many owners the roster names
 * @throws SealsumError plan_unsafe, privacy_invalid, model_invalid
 */
export function termsOf(model: Model, owners: number): Terms {
  const map = compileFeatures(model);
  const task = createTask(model, map);
  const plan = createPlan({
    keyBits: model.encryption.key_bits,
    length: task.length,
    owners,
    maxWeight: BigInt(model.participation.max_records),
    valueBound: task.valueBound,
    scale: task.scale,
    weightUnit: task.weightUnit,
    tags: true,
  });
  const calibration = model.privacy === undefined ? undefined : calibrate(model.privacy, task.rounds);
  return { map, task, plan, calibration };
}

/** The noise of these terms as a job descriptor states it. */
export function noiseToWire({ calibration, task }: Terms): WireNoise | null {
  if (calibration === undefined) return null;
  return {
    place: 'model-owner',
    variance: String(calibration.variance.numerator / calibration.variance.denominator),
    rho_per_round: {
      numerator: String(calibration.rhoPerRound.numerator),
      denominator: String(calibration.rhoPerRound.denominator),
    },
    rounds: task.rounds,
  };
}

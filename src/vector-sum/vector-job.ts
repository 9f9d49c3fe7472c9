/** How a data owner understands the document of a vector sum, and what its program takes it to be. */
import type { Understood } from '../contributing/acceptance.ts';
import { SealsumError } from '../errors.ts';
import type { JobDescriptor } from '../protocol/job-messages.ts';
import { isVectorSum, parseVectorSum, type VectorSum } from './document.ts';
import { vectorSumTerms } from './terms.ts';

export interface VectorJob extends Understood {
  readonly settings: VectorSum;
}

/** What a program is made for; a job that is otherwise is refused. What is left out may be anything. */
export type Expected = Partial<
  Pick<VectorSum, 'length' | 'bits' | 'levels' | 'bound' | 'norm' | 'max_weight' | 'parameters' | 'rounds'>
>;

/** @throws SealsumError model_invalid, plan_unsafe, privacy_invalid */
export function readVectorJob(document: JobDescriptor['model'], owners: number): VectorJob {
  if (!isVectorSum(document))
    throw new SealsumError('model_invalid', 'the job trains a model, and this client has a vector and no records', {
      field: 'model_type',
    });
  const settings = parseVectorSum(document);
  return {
    settings,
    terms: vectorSumTerms(settings, owners),
    rounds: settings.rounds,
    parameterCount: settings.parameters,
    adaptsClip: false,
    columns: [],
  };
}

/** @throws SealsumError plan_mismatch naming the first field in which a job is not what was expected */
export function requireExpected(sum: VectorSum, expected: Expected): void {
  for (const [field, value] of Object.entries(expected) as [keyof Expected, number | undefined][]) {
    const found = sum[field];
    if (value === undefined || found === value) continue;
    throw new SealsumError(
      'plan_mismatch',
      `${field}: this client is made for ${value}, the job has ${found ?? 'none'}`,
      { field },
    );
  }
}

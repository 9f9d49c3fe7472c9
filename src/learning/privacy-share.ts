/** The privacy settings of one of several jobs that keep a promise together. */

import { SealsumError } from '../errors.ts';
import { rhoFromEpsilon } from '../privacy/accounting/zcdp.ts';
import { isJsonObject, type JsonObject } from './json-object.ts';
import { probability } from './settings-schema.ts';

/**
 * @param privacy of a model.json
 * @param share of what it promises, in ρ
 * @param where completes the sentence of a refusal
 * @returns undefined where there is none; what makes no sense is given back, to be refused when the document is read
 * @throws SealsumError model_invalid where units are sampled, since what chance saves is no share of ρ
 */
export function shareOfPrivacy(privacy: unknown, share: number, where: string): JsonObject | undefined {
  if (!isJsonObject(privacy)) return undefined;
  const { epsilon, rho, ...others } = privacy;
  if (others.sampling !== undefined && others.sampling !== 1)
    throw new SealsumError('model_invalid', `privacy.sampling: not ${where}`, { field: 'privacy.sampling' });
  const total = totalOf(epsilon, others.delta, rho);
  if (total === undefined) return privacy;
  // A little less, so that no rounding makes all of them more than the whole.
  return { ...others, rho: total * share * (1 - 2 ** -48) };
}

function totalOf(epsilon: unknown, delta: unknown, rho: unknown): number | undefined {
  if (typeof rho === 'number' && rho > 0 && epsilon === undefined) return rho;
  if (typeof epsilon !== 'number' || !(epsilon > 0) || !probability.safeParse(delta).success) return undefined;
  return rhoFromEpsilon(epsilon, delta as number);
}

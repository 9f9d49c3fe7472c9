/**
 * How the allowance of a unit is divided among what is asked for. With differential privacy a unit, a record or a whole owner, adds
 * one integer vector of L2 norm at most S to the sum: s₀ for the count, and within each group g one of norm at most s_g,
 *
 *     s₀² + Σ s_g² ≤ S²,   s_g² = S²·w_g·c_g / Σ w·c
 *
 * where c_g is the greatest norm of what a record adds to the group, 1 for the count, and w_g the weight of the group's kind. A value of
 * the group then has noise of variance σ²c_g²/s_g², and with equal weights no other division makes the sum of these variances, one
 * for the count and for each group, less (by the inequality of Cauchy and Schwarz).
 */
import { SealsumError } from '../../errors.ts';
import type { PrivacyUnit } from '../../privacy/mode.ts';
import { greatestChange } from '../allowance.ts';
import type { Group } from './groups.ts';
import type { StatisticsModel } from './model.ts';

export interface StatisticsAllowance {
  readonly unit: PrivacyUnit;
  /** s₀: the integer that stands for one unit. */
  readonly count: bigint;
  /** s_g: the integer length that stands for the greatest norm of a group. */
  readonly groups: readonly bigint[];
}

/** The least share with which a value is told apart from nothing. */
const leastShare = 16n;

/**
 * @returns undefined without privacy
 * @throws SealsumError privacy_invalid naming the entry of which next to nothing would be left
 */
export function divideAmongGroups(
  { privacy, encryption, statistics: { weights } }: StatisticsModel,
  groups: readonly Group[],
): StatisticsAllowance | undefined {
  if (privacy === undefined) return undefined;
  const asked = [weights?.count ?? 1, ...groups.map(({ kind, norm }) => (weights?.[kind] ?? 1) * norm)];
  const greatest = greatestChange(encryption);
  const total = asked.reduce((sum, each) => sum + each, 0);
  const shares = asked.map((each) => BigInt(Math.floor(Number(greatest) * Math.sqrt(each / total))));
  // What doubles have rounded up is taken off again, so that the bound holds exactly.
  while (shares.reduce((sum, share) => sum + share ** 2n, 0n) > greatest ** 2n)
    for (const [index, share] of shares.entries()) shares[index] = share - 1n;
  const small = shares.findIndex((share) => share < leastShare);
  if (small >= 0) {
    const field = small === 0 ? 'statistics.weights.count' : (groups[small - 1]?.field ?? 'statistics');
    throw new SealsumError('privacy_invalid', `${field}: next to nothing of the allowance is left; ask for less`, {
      field,
    });
  }
  const [count = 0n, ...rest] = shares;
  return { unit: privacy.unit, count, groups: rest };
}

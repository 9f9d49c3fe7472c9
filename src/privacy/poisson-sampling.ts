/**
 * Poisson sampling: every unit takes part in a round by a coin of its own, as the accountants assume (Mironov, Talwar, Zhang 2019,
 * section 3). Nobody but the tosser may know who did: what the chance saves rests on it.
 */
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { randomWordsFrom } from '../paillier/random-words.ts';
import { bernoulli } from './bernoulli.ts';
import { rationalFromNumber } from './rational.ts';

/**
 * The positions, ascending, of those among `count` units that take part: each with exactly the probability that the double
 * is, independently.
 *
 * Throws `privacy_invalid` unless `count` is a whole number of at least 0 and 0 < probability ≤ 1.
 */
export function poissonSample(count: number, probability: number, random: RandomBytes): number[] {
  if (!Number.isSafeInteger(count) || count < 0)
    throw new SealsumError('privacy_invalid', `count: expected a whole number of at least 0, got ${count}`, {
      field: 'count',
    });
  if (!(probability > 0 && probability <= 1))
    throw new SealsumError('privacy_invalid', `sampling: expected more than 0 and at most 1, got ${probability}`, {
      field: 'sampling',
    });
  const { numerator, denominator } = rationalFromNumber(probability);
  const words = randomWordsFrom(random);
  const chosen: number[] = [];
  for (let index = 0; index < count; index += 1) if (bernoulli(numerator, denominator, words)) chosen.push(index);
  return chosen;
}

/**
 * What a model says about the privacy of the records behind it: the promise in numbers, whom it protects against and
 * whom it does not, as data for JSON (names as on the wire).
 */
import { SealsumError } from '../errors.ts';
import { epsilonFromRho } from './accounting/zcdp.ts';
import type { Calibration } from './calibration.ts';
import { formatRational, multiplyRationals, type Rational, rational, toNumberAbove } from './rational.ts';

/** ρ over a number of rounds, and the ε that it gives with δ; null where no δ was chosen. */
export interface PrivacyLoss {
  readonly rounds: number;
  /** The exact value as a fraction in lowest terms, and the least double not below it. */
  readonly rho: { readonly fraction: string; readonly number: number };
  readonly epsilon: number | null;
  readonly delta: number | null;
}

export interface PrivacyPromise {
  readonly guarantee: 'zero-concentrated differential privacy';
  /** Whose presence is hidden, and what its absence means: a record's vector replaced by zeros. */
  readonly unit: 'record';
  readonly neighbours: 'zero-out';
  /** Who adds the noise. */
  readonly place: 'model-owner';
  readonly noise: {
    readonly distribution: 'discrete gaussian';
    /** σ² on each coordinate of a sum, and the L2 norm one record may have in it, in the same integer units (decimal). */
    readonly variance: string;
    readonly sensitivity: string;
  };
  /** What holds for the job as a whole, however many of its rounds run. */
  readonly promised: PrivacyLoss;
  /** What the rounds run so far have used up of it. */
  readonly spent: PrivacyLoss;
  readonly protects_against: readonly string[];
  readonly does_not_protect_against: readonly string[];
}

export interface NoPrivacy {
  readonly guarantee: 'no differential privacy';
  readonly protects_against: readonly string[];
  readonly does_not_protect_against: readonly string[];
}

export type PrivacyStatement = PrivacyPromise | NoPrivacy;

/**
 * The statement of a job after `roundsRun` of its rounds; without a calibration, that there is no differential privacy.
 *
 * Throws `privacy_invalid` when more rounds ran than the noise was calibrated for.
 */
export function privacyStatement(calibration: Calibration | undefined, roundsRun: number): PrivacyStatement {
  if (calibration === undefined) return noPrivacy;
  if (!Number.isSafeInteger(roundsRun) || roundsRun < 0 || roundsRun > calibration.rounds) {
    throw new SealsumError(
      'privacy_invalid',
      `rounds: the noise is calibrated for at most ${calibration.rounds}, got ${roundsRun}`,
      { field: 'rounds' },
    );
  }
  const { variance, sensitivity, rounds, rhoPerRound, rhoTotal, epsilon, delta } = calibration;
  return {
    guarantee: 'zero-concentrated differential privacy',
    unit: 'record',
    neighbours: 'zero-out',
    place: 'model-owner',
    noise: {
      distribution: 'discrete gaussian',
      variance: formatRational(variance),
      sensitivity: sensitivity.toString(),
    },
    promised: { rounds, rho: fractionAndNumber(rhoTotal), epsilon: epsilon ?? null, delta: delta ?? null },
    spent: spentAfter(roundsRun, rhoPerRound, epsilon, delta),
    protects_against: [
      'Whoever sees the model, its parameters after any round, its metrics or its predictions, and wants to learn whether one record was used or what it said.',
      'The other data owners, who receive the parameters of every round.',
    ],
    does_not_protect_against: [
      'The model owner: it decrypts the exact sum of every round before it adds the noise, and nobody else can check that it does.',
      'The facilitator and the model owner together: they can open the contribution of a single data owner.',
      'Conclusions about a person with several records: k records together spend k² times the rho.',
      'Knowing which data owners took part, and what model.json declares: columns, ranges and levels are public.',
      'Conclusions that hold without any one record, drawn about a person from what is true of the records as a whole.',
      'Stopping early: when the rounds themselves decided to stop, what was promised counts, not what was spent.',
    ],
  };
}

const noPrivacy: NoPrivacy = {
  guarantee: 'no differential privacy',
  protects_against: [
    'The facilitator and the other data owners: they never see the contribution of a single data owner, only its ciphertext.',
  ],
  does_not_protect_against: [
    'Whoever sees the model or its parameters after any round: they follow from the exact sums and may give away single records.',
    'The model owner: it learns the exact sum of every round.',
    'The facilitator and the model owner together: they can open the contribution of a single data owner.',
  ],
};

function spentAfter(
  rounds: number,
  rhoPerRound: Rational,
  promisedEpsilon: number | undefined,
  delta: number | undefined,
): PrivacyLoss {
  const rho = fractionAndNumber(multiplyRationals(rational(BigInt(rounds)), rhoPerRound));
  if (delta === undefined || promisedEpsilon === undefined) return { rounds, rho, epsilon: null, delta: null };
  return { rounds, rho, epsilon: Math.min(promisedEpsilon, epsilonFromRho(rho.number, delta).epsilon), delta };
}

function fractionAndNumber(value: Rational): { fraction: string; number: number } {
  return { fraction: formatRational(value), number: toNumberAbove(value) };
}

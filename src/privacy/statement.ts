/**
 * What a model says about the privacy of the records behind it: the promise in numbers, whom it protects against and
 * whom it does not, as data for JSON (names as on the wire).
 */
import { SealsumError } from '../errors.ts';
import { epsilonOf, roundsOf } from './accounting/composition.ts';
import { epsilonFromRho } from './accounting/zcdp.ts';
import { type Calibration, rhoOfRound } from './calibration.ts';
import type { Neighbours, NoisePlace, PrivacyMode, PrivacyUnit } from './mode.ts';
import { addRationals, formatRational, multiplyRationals, type Rational, rational, toNumberAbove } from './rational.ts';

/** ρ over a number of rounds, and the ε that they give with δ; null where no δ was chosen. */
export interface PrivacyLoss {
  readonly rounds: number;
  /** With no regard to sampling, which only ε counts: the exact value as a fraction in lowest terms, and the least double not below it. */
  readonly rho: { readonly fraction: string; readonly number: number };
  readonly epsilon: number | null;
  readonly delta: number | null;
}

export interface PrivacyPromise {
  readonly guarantee: 'zero-concentrated differential privacy' | 'Rényi differential privacy with Poisson sampling';
  /** What is hidden. */
  readonly unit: PrivacyUnit;
  /** What differs between data sets that nobody is to tell apart: one unit's vector, replaced by zeros or by any other. */
  readonly neighbours: Neighbours;
  /** Who adds the noise. */
  readonly place: NoisePlace;
  readonly noise: {
    readonly distribution: 'discrete gaussian';
    /** σ² of one draw on each coordinate of a sum, and the L2 distance of neighbours' sums, in the same integer units (decimal). */
    readonly variance: string;
    readonly sensitivity: string;
    /** How many draws a sum has at least, where data owners add them. */
    readonly shares?: number;
  };
  /** With which probability a unit takes part in a round, by a coin of its own; absent: all of them do. */
  readonly sampling?: number;
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

/** What a job promises about records or owners, against whom, and against whom not; or that it promises nothing. */
export type PrivacyStatement = PrivacyPromise | NoPrivacy;

/** What a job has chosen, and what follows from it. */
export interface PrivacyTerms {
  readonly mode: PrivacyMode;
  readonly calibration: Calibration;
  /** Whether data owners do not see the parameters, whose length the noise rests on. */
  readonly encrypted?: boolean | undefined;
}

/**
 * The statement of a job after `roundsRun` of its rounds; without terms, that there is no differential privacy.
 *
 * @param rho what these rounds have spent; unless told, what they were promised to spend at most
 * @throws SealsumError privacy_invalid when more rounds ran than the noise was calibrated for
 */
export function privacyStatement(terms: PrivacyTerms | undefined, roundsRun: number, rho?: Rational): PrivacyStatement {
  if (terms === undefined) return noPrivacy;
  const { mode, calibration, encrypted = false } = terms;
  if (!Number.isSafeInteger(roundsRun) || roundsRun < 0 || roundsRun > calibration.rounds) {
    throw new SealsumError(
      'privacy_invalid',
      `rounds: the noise is calibrated for at most ${calibration.rounds}, got ${roundsRun}`,
      { field: 'rounds' },
    );
  }
  const { variance, sensitivity, shares, sampling, rounds, rhoPerRound, rhoTotal, epsilon, delta } = calibration;
  const spent = rho ?? multiplyRationals(rational(BigInt(roundsRun)), rhoPerRound);
  return {
    guarantee:
      sampling === 1 ? 'zero-concentrated differential privacy' : 'Rényi differential privacy with Poisson sampling',
    unit: mode.unit,
    neighbours: mode.neighbours,
    place: mode.place,
    noise: {
      distribution: 'discrete gaussian',
      variance: formatRational(variance),
      sensitivity: sensitivity.toString(),
      ...(shares === undefined ? {} : { shares }),
    },
    ...(sampling === 1 ? {} : { sampling }),
    promised: { rounds, rho: fractionAndNumber(rhoTotal), epsilon: epsilon ?? null, delta: delta ?? null },
    spent: spentAfter(roundsRun, spent, calibration),
    protects_against: protectsAgainst(mode, encrypted),
    does_not_protect_against: doesNotProtectAgainst(mode, encrypted),
  };
}

/**
 * The statement once one more round is opened: what it spends depends on how many have added their share of the noise.
 *
 * @param contributors to that round
 * @param before ρ of the rounds before it
 */
export function statementAfter(
  terms: PrivacyTerms | undefined,
  roundsRun: number,
  contributors: number,
  before: Rational,
): PrivacyStatement {
  if (terms === undefined) return noPrivacy;
  const { mode, calibration } = terms;
  const shares = calibration.shares === undefined ? undefined : contributors - mode.silent_owners;
  return privacyStatement(terms, roundsRun, addRationals(before, rhoOfRound(calibration, shares)));
}

function protectsAgainst({ place, unit, silent_owners: silent }: PrivacyMode, encrypted: boolean): string[] {
  const what =
    unit === 'record' ? 'whether one record was used or what it said' : 'what the records of one data owner said';
  const seen = [
    `Whoever sees the model, its parameters after any round, its metrics or its predictions, and wants to learn ${what}.`,
    encrypted
      ? 'The other data owners, who receive the parameters of every round as ciphertexts.'
      : 'The other data owners, who receive the parameters of every round.',
  ];
  if (place === 'model-owner') return seen;
  const sums = 'The model owner: every sum that it decrypts has the noise in it already.';
  if (place === 'facilitator') return [...seen, sums];
  const silence = silent === 1 ? 'one data owner adds' : `${silent} data owners add`;
  return [
    ...seen,
    silent === 0
      ? sums
      : `${sums.slice(0, -1)}, even when ${silence} none or tell${silent === 1 ? 's' : ''} the model owner theirs.`,
  ];
}

function doesNotProtectAgainst(
  { place, unit, silent_owners: silent, sampling }: PrivacyMode,
  encrypted: boolean,
): string[] {
  const adders = {
    'model-owner': [
      'The model owner: it decrypts the exact sum of every round before it adds the noise, and nobody else can check that it does.',
      'The facilitator and the model owner together: they can open the contribution of a single data owner.',
    ],
    facilitator: [
      'The facilitator: it draws the noise, and nobody else can check that it does.',
      'The facilitator and the model owner together: they can open the contribution of a single data owner, and take the noise off a sum.',
    ],
    'data-owners': [
      `More than ${silent} data owners who add no noise, or tell the model owner theirs: each of them takes one share off the sum.`,
      'The facilitator and the model owner together: they can open the contribution of a single data owner, which has one share of the noise and no more.',
    ],
  } as const;
  const person =
    unit === 'record'
      ? ['Conclusions about a person with several records: k records together spend k² times the rho.']
      : ['Conclusions about a person with records at several data owners: k owners together spend k² times the rho.'];
  return [
    ...adders[place],
    ...(encrypted && place !== 'model-owner'
      ? ['A model owner that encrypts parameters beyond their bound: nobody else can check that it keeps to it.']
      : []),
    ...person,
    ...(sampling === 1
      ? []
      : [`Whoever learns which ${unit}s took part in a round: the chance that one did not is part of the promise.`]),
    'Knowing which data owners took part, and what model.json declares: columns, ranges and levels are public.',
    'Conclusions that hold without any one record, drawn about a person from what is true of the records as a whole.',
    'Stopping early: when the rounds themselves decided to stop, what was promised counts, not what was spent.',
  ];
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

/** With sampling, ε is that of rounds with the least shares of the noise that any may have. */
function spentAfter(rounds: number, spent: Rational, calibration: Calibration): PrivacyLoss {
  const { epsilon: promised, delta, sampling, rhoPerRound } = calibration;
  const rho = fractionAndNumber(spent);
  if (delta === undefined || promised === undefined) return { rounds, rho, epsilon: null, delta: null };
  let { epsilon } = epsilonFromRho(rho.number, delta);
  if (sampling < 1 && rounds > 0)
    epsilon = Math.min(epsilon, epsilonOf(roundsOf({ rho: rhoPerRound, sampling }, rounds), delta).epsilon);
  return { rounds, rho, epsilon: Math.min(promised, epsilon), delta };
}

function fractionAndNumber(value: Rational): { fraction: string; number: number } {
  return { fraction: formatRational(value), number: toNumberAbove(value) };
}

/** The exact ρ that a statement says was spent; 0 where there is no differential privacy. */
export function spentRho(statement: PrivacyStatement): Rational {
  if (statement.guarantee === 'no differential privacy') return rational(0n);
  const [numerator = '0', denominator = '1'] = statement.spent.rho.fraction.split('/');
  return rational(BigInt(numerator), BigInt(denominator));
}

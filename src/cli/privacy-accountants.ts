/** `sealsum privacy --accountant`: which options each accountant takes, and what it answers to them. */
import { SealsumError } from '../errors.ts';
import { ACCOUNTANTS, type Accountant } from '../privacy/accounting/accountants.ts';
import {
  type DistributedGaussianRounds,
  epsilonOfDistributedGaussian,
} from '../privacy/accounting/distributed-gaussian.ts';
import { epsilonOfSkellam } from '../privacy/accounting/skellam.ts';
import { epsilonFromRho } from '../privacy/accounting/zcdp.ts';
import { usageError } from './program.ts';

/** The numbers that options give. */
export interface Parameters {
  readonly delta?: number;
  readonly rounds?: number;
  readonly sampling?: number;
  readonly noiseMultiplier?: number;
  readonly rho?: number;
  readonly clients?: number;
  readonly localStddev?: number;
  readonly centralStddev?: number;
  readonly dimension?: number;
  readonly scale?: number;
  readonly gamma?: number;
  readonly l2Clip?: number;
  readonly beta?: number;
}

type Parameter = keyof Parameters;
export type AccountantName = Accountant['name'] | 'ddgauss' | 'skellam';

/** ε of all rounds, and the Rényi order it was reached at, null where there is none. */
export interface Answer {
  readonly epsilon: number;
  readonly order: number | null;
}

interface Entry {
  /** Of each group exactly one must be said. */
  readonly needs: readonly (readonly Parameter[])[];
  readonly takes: readonly Parameter[];
  readonly answer: (parameters: Parameters) => Answer;
}

const ofRoundedVectors = {
  needs: [['delta'], ['dimension'], ['scale', 'gamma']],
  takes: ['l2Clip', 'beta', 'rounds', 'sampling'],
} as const;

const entries: ReadonlyMap<AccountantName, Entry> = new Map([
  ...ACCOUNTANTS.map((accountant) => [accountant.name, entryOf(accountant)] as const),
  [
    'ddgauss',
    {
      needs: [...ofRoundedVectors.needs, ['clients'], ['localStddev']],
      takes: ofRoundedVectors.takes,
      answer: ({ clients = Number.NaN, localStddev = Number.NaN, ...rest }) =>
        epsilonOfDistributedGaussian({
          ...roundedVectors(rest),
          contributors: clients,
          localStandardDeviation: localStddev,
        }),
    },
  ],
  [
    'skellam',
    {
      needs: [...ofRoundedVectors.needs, ['centralStddev']],
      takes: ofRoundedVectors.takes,
      answer: ({ centralStddev = Number.NaN, ...rest }) =>
        epsilonOfSkellam({ ...roundedVectors(rest), centralStandardDeviation: centralStddev }),
    },
  ],
] satisfies (readonly [AccountantName, Entry])[]);

/** What can be asked by itself. */
export const accountantNames: readonly AccountantName[] = [...entries.keys()];

/**
 * What one accountant finds.
 *
 * Throws a usage error that names the options which are missing, too many or do not go together, and `privacy_invalid` where a
 * number is out of range.
 */
export function answerOf(name: AccountantName, parameters: Parameters): Answer {
  const entry = entries.get(name);
  if (entry === undefined) throw usageError(`--accountant: there is no ${name}`);
  const said = (Object.keys(flags) as Parameter[]).filter((each) => parameters[each] !== undefined);
  for (const group of entry.needs) {
    const [one, other] = group.filter((each) => said.includes(each));
    if (other !== undefined && one !== undefined)
      throw usageError(`${flags[one]} and ${flags[other]} exclude each other`);
    if (one === undefined)
      throw usageError(`--accountant ${name} needs ${group.map((each) => flags[each]).join(' or ')}`);
  }
  const taken = [...entry.needs.flat(), ...entry.takes];
  const stray = said.find((each) => !taken.includes(each));
  if (stray !== undefined) throw usageError(`${flags[stray]} does not go with --accountant ${name}`);
  return entry.answer(parameters);
}

function entryOf({ name, sampling: counted, epsilonOf }: Accountant): Entry {
  return {
    needs: [['delta'], name === 'zcdp' ? ['rho', 'noiseMultiplier'] : ['noiseMultiplier']],
    takes: ['rounds', 'sampling'],
    answer: ({ delta = Number.NaN, rounds, sampling = 1, noiseMultiplier = Number.NaN, rho }) => {
      if (sampling < 1 && counted !== 'counted') {
        throw usageError(`--accountant ${name} takes no --sampling into account; leave it out, or ask rdp or pld`);
      }
      if (rho === undefined) return epsilonOf({ noiseMultiplier, sampling, rounds: rounds ?? 1 }, delta);
      if (rounds !== undefined)
        throw usageError('--rounds does not go with --rho, which is that of all rounds together');
      if (!(rho > 0)) throw outOfRange('rho', rho);
      return epsilonFromRho(rho, delta);
    },
  };
}

function roundedVectors(
  parameters: Parameters,
): Omit<DistributedGaussianRounds, 'contributors' | 'localStandardDeviation'> & { readonly delta: number } {
  const { delta = Number.NaN, dimension = Number.NaN, scale, gamma = Number.NaN } = parameters;
  const { l2Clip = 1, beta = 0, rounds = 1, sampling = 1 } = parameters;
  if (scale === undefined && !(gamma > 0)) throw outOfRange('gamma', gamma);
  return { delta, dimension, scale: scale ?? 1 / gamma, clip: l2Clip, beta, rounds, sampling };
}

/** The options, by the number they give. */
export const flags: Readonly<Record<Parameter, string>> = {
  delta: '--delta',
  rounds: '--rounds',
  sampling: '--sampling',
  noiseMultiplier: '--noise-multiplier',
  rho: '--rho',
  clients: '--clients',
  localStddev: '--local-stddev',
  centralStddev: '--central-stddev',
  dimension: '--dimension',
  scale: '--scale',
  gamma: '--gamma',
  l2Clip: '--l2-clip',
  beta: '--beta',
};

/** The options, by the field that accountants name. */
const flagOfField: Readonly<Record<string, string>> = {
  epsilon: '--epsilon',
  delta: '--delta',
  rounds: '--rounds',
  sampling: '--sampling',
  noise_multiplier: '--noise-multiplier',
  rho: '--rho',
  contributors: '--clients',
  local_standard_deviation: '--local-stddev',
  central_standard_deviation: '--central-stddev',
  dimension: '--dimension',
  scale: '--scale',
  clip: '--l2-clip',
  beta: '--beta',
};

/** A number out of range is a wrong use of the option that gave it; anything else stays as it is. */
export function inOptions(error: unknown, { gamma, rho }: Parameters): unknown {
  if (!(error instanceof SealsumError) || error.code !== 'privacy_invalid' || error.field === undefined) return error;
  let flag = flagOfField[error.field];
  // Found from what was said.
  if (error.field === 'scale' && gamma !== undefined) flag = '--gamma: scale';
  if (error.field === 'rho' && rho === undefined) flag = '--noise-multiplier: rho';
  if (flag === undefined || !error.message.startsWith(`${error.field}: `)) return error;
  return usageError(`${flag}${error.message.slice(error.field.length)}`);
}

function outOfRange(parameter: Parameter, value: number): Error {
  return usageError(`${flags[parameter]}: expected more than 0, got ${value}`);
}

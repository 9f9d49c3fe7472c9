/** `sealsum privacy`: noise for a promise, and what is lost over rounds, as each accountant finds it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SealsumError } from '../errors.ts';
import { writeLine } from './files.ts';
import {
  type AccountantName,
  accountantNames,
  answerOf,
  flags,
  inOptions,
  type Parameters,
} from './privacy-accountants.ts';
import { answersTo, chartOf, jsonOf, type Question, tableOf } from './privacy-table.ts';
import { usageError } from './program.ts';

const help = `
Without --accountant: a table of the noise that each accountant needs for --epsilon, or of what each finds for
--noise-multiplier. With --accountant: {"epsilon": …, "order": …} as that one finds it, where order is null unless it has one.

  zcdp      --rho of all rounds together, or --noise-multiplier and --rounds
  rdp, pld  --noise-multiplier, --rounds, --sampling
  gaussian  --noise-multiplier, --rounds
  ddgauss   --clients and --local-stddev, of as many shares of discrete Gaussian noise; --dimension, --scale or --gamma,
            --l2-clip, --beta, --rounds, --sampling
  skellam   --central-stddev of all shares together; the rest as ddgauss

Examples:
  sealsum privacy --epsilon 1 --delta 1e-5 --rounds 100 --sampling 0.1
  sealsum privacy --noise-multiplier 4 --delta 1e-5 --rounds 1000 --sampling 0.1 --plot epsilon.svg
  sealsum privacy --json --accountant zcdp --rho 0.5 --delta 1e-6
  sealsum privacy --json --accountant rdp --noise-multiplier 1 --sampling 0.1 --rounds 100 --delta 1e-5
  sealsum privacy --json --accountant ddgauss --clients 10 --local-stddev 0.64 --scale 65536 --dimension 1024 --rounds 100 --delta 1e-5`;

interface Options extends Parameters {
  readonly epsilon?: number;
  readonly accountant?: AccountantName;
  readonly json: boolean;
  readonly plot?: string;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerPrivacyCommand(program: Command, print: (text: string) => void = console.log): void {
  program
    .command('privacy')
    .summary('find the noise for a promise of privacy, or what noise promises')
    .description('Say how much noise an (epsilon, delta) over many rounds needs, or which epsilon noise gives.')
    .option('--epsilon <number>', 'what may be lost over all rounds', parseNumber)
    .option('--delta <number>', 'the probability that more is lost', parseNumber)
    .option('--rounds <count>', 'how many rounds run (default: 1)', parseNumber)
    .option('--sampling <probability>', 'that a unit takes part in a round (default: 1)', parseNumber)
    .option(
      '--noise-multiplier <number>',
      'standard deviation of the noise, in greatest L2 norms of a unit',
      parseNumber,
    )
    .addOption(new Option('--accountant <name>', 'ask only this one').choices(accountantNames))
    .option('--json', 'print JSON, as --accountant does in any case', false)
    .option('--plot <file>', 'write epsilon over rounds as an SVG file')
    .option('--rho <number>', 'zcdp: what all rounds together lose', parseNumber)
    .option('--clients <count>', 'ddgauss: how many contribute, each with its share of the noise', parseNumber)
    .option(
      '--local-stddev <number>',
      'ddgauss: standard deviation of one share, in the units of --l2-clip',
      parseNumber,
    )
    .option(
      '--central-stddev <number>',
      'skellam: standard deviation of all shares, in the units of --l2-clip',
      parseNumber,
    )
    .option('--dimension <count>', 'ddgauss, skellam: coordinates of a vector', parseNumber)
    .option('--scale <number>', 'ddgauss, skellam: how many whole numbers stand for a length of 1', parseNumber)
    .option('--gamma <number>', 'ddgauss, skellam: 1/scale', parseNumber)
    .option('--l2-clip <number>', 'ddgauss, skellam: the L2 norm vectors are clipped to (default: 1)', parseNumber)
    .option('--beta <number>', 'ddgauss, skellam: how likely rounding is to be repeated (default: 0)', parseNumber)
    .addHelpText('after', help)
    .action(async (options: Options) => {
      try {
        print(options.accountant === undefined ? await tableFor(options) : answerFor(options.accountant, options));
      } catch (error) {
        throw inOptions(error, options);
      }
    });
}

function answerFor(accountant: AccountantName, options: Options): string {
  for (const name of ['epsilon', 'plot'] as const) {
    if (options[name] !== undefined) throw usageError(`--${name} goes with the table of all, not with --accountant`);
  }
  const { epsilon, order } = answerOf(accountant, options);
  if (!Number.isFinite(epsilon)) {
    throw new SealsumError(
      'privacy_invalid',
      `${accountant} finds no finite epsilon for this delta; ask another, or choose a greater delta`,
    );
  }
  return JSON.stringify({ epsilon, order });
}

async function tableFor(options: Options): Promise<string> {
  const question = questionOf(options);
  const answers = answersTo(question);
  // The file first: where it cannot be written, nothing is printed.
  if (options.plot !== undefined) await writeLine(options.plot, chartOf(question, answers).trimEnd());
  return options.json ? JSON.stringify(jsonOf(question, answers)) : tableOf(question, answers);
}

/** What the table is about. Throws a usage error where options are missing or do not go together. */
function questionOf(options: Options): Question {
  for (const name of tableless) {
    if (options[name] !== undefined) throw usageError(`${flags[name]} goes with --accountant`);
  }
  const { epsilon, delta, rounds = 1, sampling = 1, noiseMultiplier, plot } = options;
  if (epsilon !== undefined && noiseMultiplier !== undefined)
    throw usageError('--epsilon and --noise-multiplier exclude each other: each is found from the other');
  if (plot === '-') throw usageError('--plot needs a file; standard output has the table');
  if (delta === undefined) throw usageError('--delta is missing: the probability that more is lost, such as 1e-5');
  if (epsilon !== undefined) {
    if (!(epsilon > 0)) throw usageError(`--epsilon: expected more than 0, got ${epsilon}`);
    return { epsilon, delta, rounds, sampling };
  }
  if (noiseMultiplier === undefined)
    throw usageError('say with --epsilon what may be lost, or with --noise-multiplier how much noise there is');
  return { noiseMultiplier, delta, rounds, sampling };
}

const tableless = [
  'rho',
  'clients',
  'localStddev',
  'centralStddev',
  'dimension',
  'scale',
  'gamma',
  'l2Clip',
  'beta',
] as const satisfies readonly (keyof Parameters)[];

/** A finite number as people write it, such as 0.1 or 1e-5. */
function parseNumber(text: string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new InvalidArgumentError('expected a number such as 0.1 or 1e-5');
  return value;
}

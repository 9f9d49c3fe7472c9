/** `sealsum simulate-training`: a whole training of many owners in groups on this machine, and what it takes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FixedPointBits } from '../vector-sum/document.ts';
import { untilInterrupted, usageError } from './program.ts';
import { createProgress } from './progress.ts';
import { type Milestone, type SimulationReport, type SimulationSize, simulateTraining } from './training-simulation.ts';
import { wholeNumber } from './whole-number.ts';

const examples = `
Owners with random vectors look for their mean, step by step: every round sums their steps in groups that are drawn anew, each
folded by a facilitator of its own, and the groups by another. All of them speak HTTP; every sum is compared with the plain one.

Examples:
  sealsum simulate-training --owners 100 --groups 10 --milestones
  sealsum simulate-training --owners 20 --groups 4 --length 5000 --rounds 3
  sealsum simulate-training --owners 9 --groups 3 --length 100 --key-bits 2048 --json`;

interface Options extends Omit<SimulationSize, 'bits'> {
  readonly bits: string;
  readonly milestones: boolean;
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerSimulateTrainingCommand(program: Command, print: (text: string) => void = console.log): void {
  program
    .command('simulate-training')
    .summary('measure a training of many owners in groups, all on this machine')
    .description(
      'Run a training of many data owners in groups, folded by a tree of facilitators, and say what it takes.',
    )
    .option('--owners <count>', 'data owners', wholeNumber(4, 1000), 100)
    .option('--groups <count>', 'groups of a round, of two owners at least', wholeNumber(1, 100), 10)
    .option('--length <count>', 'values of a vector', wholeNumber(1, 2 ** 20), 1000)
    .option('--rounds <count>', 'rounds', wholeNumber(1, 1000), 1)
    .addOption(
      new Option('--bits <count>', 'the width of a fixed-point number').choices(['16', '32', '64']).default('32'),
    )
    .option('--key-bits <count>', 'of the Paillier key: a multiple of 256', keyBits, 3072)
    .option('--milestones', 'tell of each that is reached, and when', false)
    .option('--json', 'print one JSON object instead', false)
    .addHelpText('after', examples)
    .action(async (given: Options) => {
      const size = { ...given, bits: Number(given.bits) as FixedPointBits };
      if (size.owners < 2 * size.groups)
        throw usageError(
          `${size.groups} groups of two owners at least need ${2 * size.groups} owners, not ${size.owners}`,
        );
      const tells = given.milestones && !given.json;
      const total = size.owners * size.rounds;
      // Milestones are lines of their own, through which a bar would run.
      using bar = createProgress({ what: 'simulating', unit: 'contributions', total, json: given.json || tells });
      const report = await untilInterrupted((signal) =>
        simulateTraining({
          ...size,
          signal,
          ...(tells
            ? {
                onMilestone: (milestone: Milestone) => {
                  print(lineOf(milestone));
                },
              }
            : {}),
          onProgress: (done) => {
            bar.update(done);
          },
        }),
      );
      bar.stop();
      print(given.json ? JSON.stringify(report) : describe(report));
    });
}

function keyBits(text: string): number {
  const bits = wholeNumber(2048, 8192)(text);
  if (bits % 256 !== 0) throw new InvalidArgumentError('expected a multiple of 256');
  return bits;
}

function lineOf({ round, what, detail, seconds }: Milestone): string {
  return `round ${round}  ${seconds.toFixed(3).padStart(8)} s  ${what}: ${detail}`;
}

function describe(report: SimulationReport): string {
  const { owners, groups, rounds, length, bytes, distance, greatestError, explainedError, seconds } = report;
  const { modelOwner, owner, facilitators } = bytes;
  const forwarded = Object.values(facilitators).reduce((sum, { sent }) => sum + sent, 0);
  const round = (value: number): string => value.toPrecision(3);
  return [
    `${owners} owners in ${groups} groups, ${length} values, ${rounds === 1 ? '1 round' : `${rounds} rounds`}: ${seconds.toFixed(1)} s`,
    `every sum is the plain one: the greatest difference is ${round(greatestError)}, and rounding explains ${round(explainedError)}`,
    `distance from the mean of all: ${round(distance.before)} before, ${round(distance.after)} after`,
    `bytes of an owner: ${owner.mean.sent} sent, ${owner.mean.received} received`,
    `bytes of the model owner: ${modelOwner.sent} sent, ${modelOwner.received} received`,
    `bytes between facilitators: ${forwarded}`,
  ].join('\n');
}

/** What a model owner says of an averaging, under Flower's names and meanings, and the vector sum that it becomes. */
import { z } from 'zod';
import { roundHalfEven } from '../encoding/fixed-point.ts';
import { SealsumError } from '../errors.ts';
import { describeIssues, refuse } from '../learning/problems.ts';
import { number, wholeNumber } from '../learning/settings-schema.ts';
import type { Sends } from '../vector-sum/averaging-fields.ts';
import type { VectorSumOptions } from '../vector-sum/controller.ts';
import type { NamedNumbers } from './averaged-model.ts';
import { sampleSize } from './sampling.ts';
import type { Strategy, StrategyMemory } from './strategies.ts';
import { createTensorLayout, layoutOf, type NamedTensors, type TensorLayout } from './tensors.ts';

/** Which tensors are averaged, by name. */
export type Selection = readonly string[] | RegExp | ((name: string) => boolean);

type SumOptions = Pick<VectorSumOptions, 'privacy' | 'norm' | 'rounds' | 'roster' | 'keyBits' | 'name' | 'id'>;

/**
 * What is averaged and how: the model, the tensors of it, the strategy, and the options of the vector sum beneath.
 */
export interface AveragingOptions extends SumOptions {
  /** The whole model before the first round. */
  readonly initial: NamedTensors;
  /** The tensors that are averaged; the others never travel. All unless given. */
  readonly select?: Selection;
  /** What becomes of an average; fedAvg() unless given. */
  readonly strategy?: Strategy;
  /** What the strategy remembers of earlier rounds, as a job before this one gave it. */
  readonly memory?: StrategyMemory;
  /** Whether owners give their parameters, or what is to be added to the round's; `parameters` unless given. */
  readonly sends?: Sends;
  /** The greatest weight of an owner, a whole number: such as how many examples it has; 1000 unless given, 1 with privacy. */
  readonly maxWeight?: number;
  /** What owners give is clipped to ± this, value by value; 8 unless given. Not with `norm`. */
  readonly clippingRange?: number;
  /** Steps of the fixed point from −clippingRange to clippingRange, an even number; 2^22 unless given. */
  readonly quantizationRange?: number;
  /** Seconds for which a round waits for its owners, at most a day, which it is unless given. */
  readonly timeout?: number;
  /**
   * The quorum: from 2 on a number of owners; up to 1 a fraction of those whom a round asks where the whole roster is ready.
   * 2 unless given.
   */
  readonly reconstructionThreshold?: number;
  /** The fraction of the owners who are ready that a round asks; 1 unless given. */
  readonly fractionFit?: number;
  /** The least number of owners that a round asks; 2 unless given. */
  readonly minFitClients?: number;
  /**
   * How many owners must be ready before a round begins. Where neither this nor `minFitClients` is given, the first round waits
   * until all owners have answered, for the timeout at most.
   */
  readonly minAvailableClients?: number;
  /** Numbers that a round brings its owners, such as { localEpochs: 5 }; of every round the same names. None unless given. */
  readonly configure?: (round: number) => NamedNumbers;
  /** The names of numbers that owners give beside the tensors, to be averaged with them; clipped like them. None unless given. */
  readonly metrics?: readonly string[];
}

const owners = wholeNumber(1, 1_000_000);
/** What is looked at below, or in the document of the sum. */
const elsewhere = z.unknown().optional();
const callable = z.custom((value) => typeof value === 'function', { error: 'expected a function' }).optional();

const schema = z.strictObject(
  {
    initial: z.unknown(),
    select: elsewhere,
    strategy: callable,
    memory: z.array(z.instanceof(Float64Array), { error: 'expected a list of Float64Array' }).optional(),
    sends: elsewhere,
    configure: callable,
    metrics: elsewhere,
    privacy: elsewhere,
    norm: elsewhere,
    rounds: elsewhere,
    roster: elsewhere,
    keyBits: elsewhere,
    name: elsewhere,
    id: elsewhere,
    maxWeight: wholeNumber(1, 2 ** 32).optional(),
    clippingRange: number((value) => value >= 1e-100 && value <= 1e100, 'expected a number above 0').optional(),
    quantizationRange: number(
      (value) => value >= 2 && value <= 2 ** 52 && value % 2 === 0,
      'expected an even whole number from 2 to 2^52',
    ).default(2 ** 22),
    timeout: number((value) => value > 0 && value <= 86_400, 'expected seconds, above 0, at most 86400').default(
      86_400,
    ),
    reconstructionThreshold: number(
      (value) => value > 0 && (value <= 1 || Number.isInteger(value)),
      'expected a fraction above 0 and up to 1, or a number of owners from 2',
    ).default(2),
    fractionFit: number((value) => value >= 0 && value <= 1, 'expected a fraction from 0 to 1').default(1),
    minFitClients: owners.optional(),
    minAvailableClients: owners.optional(),
  },
  { error: 'expected an object' },
);

/** What is asked for, checked, with every default. */
export interface AveragingTerms {
  /** Of all tensors. */
  readonly whole: TensorLayout;
  /** Of those that are averaged. */
  readonly layout: TensorLayout;
  readonly fractionFit: number;
  /** At least as many as the quorum. */
  readonly minFitClients: number;
  readonly leastReady: number | undefined;
  readonly sum: VectorSumOptions;
}

/**
 * @param roster how many owners there are
 * @throws SealsumError model_invalid naming the option; data_invalid, number_not_finite and number_out_of_bounds naming the tensor;
 *   owners_too_few
 */
export function averagingTerms(options: AveragingOptions, roster: number): AveragingTerms {
  const parsed = schema.safeParse(options);
  if (!parsed.success) throw refuse(describeIssues(parsed.error.issues));
  const { reconstructionThreshold, fractionFit, minFitClients = 2, minAvailableClients = 2, ...values } = parsed.data;
  const quorum = quorumOf(reconstructionThreshold, sampleSize({ fractionFit, minFitClients }, roster));
  const isGiven = parsed.data.minFitClients !== undefined || parsed.data.minAvailableClients !== undefined;
  for (const [field, least] of Object.entries({ minFitClients, minAvailableClients, reconstructionThreshold: quorum }))
    if (least > roster)
      throw new SealsumError('owners_too_few', `${field}: ${least} owners are asked for, the roster names ${roster}`, {
        field,
      });
  const { initial, select, memory = [], sends = 'parameters', configure, metrics = [] } = options;
  const whole = layoutOf(initial);
  const layout = selectedLayout(whole, select);
  requireMemory(memory, layout);
  const { privacy, norm, rounds, keyBits, name, id } = options;
  const { clippingRange, maxWeight = privacy === undefined ? 1000 : 1, quantizationRange: levels } = values;
  if (norm !== undefined && clippingRange !== undefined)
    throw refuseOption('clippingRange', 'expected none with norm, to which whole updates are shortened');
  const bound = norm === undefined ? (clippingRange ?? 8) : undefined;
  if (sends === 'parameters' && bound !== undefined) requireWithin(bound, layout, initial);
  const settings = Object.keys(configure?.(1) ?? {});
  return {
    whole,
    layout,
    fractionFit,
    minFitClients: Math.max(minFitClients, quorum),
    leastReady: isGiven ? Math.max(minAvailableClients, minFitClients) : undefined,
    sum: {
      length: layout.length + metrics.length,
      bits: levels <= 2 ** 16 ? 16 : levels <= 2 ** 32 ? 32 : 64,
      levels,
      maxWeight,
      parameters: layout.length + settings.length,
      averaging: { tensors: layout.places.map(({ name, shape }) => ({ name, shape })), sends, settings, metrics },
      quorum,
      deadlineSeconds: values.timeout,
      ...defined({ bound, norm, privacy, rounds, roster: options.roster, keyBits, name, id }),
    },
  };
}

/** Without what was left out. */
function defined<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** Rounded to the nearest, ties to even, and two at least: Flower's threshold of a fraction of shares. */
function quorumOf(threshold: number, asked: number): number {
  return threshold <= 1 ? Math.max(2, roundHalfEven(threshold * asked)) : threshold;
}

/** @throws SealsumError model_invalid */
function selectedLayout(whole: TensorLayout, select: Selection | undefined): TensorLayout {
  const chosen = whole.places.filter(({ name }) => isSelected(select, name));
  if (Array.isArray(select)) {
    const unknown = (select as readonly string[]).find((name) => whole.place(name) === undefined);
    if (unknown !== undefined) throw refuseOption('select', `the model has no tensor ${JSON.stringify(unknown)}`);
  }
  if (chosen.length === 0) throw refuseOption('select', 'expected at least one tensor of the model');
  return createTensorLayout(chosen);
}

function isSelected(select: Selection | undefined, name: string): boolean {
  if (select === undefined) return true;
  // Of a pattern that remembers where it was, search() takes no notice.
  if (select instanceof RegExp) return name.search(select) >= 0;
  return typeof select === 'function' ? select(name) : select.includes(name);
}

function requireMemory(memory: StrategyMemory, { length }: TensorLayout): void {
  if (memory.every((values) => values.length === length)) return;
  throw refuseOption('memory', `expected lists of ${length} numbers, of a strategy for the same tensors`);
}

/** A parameter beyond the range would be clipped by every owner in every round. */
function requireWithin(bound: number, layout: TensorLayout, initial: NamedTensors): void {
  for (const { name } of layout.places) {
    const index = initial.get(name)?.values.findIndex((value) => Math.abs(value) > bound) ?? -1;
    if (index < 0) continue;
    const field = `tensor ${JSON.stringify(name)} value ${index}`;
    throw new SealsumError(
      'number_out_of_bounds',
      `${field} is beyond ±${bound}: every owner would clip it; raise clippingRange, send updates, or do not select it`,
      { field },
    );
  }
}

function refuseOption(field: string, expected: string): SealsumError {
  return refuse([{ field, expected }]);
}

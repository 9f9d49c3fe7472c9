/**
 * The document of a job that sums vectors: what every owner's vector is, in which fixed point it travels, and under which
 * conditions. Names are snake_case as on the wire, and what model.json has too is called the same and means the same.
 */
import { z } from 'zod';
import { MAXIMUM_VALUES } from '../learning/model.ts';
import { describeIssues, participationProblems, refuse, silenceProblems, textProblems } from '../learning/problems.ts';
import {
  aboveZero,
  keyBits,
  noiseFields,
  number,
  oneOf,
  participationFields,
  probability,
  text,
  wholeNumber,
} from '../learning/settings-schema.ts';
import type { PrivacyMode } from '../privacy/mode.ts';
import { type Averaging, averaging, averagingProblems } from './averaging-fields.ts';

/** What `model_type` is in the document of such a job. */
export const vectorSumType = 'VECTOR_SUM';

/** The width of a fixed-point number, the sign included. */
export type FixedPointBits = 16 | 32 | 64;

/** What is asked for over all rounds together. */
export type PrivacyAsked =
  | { readonly epsilon: number; readonly delta: number }
  | { readonly rho: number; readonly delta?: number };

/** A vector sum as a job's document, with every default filled in. */
export interface VectorSum {
  readonly name?: string | undefined;
  readonly model_type: typeof vectorSumType;
  /** Values of a vector: 1 to 2^20. */
  readonly length: number;
  /** A value v within ±bound, or of a vector within `norm`, is the integer nearest to v/bound (or v/norm) × 2^(bits − 1). */
  readonly bits: FixedPointBits;
  /** Steps of the fixed point from −bound to bound instead of 2^bits: an even number, and no greater one. */
  readonly levels?: number | undefined;
  /** The greatest magnitude of a value; one beyond it is refused. Given if and only if `norm` is not. */
  readonly bound?: number | undefined;
  /** The greatest L2 norm of a vector; a longer one is shortened to it. */
  readonly norm?: number | undefined;
  /** The greatest weight of a vector, which is a whole number; 1 with privacy. */
  readonly max_weight: number;
  /** How many numbers go out to all owners with every round, such as the parameters of a model; 0 to 2^20. */
  readonly parameters: number;
  /** Of vectors that are tensors to be averaged: which they are. */
  readonly averaging?: Averaging | undefined;
  /** The most rounds. */
  readonly rounds: number;
  readonly encryption: { readonly key_bits: number };
  readonly participation: {
    readonly quorum: number;
    readonly deadline_seconds: number;
    /** How long the first round waits for owners that have not answered; absent: as long as a round would. */
    readonly answer_seconds?: number | undefined;
    /** How many owners must be ready before the first round; absent: it waits until all have answered. */
    readonly target_owners?: number | undefined;
    readonly roster?: readonly string[] | undefined;
  };
  /** Absent: no differential privacy. With it the unit is the owner, all of whose vector is hidden. */
  readonly privacy?: (PrivacyMode & PrivacyAsked) | undefined;
}

const noise = {
  ...noiseFields,
  unit: oneOf<'owner'>('owner').default('owner'),
  sampling: oneOf<1>(1).default(1),
};

const schema = z.strictObject(
  {
    name: text('a name').optional(),
    model_type: z.literal(vectorSumType, { error: `expected ${vectorSumType}` }),
    length: wholeNumber(1, MAXIMUM_VALUES),
    bits: oneOf<FixedPointBits>(16, 32, 64),
    levels: number(isLevels, 'expected an even whole number from 2 to 2^52').optional(),
    bound: number(isMagnitude, 'expected a number from 1e-100 to 1e100').optional(),
    norm: number(isMagnitude, 'expected a number from 1e-100 to 1e100').optional(),
    max_weight: wholeNumber(1, 2 ** 32).default(1),
    parameters: wholeNumber(0, MAXIMUM_VALUES).default(0),
    averaging: averaging.optional(),
    rounds: wholeNumber(1, 100_000).default(1),
    encryption: z.strictObject({ key_bits: keyBits }, { error: 'expected an object' }).prefault({}),
    participation: z.strictObject(participationFields, { error: 'expected an object' }).prefault({}),
    privacy: z
      .union(
        [
          z.strictObject({ epsilon: aboveZero, delta: probability, ...noise }),
          z.strictObject({ rho: aboveZero, delta: z.exactOptional(probability), ...noise }),
        ],
        { error: 'expected {"epsilon", "delta"} or {"rho"}' },
      )
      .optional(),
  },
  { error: 'expected an object' },
) satisfies z.ZodType<VectorSum>;

/** Far from where doubles end, so that no scale is beyond them. */
function isMagnitude(value: number): boolean {
  return value >= 1e-100 && value <= 1e100;
}

/** Half of them is a whole number, and so is every multiple of it that a double has to hold. */
function isLevels(value: number): boolean {
  return Number.isInteger(value) && value >= 2 && value <= 2 ** 52 && value % 2 === 0;
}

/** Whether a job's document is one of these; whether it is a good one, parseVectorSum() says. */
export function isVectorSum(document: unknown): boolean {
  return typeof document === 'object' && document !== null && 'model_type' in document
    ? document.model_type === vectorSumType
    : false;
}

/**
 * Reads a document, fills in every default, and gives back plain data that it accepts again unchanged.
 *
 * @throws SealsumError `model_invalid` with `field` the dotted path of the first thing that was refused; the message lists all
 */
export function parseVectorSum(json: unknown): VectorSum {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw refuse(describeIssues(parsed.error.issues));
  const problems = [...textProblems(parsed.data, []), ...problemsOf(parsed.data)];
  if (problems.length > 0) throw refuse(problems);
  return parsed.data;
}

function problemsOf(sum: VectorSum): ReturnType<typeof textProblems> {
  const { bits, levels, bound, norm, max_weight, privacy, participation } = sum;
  return [
    ...(levels !== undefined && levels > 2 ** bits
      ? [{ field: 'levels', expected: `expected at most 2^${bits}, which the bits hold; take more bits` }]
      : []),
    ...((bound === undefined) === (norm === undefined)
      ? [{ field: 'bound', expected: 'expected one of bound and norm: the greatest value, or the greatest L2 norm' }]
      : []),
    ...(privacy !== undefined && bound !== undefined
      ? [{ field: 'bound', expected: 'expected norm instead with privacy: the noise is for vectors of so much length' }]
      : []),
    ...(privacy !== undefined && max_weight !== 1
      ? [{ field: 'max_weight', expected: 'expected 1 with privacy: all owners weigh alike' }]
      : []),
    ...averagingProblems(sum),
    ...participationProblems({ participation }),
    ...(privacy === undefined ? [] : silenceProblems(privacy, participation.quorum)),
  ];
}

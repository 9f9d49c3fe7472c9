/**
 * What the parties say to each other: JSON in snake_case, big integers as decimal strings, times as RFC 3339. Every message
 * is parsed by its schema where it enters; unknown fields of a request are refused by name, those of an answer are ignored.
 * A contribution and an aggregate are not here: they are ciphertexts in fixed-width bytes and nothing else.
 */
import { z } from 'zod';
import { type JobId, jobIdSchema, type OwnerId, ownerIdSchema } from './identifiers.ts';
import { optional } from './optional.ts';
import { type WirePlan, wirePlanSchema } from './wire-plan.ts';

/**
 * A list of at most `most` elements. It is looked through up to its first wrong element and no further, so that a message of
 * a million mistakes costs no more than one.
 */
function list<T>(
  element: z.ZodType<T>,
  most: number,
  isElement: (value: unknown) => boolean = (value) => element.safeParse(value).success,
): z.ZodType<readonly T[]> {
  const upToFirstWrong = (value: unknown): unknown => {
    if (!Array.isArray(value)) return value;
    const looked: unknown[] = value.length > most ? value.slice(0, most + 1) : value;
    const wrong = looked.findIndex((each) => !isElement(each));
    return wrong === -1 ? looked : looked.slice(0, wrong + 1);
  };
  return z.preprocess(upToFirstWrong, z.array(element).max(most));
}

/** Names of owners, each once. */
function owners(least: number, message: string): z.ZodType<readonly OwnerId[]> {
  return list(ownerIdSchema, 10_000)
    .refine((names) => names.length >= least, message)
    .refine((names) => new Set(names).size === names.length, 'an owner is named twice');
}

/** A Paillier public key as python-paillier writes it: JWK, kty DAJ, alg PAI-GN1, n in base64url. */
export interface WirePublicKey {
  readonly kty: 'DAJ';
  readonly alg: 'PAI-GN1';
  readonly n: string;
  readonly key_ops?: readonly string[];
  readonly kid?: string;
}

const publicKeySchema: z.ZodType<WirePublicKey> = z.strictObject({
  kty: z.literal('DAJ'),
  alg: z.literal('PAI-GN1'),
  n: z
    .string()
    .max(4096)
    .regex(/^[A-Za-z0-9_-]+$/, 'expected base64url'),
  key_ops: optional(list(z.string().max(32), 8)),
  kid: optional(z.string().max(256)),
});

const decimal = z
  .string()
  .max(1000)
  .regex(/^(0|[1-9][0-9]*)$/, 'expected a decimal integer without leading zeros');

/** The noise a job promises: discrete Gaussian of this variance (integers, at the plan's scale) on every slot of a round's sum. */
export interface WireNoise {
  readonly place: 'model-owner';
  readonly variance: string;
  readonly rho_per_round: { readonly numerator: string; readonly denominator: string };
  /** The number of rounds that are charged at most. */
  readonly rounds: number;
}

const noiseSchema: z.ZodType<WireNoise> = z.strictObject({
  place: z.literal('model-owner'),
  variance: decimal,
  rho_per_round: z.strictObject({ numerator: decimal, denominator: decimal }),
  rounds: z.number().int().min(1),
});

/** Everything that is fixed before a job's first round. Made by the model owner, the same for every owner. */
export interface JobDescriptor {
  readonly job: JobId;
  /** The model.json that owners compute for; opaque to the facilitator. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly public_key: WirePublicKey;
  readonly plan: WirePlan;
  readonly roster: readonly OwnerId[];
  /** The least number of contributors to a round; at least 2, so that a sum is never one owner's vector. */
  readonly quorum: number;
  /** How long a round waits for contributions, and a job for its owners' answers. */
  readonly deadline_seconds: number;
  /** null: no differential privacy. */
  readonly noise: WireNoise | null;
}

/** Levels of lists and objects in a model: far more than any has, and few enough for whoever writes it as JSON again. */
const deepestModel = 64;

function isNestedAtMost(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isNestedAtMost(each, levels - 1));
}

export const jobDescriptorSchema: z.ZodType<JobDescriptor> = z
  .strictObject({
    job: jobIdSchema,
    model: z
      .record(z.string(), z.unknown())
      .refine((model) => isNestedAtMost(model, deepestModel), `expected at most ${deepestModel} levels of nesting`),
    public_key: publicKeySchema,
    plan: wirePlanSchema,
    roster: owners(2, 'expected at least two owners'),
    quorum: z.number().int().min(2, 'a sum of fewer than two owners would reveal one of them'),
    deadline_seconds: z.number().positive().max(86_400),
    noise: noiseSchema.nullable(),
  })
  .refine((job) => job.quorum <= job.roster.length, {
    path: ['quorum'],
    message: 'expected at most as many as the roster names',
  });

/** What a job knows of one owner: invited → ready or refused; ready ↔ absent (missed a deadline); withdrawn during training. */
export type OwnerStatus = 'invited' | 'ready' | 'refused' | 'withdrawn' | 'absent';

/** What an owner says of itself. */
export interface OwnerAnswer {
  readonly status: 'ready' | 'refused' | 'withdrawn';
  /** Why not, for people; names fields, never values. */
  readonly reason?: string;
}

export const ownerAnswerSchema: z.ZodType<OwnerAnswer> = z.strictObject({
  status: z.enum(['ready', 'refused', 'withdrawn']),
  reason: optional(z.string().max(1000)),
});

export interface OwnerView {
  readonly owner: OwnerId;
  readonly status: OwnerStatus;
  readonly reason?: string;
}

const ownerViewSchema: z.ZodType<OwnerView> = z.object({
  owner: ownerIdSchema,
  status: z.enum(['invited', 'ready', 'refused', 'withdrawn', 'absent']),
  reason: optional(z.string()),
});

export type JobOutcome = 'finished' | 'failed' | 'cancelled';

/** A job as the facilitator shows it. */
export interface JobView {
  readonly descriptor: JobDescriptor;
  readonly status: 'open' | JobOutcome;
  readonly owners: readonly OwnerView[];
  /** The newest round's number, 0 before the first. */
  readonly round: number;
  readonly created_at: string;
}

export const jobViewSchema: z.ZodType<JobView> = z.object({
  descriptor: jobDescriptorSchema,
  status: z.enum(['open', 'finished', 'failed', 'cancelled']),
  owners: z.array(ownerViewSchema),
  round: z.number().int().min(0),
  created_at: z.string(),
});

/** One line of the list of jobs. */
export interface JobSummary {
  readonly job: JobId;
  readonly status: JobView['status'];
  readonly roster: readonly OwnerId[];
  readonly round: number;
  readonly created_at: string;
}

export const jobListSchema: z.ZodType<{ readonly jobs: readonly JobSummary[] }> = z.object({
  jobs: z.array(
    z.object({
      job: jobIdSchema,
      status: z.enum(['open', 'finished', 'failed', 'cancelled']),
      roster: z.array(ownerIdSchema),
      round: z.number().int().min(0),
      created_at: z.string(),
    }),
  ),
});

/** The owners whose event streams are connected to the facilitator now. */
export const ownerListSchema: z.ZodType<{ readonly owners: readonly OwnerId[] }> = z.object({
  owners: z.array(ownerIdSchema),
});

/** What the model owner says to open a round. */
export interface RoundDescriptor {
  /** A subset of the job's roster: who is asked. */
  readonly roster: readonly OwnerId[];
  /** The model's parameters as quantised to the plan's scale; empty when a round needs none. */
  readonly parameters: readonly number[];
}

export const roundDescriptorSchema: z.ZodType<RoundDescriptor> = z.strictObject({
  roster: owners(1, 'expected at least one owner'),
  parameters: list(z.number(), 10_000_000, Number.isFinite),
});

/** What went into an aggregate: who, which bytes, and which bytes came out. */
export interface Manifest {
  readonly contributions: readonly { readonly owner: OwnerId; readonly digest: string }[];
  readonly count: number;
  readonly aggregate_digest: string;
}

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/, 'expected SHA-256 in lowercase hexadecimal');

export interface RoundView {
  readonly job: JobId;
  readonly round: number;
  readonly status: 'open' | 'closed' | 'abandoned';
  readonly roster: readonly OwnerId[];
  readonly parameters: readonly number[];
  readonly opened_at: string;
  readonly deadline: string;
  readonly contributors: readonly OwnerId[];
  readonly missing: readonly OwnerId[];
  /** Why it was abandoned. */
  readonly reason?: string;
  /** Once closed. */
  readonly manifest?: Manifest;
}

export const roundViewSchema: z.ZodType<RoundView> = z.object({
  job: jobIdSchema,
  round: z.number().int().min(1),
  status: z.enum(['open', 'closed', 'abandoned']),
  roster: z.array(ownerIdSchema),
  parameters: z.array(z.number()),
  opened_at: z.string(),
  deadline: z.string(),
  contributors: z.array(ownerIdSchema),
  missing: z.array(ownerIdSchema),
  reason: optional(z.string()),
  manifest: optional(
    z.object({
      contributions: z.array(z.object({ owner: ownerIdSchema, digest: digestSchema })),
      count: z.number().int().min(1),
      aggregate_digest: digestSchema,
    }),
  ),
});

/** The answer to a contribution: what was taken, so that its sender can keep it. */
export interface ContributionReceipt {
  readonly job: JobId;
  readonly round: number;
  readonly owner: OwnerId;
  readonly digest: string;
}

export const contributionReceiptSchema: z.ZodType<ContributionReceipt> = z.object({
  job: jobIdSchema,
  round: z.number().int().min(1),
  owner: ownerIdSchema,
  digest: digestSchema,
});

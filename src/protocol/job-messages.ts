/**
 * What the parties say to each other about a job: JSON in snake_case, big integers as decimal strings, times as RFC 3339. Every
 * message is parsed by its schema where it enters; unknown fields of a request are refused by name, those of an answer are ignored.
 */
import { z } from 'zod';
import type { ModulusProof } from '../paillier/modulus-proof.ts';
import type { Neighbours, NoisePlace, PrivacyUnit } from '../privacy/mode.ts';
import { type JobId, jobIdSchema, type OwnerId, ownerIdSchema, type PartyId, partyIdSchema } from './identifiers.ts';
import { decimal, digestSchema, list, owners, tagKeySchema } from './message-parts.ts';
import { modulusProofSchema } from './modulus-proof-schema.ts';
import { optional } from './optional.ts';
import { type ObjectSignature, objectSignatureSchema } from './signed.ts';
import { type JobTree, jobTreeSchema, treeProblem } from './tree.ts';
import { type WirePlan, wirePlanSchema } from './wire-plan.ts';

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

/** The noise a job promises: discrete Gaussian (integers, at the plan's scale) on every slot of a round's sum but the count. */
export interface WireNoise {
  /** Who adds it. */
  readonly place: NoisePlace;
  readonly unit: PrivacyUnit;
  readonly neighbours: Neighbours;
  /** With which probability a unit takes part in a round, by a coin of its own; absent: all of them do. */
  readonly sampling?: number;
  /** σ² of what one party draws for a slot. */
  readonly variance: string;
  /** Where data owners add it, how many of them do at least. */
  readonly shares?: number;
  /** Of a round in which every unit takes part. */
  readonly rho_per_round: { readonly numerator: string; readonly denominator: string };
  /** The number of rounds that are charged at most. */
  readonly rounds: number;
}

const noiseSchema: z.ZodType<WireNoise> = z.strictObject({
  place: z.enum(['model-owner', 'facilitator', 'data-owners']),
  unit: z.enum(['record', 'owner']),
  neighbours: z.enum(['zero-out', 'substitution']),
  sampling: optional(z.number().gt(0).lt(1)),
  variance: decimal.refine((variance) => variance !== '0', 'expected more than 0'),
  shares: optional(z.number().int().min(1)),
  rho_per_round: z.strictObject({ numerator: decimal, denominator: decimal }),
  rounds: z.number().int().min(1),
});

/** Everything that is fixed before a job's first round. Made and signed by the model owner, the same for every owner. */
export interface JobDescriptor {
  readonly job: JobId;
  /** Who proposes the job, opens its rounds and fetches its aggregates. */
  readonly model_owner: PartyId;
  /** At which facilitator: a descriptor is good for one, or where there is a tree for that whose root this is. */
  readonly facilitator: PartyId;
  /** Who folds groups of owners for it, and as which tree; absent: all owners contribute to the one facilitator. */
  readonly tree?: JobTree;
  /** The model.json that owners compute for; opaque to the facilitator. */
  readonly model: Readonly<Record<string, unknown>>;
  /** SHA-256 of the model's canonical JSON. */
  readonly model_hash: string;
  readonly public_key: WirePublicKey;
  /** That the modulus is well formed, bound to `job` and `model_owner`. */
  readonly public_key_proof: ModulusProof;
  /** The model owner's X25519 public key for the tags of this job. */
  readonly tag_key: string;
  readonly plan: WirePlan;
  /** Of the job's closing round, which sums something else at the final parameters; absent: there is none. */
  readonly closing_plan?: WirePlan;
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

const jobDescriptorSchema: z.ZodType<JobDescriptor> = z
  .strictObject({
    job: jobIdSchema,
    model_owner: partyIdSchema,
    facilitator: partyIdSchema,
    tree: optional(jobTreeSchema),
    model: z
      .record(z.string(), z.unknown())
      .refine((model) => isNestedAtMost(model, deepestModel), `expected at most ${deepestModel} levels of nesting`),
    model_hash: digestSchema,
    public_key: publicKeySchema,
    public_key_proof: modulusProofSchema,
    tag_key: tagKeySchema,
    plan: wirePlanSchema,
    closing_plan: optional(wirePlanSchema),
    roster: owners(2, 'expected at least two owners'),
    quorum: z.number().int().min(2, 'a sum of fewer than two owners would reveal one of them'),
    deadline_seconds: z.number().positive().max(86_400),
    noise: noiseSchema.nullable(),
  })
  .refine((job) => job.quorum <= job.roster.length, {
    path: ['quorum'],
    message: 'expected at most as many as the roster names',
  })
  .superRefine((job, context) => {
    const message = treeProblem(job);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['tree'], message });
  });

/** A descriptor and its model owner's signature of kind `job`. */
export interface SignedJob {
  readonly descriptor: JobDescriptor;
  readonly signature: ObjectSignature;
}

export const signedJobSchema: z.ZodType<SignedJob> = z.strictObject({
  descriptor: jobDescriptorSchema,
  signature: objectSignatureSchema,
});

/** What a job knows of one owner: invited → ready or refused; ready ↔ absent (missed a deadline); withdrawn during training. */
export type OwnerStatus = 'invited' | 'ready' | 'refused' | 'withdrawn' | 'absent';

/** What an owner says of itself in one job. */
export interface OwnerAnswer {
  readonly job: JobId;
  readonly owner: OwnerId;
  /** Of the job descriptor that it answers. */
  readonly job_digest: string;
  readonly status: 'ready' | 'refused' | 'withdrawn';
  /** Why not, for people; names fields, never values. */
  readonly reason?: string;
  /** When ready: the owner's X25519 public key for the tags of this job. */
  readonly tag_key?: string;
}

/** An answer and its owner's signature of kind `answer`. */
export interface SignedAnswer {
  readonly answer: OwnerAnswer;
  readonly signature: ObjectSignature;
}

export const signedAnswerSchema: z.ZodType<SignedAnswer> = z.strictObject({
  answer: z
    .strictObject({
      job: jobIdSchema,
      owner: ownerIdSchema,
      job_digest: digestSchema,
      status: z.enum(['ready', 'refused', 'withdrawn']),
      reason: optional(z.string().max(1000)),
      tag_key: optional(tagKeySchema),
    })
    .refine((answer) => (answer.status === 'ready') === (answer.tag_key !== undefined), {
      path: ['tag_key'],
      message: 'expected with "ready" and with nothing else',
    }),
  signature: objectSignatureSchema,
});

export interface OwnerView {
  readonly owner: OwnerId;
  readonly status: OwnerStatus;
  readonly reason?: string;
  /** The newest answer the owner gave: what `absent` does not undo, and what proves its tag key. */
  readonly answer?: SignedAnswer;
}

const ownerViewSchema: z.ZodType<OwnerView> = z.object({
  owner: ownerIdSchema,
  status: z.enum(['invited', 'ready', 'refused', 'withdrawn', 'absent']),
  reason: optional(z.string()),
  answer: optional(signedAnswerSchema),
});

export type JobOutcome = 'finished' | 'failed' | 'cancelled';

/** A job as the facilitator shows it. */
export interface JobView extends SignedJob {
  readonly status: 'open' | JobOutcome;
  readonly owners: readonly OwnerView[];
  /** The newest round's number, 0 before the first. */
  readonly round: number;
  readonly created_at: string;
}

export const jobViewSchema: z.ZodType<JobView> = z.object({
  descriptor: jobDescriptorSchema,
  signature: objectSignatureSchema,
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

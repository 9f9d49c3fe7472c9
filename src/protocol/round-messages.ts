/**
 * What the parties say to each other about a round. A contribution and an aggregate are not here: they are ciphertexts in
 * fixed-width bytes and nothing else; what is said about them is.
 */
import { z } from 'zod';
import { encryptedParametersSchema } from './encrypted-parameters.ts';
import { type JobId, jobIdSchema, type OwnerId, ownerIdSchema, roundNumberSchema } from './identifiers.ts';
import { digestSchema, owners } from './message-parts.ts';
import { optional } from './optional.ts';
import { parametersSchema } from './parameters.ts';
import type { AcceptedContribution } from './round.ts';
import { type ObjectSignature, objectSignatureSchema } from './signed.ts';
import { type Group, groupsSchema, mostLevels } from './tree.ts';

/** What the model owner says to open a round; every owner of its roster sees the same. */
export interface RoundDescriptor {
  readonly job: JobId;
  /** Counted from 1. */
  readonly round: number;
  /** Of the job descriptor, and of the model in it. */
  readonly job_digest: string;
  readonly model_hash: string;
  /** A subset of the job's roster: who is asked. */
  readonly roster: readonly OwnerId[];
  /** As in the job. */
  readonly quorum: number;
  readonly deadline_seconds: number;
  /** The model's parameters as quantised to the plan's scale (encodeParameters); empty when a round needs none. */
  readonly parameters: string;
  /** Where owners do not see the parameters: their encryptions (encodeEncryptedParameters), and `parameters` is empty. */
  readonly encrypted_parameters?: string;
  /** Where the clip adapts: to which length statistics are clipped in this round. */
  readonly clip?: number;
  /** Whether it is the job's closing round, whose contributions have the job's `closing_plan`. */
  readonly closing?: true;
  /** Where the job is folded as a tree: the roster in groups, and at which leaf each of them contributes. */
  readonly groups?: readonly Group[];
}

/** A descriptor and the model owner's signature of kind `round`. */
export interface SignedRound {
  readonly descriptor: RoundDescriptor;
  readonly signature: ObjectSignature;
}

export const signedRoundSchema: z.ZodType<SignedRound> = z.strictObject({
  descriptor: z.strictObject({
    job: jobIdSchema,
    round: roundNumberSchema,
    job_digest: digestSchema,
    model_hash: digestSchema,
    roster: owners(1, 'expected at least one owner'),
    quorum: z.number().int().min(2),
    deadline_seconds: z.number().positive().max(86_400),
    parameters: parametersSchema,
    encrypted_parameters: optional(encryptedParametersSchema),
    clip: optional(z.number().positive()),
    closing: optional(z.literal(true)),
    groups: optional(groupsSchema),
  }),
  signature: objectSignatureSchema,
});

/** What an owner signs of its contribution, as kind `contribution`: which bytes, to exactly which round. */
export interface ContributionStatement {
  readonly job: JobId;
  readonly round: number;
  readonly round_digest: string;
  readonly owner: OwnerId;
  /** SHA-256 of the bytes, lowercase hexadecimal, and how many they are. */
  readonly digest: string;
  readonly bytes: number;
}

/** A line of a manifest: what was accepted, and of whom. */
export interface ManifestLine extends AcceptedContribution {
  /** Of another facilitator, whose aggregate the contribution is: its manifest. */
  readonly manifest?: SignedManifest;
}

/** What went into an aggregate, in the order of acceptance: who, which bytes, and which bytes came out. */
export interface Manifest {
  readonly job: JobId;
  readonly round: number;
  readonly job_digest: string;
  readonly round_digest: string;
  readonly model_hash: string;
  readonly contributions: readonly ManifestLine[];
  readonly count: number;
  readonly aggregate_digest: string;
}

/** A manifest and the facilitator's signature of kind `manifest`. */
export interface SignedManifest {
  readonly manifest: Manifest;
  readonly signature: ObjectSignature;
}

/**
 * As deep as a tree may be and no deeper: what is read by levels cannot be too deep for whoever reads it.
 *
 * @param make z.strictObject for what is asked, z.object for what is answered
 */
function manifestSchemaOf(make: typeof z.object | typeof z.strictObject): z.ZodType<SignedManifest> {
  const line = {
    owner: ownerIdSchema,
    digest: digestSchema,
    bytes: z.number().int().min(1),
    signature: objectSignatureSchema,
  };
  const manifestOf = (lines: z.ZodType<ManifestLine>): z.ZodType<SignedManifest> =>
    make({
      manifest: make({
        job: jobIdSchema,
        round: z.number().int().min(1),
        job_digest: digestSchema,
        round_digest: digestSchema,
        model_hash: digestSchema,
        contributions: z.array(lines),
        count: z.number().int().min(1),
        aggregate_digest: digestSchema,
      }),
      signature: objectSignatureSchema,
    });
  return Array.from({ length: mostLevels }).reduce(
    (below: z.ZodType<SignedManifest>) => manifestOf(make({ ...line, manifest: optional(below) })),
    manifestOf(make(line)),
  );
}

export const signedManifestSchema: z.ZodType<SignedManifest> = manifestSchemaOf(z.object);

export interface RoundView {
  readonly job: JobId;
  readonly round: number;
  readonly status: 'open' | 'closed' | 'abandoned';
  /** What the model owner signed; absent once the facilitator has forgotten it. */
  readonly signed?: SignedRound;
  readonly roster: readonly OwnerId[];
  readonly opened_at: string;
  readonly deadline: string;
  readonly contributors: readonly OwnerId[];
  readonly missing: readonly OwnerId[];
  /** Why it was abandoned. */
  readonly reason?: string;
  /** Once closed. */
  readonly manifest?: SignedManifest;
}

export const roundViewSchema: z.ZodType<RoundView> = z.object({
  job: jobIdSchema,
  round: z.number().int().min(1),
  status: z.enum(['open', 'closed', 'abandoned']),
  signed: optional(signedRoundSchema),
  roster: z.array(ownerIdSchema),
  opened_at: z.string(),
  deadline: z.string(),
  contributors: z.array(ownerIdSchema),
  missing: z.array(ownerIdSchema),
  reason: optional(z.string()),
  manifest: optional(signedManifestSchema),
});

/** The answer to a contribution: what was taken, signed by the facilitator as kind `receipt`, so that its sender can keep it. */
export interface SignedReceipt {
  readonly receipt: ContributionStatement;
  readonly signature: ObjectSignature;
}

export const signedReceiptSchema: z.ZodType<SignedReceipt> = z.object({
  receipt: z.object({
    job: jobIdSchema,
    round: z.number().int().min(1),
    round_digest: digestSchema,
    owner: ownerIdSchema,
    digest: digestSchema,
    bytes: z.number().int().min(1),
  }),
  signature: objectSignatureSchema,
});

/**
 * What a facilitator tells the one above it of its part of a round: the manifest of the aggregate that it is about to contribute, or
 * that there will be none.
 */
export type GroupReport =
  | { readonly status: 'closed'; readonly manifest: SignedManifest }
  | {
      readonly status: 'abandoned';
      /** For people. */
      readonly reason: string;
      /** Who let its deadline pass in silence. */
      readonly absent: readonly OwnerId[];
    };

export const groupReportSchema: z.ZodType<GroupReport> = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('closed'), manifest: manifestSchemaOf(z.strictObject) }),
  z.strictObject({
    status: z.literal('abandoned'),
    reason: z.string().max(100_000),
    absent: owners(0, ''),
  }),
]);

/** The header that carries an owner's signature of its contribution: the key's fingerprint, a dot, the signature. */
export const contributionSignatureHeader = 'contribution-signature';

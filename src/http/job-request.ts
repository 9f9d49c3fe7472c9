/**
 * What a job asks of a data owner, for its own people to decide about: the answer to GET /jobs/{job}/request. Names are as on the wire.
 */
import { z } from 'zod';
import type { AccountView, CapsView, RhoView } from '../privacy/ledger-statement.ts';
import type { Neighbours, NoisePlace, PrivacyUnit } from '../privacy/mode.ts';
import { accountViewSchema, capsViewSchema, rhoViewSchema } from './ledger-schema.ts';

/** A column that is read of the data set; its values stay with their owner. */
export interface RequestedColumn {
  /** Exactly one of both is not null. */
  readonly name: string | null;
  /** Counted from 0. */
  readonly col_idx: number | null;
  readonly use: 'feature' | 'target' | 'statistics';
  readonly type: 'continuous' | 'discrete' | 'ordinal' | 'nominal';
  /** What a value may be: `0 to 120`, or the levels. */
  readonly values: string;
  /** What becomes of a record without a value. */
  readonly missing: string;
  readonly description: string | null;
}

/** What values of a sum are. */
const sumKinds = [
  'gradient',
  'products',
  'metric',
  'count',
  'inference',
  'diagnostics',
  'moments',
  'covariance',
  'histograms',
  'contingency',
] as const;

/** Some values of the sum that belong together. */
export interface RequestedSums {
  readonly kind: (typeof sumKinds)[number];
  readonly values: number;
  /** What the values are, the first of them where there are very many. */
  readonly names: readonly string[];
}

/** What is promised of the noise; null stands for a job without differential privacy. */
export interface RequestedPrivacy {
  readonly guarantee: string;
  readonly unit: PrivacyUnit;
  readonly neighbours: Neighbours;
  readonly place: NoisePlace;
  readonly sampling: number;
  /** σ² of one draw, in the integers that are summed. */
  readonly variance: string;
  readonly sensitivity: string;
  /** Where data owners add it, how many draws a sum has at least. */
  readonly shares: number | null;
  readonly per_round: { readonly rho: RhoView; readonly epsilon: number | null };
  /** Over all rounds. */
  readonly total: { readonly rho: number; readonly epsilon: number | null; readonly delta: number | null };
}

export interface JobRequest {
  readonly job: string;
  /** What a decision is about: send it along, so that no other job is decided. */
  readonly job_digest: string;
  readonly status: string;
  readonly asked_by: { readonly model_owner: string; readonly fingerprint: string };
  readonly name: string | null;
  readonly model_type: string;
  /** `encrypted`: the parameters of every round come as ciphertexts, which this owner cannot read. */
  readonly model_visibility: 'plain' | 'encrypted';
  readonly dataset: string;
  /** How many of its records would take part, and how many a missing value leaves out; null: not counted yet. Nobody else is told. */
  readonly records: number | null;
  readonly dropped: number | null;
  readonly columns: readonly RequestedColumn[];
  /** The most rounds, and how many of them the ledger has charged. */
  readonly rounds: number;
  readonly rounds_charged: number;
  /** What each round releases: one sum over all contributors, and nothing else. */
  readonly release: {
    readonly to: string;
    /** Who multiplies ciphertexts and sees no value. */
    readonly through: readonly string[];
    /** Numbers in the sum beside how many contributed and the weight of their records. */
    readonly values: number;
    readonly sums: readonly RequestedSums[];
    /** What one more round releases, of the final model's precision and residuals; null: there is none. */
    readonly closing: {
      readonly values: number;
      readonly sums: readonly RequestedSums[];
      /** What this owner is given before it. */
      readonly parameters: number;
    } | null;
  };
  /** What this owner is given before every round. */
  readonly receives: { readonly parameters: number; readonly encrypted: boolean };
  /** Everybody who may contribute, this owner too. */
  readonly roster: readonly string[];
  /** No sum is released of fewer contributors. */
  readonly quorum: number;
  readonly privacy: RequestedPrivacy | null;
  readonly protects_against: readonly string[];
  readonly does_not_protect_against: readonly string[];
  /** The ledger's account of the data set, now and after all rounds. */
  readonly budget: { readonly caps: CapsView; readonly before: AccountView; readonly after: AccountView };
  /** How long the model owner waits before it begins without those who have not answered, and until when that is, by the facilitator's clock. */
  readonly deadline: { readonly seconds: number; readonly until: string };
  readonly plan: {
    readonly key_bits: number;
    readonly slot_bits: number;
    readonly ciphertexts: number;
    readonly bytes_per_round: number;
    readonly bytes_total: number;
  };
  /** Why the policy would refuse it now, such as for a budget that other jobs have used since; null: it would not. */
  readonly refused: string | null;
}

const count = z.number().int().min(0);

const column: z.ZodType<RequestedColumn> = z.object({
  name: z.string().nullable(),
  col_idx: count.nullable(),
  use: z.enum(['feature', 'target', 'statistics']),
  type: z.enum(['continuous', 'discrete', 'ordinal', 'nominal']),
  values: z.string(),
  missing: z.string(),
  description: z.string().nullable(),
});

const privacy: z.ZodType<RequestedPrivacy> = z.object({
  guarantee: z.string(),
  unit: z.enum(['record', 'owner']),
  neighbours: z.enum(['zero-out', 'substitution']),
  place: z.enum(['model-owner', 'facilitator', 'data-owners']),
  sampling: z.number(),
  variance: z.string(),
  sensitivity: z.string(),
  shares: count.nullable(),
  per_round: z.object({ rho: rhoViewSchema, epsilon: z.number().nullable() }),
  total: z.object({ rho: z.number(), epsilon: z.number().nullable(), delta: z.number().nullable() }),
});

const sums: z.ZodType<RequestedSums> = z.object({
  kind: z.enum(sumKinds),
  values: count,
  names: z.array(z.string()),
});

export const jobRequestSchema: z.ZodType<JobRequest> = z.object({
  job: z.string(),
  job_digest: z.string(),
  status: z.string(),
  asked_by: z.object({ model_owner: z.string(), fingerprint: z.string() }),
  name: z.string().nullable(),
  model_type: z.string(),
  model_visibility: z.enum(['plain', 'encrypted']),
  dataset: z.string(),
  records: count.nullable(),
  dropped: count.nullable(),
  columns: z.array(column),
  rounds: count,
  rounds_charged: count,
  release: z.object({
    to: z.string(),
    through: z.array(z.string()),
    values: count,
    sums: z.array(sums),
    closing: z.object({ values: count, sums: z.array(sums), parameters: count }).nullable(),
  }),
  receives: z.object({ parameters: count, encrypted: z.boolean() }),
  roster: z.array(z.string()),
  quorum: count,
  privacy: privacy.nullable(),
  protects_against: z.array(z.string()),
  does_not_protect_against: z.array(z.string()),
  budget: z.object({ caps: capsViewSchema, before: accountViewSchema, after: accountViewSchema }),
  deadline: z.object({ seconds: z.number(), until: z.string() }),
  plan: z.object({
    key_bits: count,
    slot_bits: count,
    ciphertexts: count,
    bytes_per_round: z.number(),
    bytes_total: z.number(),
  }),
  refused: z.string().nullable(),
});

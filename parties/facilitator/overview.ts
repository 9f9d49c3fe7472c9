/** What a facilitator's own people see: jobs, rounds, who was there, how many bytes and how long. No ciphertext, and nothing of a model. */
import { SealsumError } from '../../src/errors.ts';
import type { NoisePlace } from '../../src/privacy/mode.ts';
import { timestamp } from '../../src/protocol/clock.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { Role } from '../../src/protocol/identity.ts';
import type { JobView, OwnerStatus } from '../../src/protocol/job-messages.ts';
import type { AcceptedContribution } from '../../src/protocol/round.ts';
import type { RoundLine, StoreTotals } from '../../src/storage/facilitator-store.ts';
import { blocksOf } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';
import type { Standing } from './register.ts';

export interface JobLine {
  readonly job: string;
  readonly model_owner: string;
  readonly status: JobView['status'];
  readonly owners: number;
  /** The newest round, 0 before the first. */
  readonly round: number;
  readonly created_at: string;
  readonly changed_at: string;
}

export interface JobDetails extends Omit<JobLine, 'owners'> {
  readonly quorum: number;
  readonly deadline_seconds: number;
  readonly key_bits: number;
  readonly ciphertexts: number;
  /** Of one contribution. */
  readonly bytes: number;
  /** Who adds noise; null: nobody. */
  readonly noise: NoisePlace | null;
  /** Facilitators below and above this one, where the job is folded as a tree. */
  readonly children: readonly string[];
  readonly parent?: string;
  readonly owners: readonly {
    readonly owner: string;
    readonly status: OwnerStatus;
    readonly reason?: string;
    readonly connected: boolean;
  }[];
  readonly totals: StoreTotals;
}

/** Names of those who are missing in a round that are told; all of them are in the round by itself. */
const mostNamed = 8;

export interface RoundRow {
  readonly round: number;
  readonly status: RoundLine['status'];
  readonly opened_at: string;
  readonly deadline: string;
  readonly quorum: number;
  readonly asked: number;
  readonly contributions: number;
  readonly bytes: number;
  /** The first of them. */
  readonly missing: readonly string[];
  readonly missing_count: number;
  readonly ended_at?: string;
  /** From its opening to its end. */
  readonly seconds?: number;
  /** Of that, the time in which the aggregate was made. */
  readonly folding_seconds?: number;
  readonly reason?: string;
}

export interface RoundDetails extends RoundRow {
  readonly contributors: readonly { readonly owner: string; readonly bytes: number; readonly digest: string }[];
}

export interface PartyLine {
  readonly name: string;
  readonly role: Role;
  readonly fingerprint: string;
  /** Whether a data owner's stream of events stands; nothing is known of the others. */
  readonly connected?: boolean;
}

export interface Overview {
  totals(): Promise<StoreTotals & { readonly jobs: Readonly<Record<'open' | 'ended', number>> }>;
  /** Newest first. */
  jobs(page: { readonly skip: number; readonly limit: number }): {
    readonly jobs: readonly JobLine[];
    readonly count: number;
  };
  /** @throws SealsumError job_unknown */
  job(job: JobId): Promise<JobDetails>;
  /** Newest first. @throws SealsumError job_unknown */
  rounds(
    job: JobId,
    page: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly RoundRow[]>;
  /** @throws SealsumError job_unknown, round_unknown */
  round(job: JobId, round: number): Promise<RoundDetails>;
  parties(): readonly PartyLine[];
}

/** Milliseconds for which totals that were added up are good enough. */
const totalsLife = 2000;

/** @param connected whose streams stand */
export function createOverview(
  { store, books, parties, clock, limits }: FacilitatorContext,
  connected: () => ReadonlySet<OwnerId>,
): Overview {
  const added = new Map<JobId | undefined, { readonly at: number; readonly totals: Promise<StoreTotals> }>();

  function totalsOf(job?: JobId): Promise<StoreTotals> {
    const now = clock.monotonic();
    for (const [key, { at }] of added) if (now - at > totalsLife) added.delete(key);
    const known = added.get(job) ?? { at: now, totals: store.totals(job) };
    added.set(job, known);
    known.totals.catch(() => added.delete(job));
    return known.totals;
  }

  function standingOf(job: JobId): Standing {
    const standing = books.register.get(job);
    if (standing === undefined) throw new SealsumError('job_unknown', `there is no job ${job}`, { field: 'job' });
    return standing;
  }

  return {
    totals: async () => {
      const all = [...books.register.all()].length;
      const open = books.register.openJobs();
      return { jobs: { open, ended: all - open }, ...(await totalsOf()) };
    },

    jobs: ({ skip, limit }) => {
      const all = [...books.register.all()];
      const end = Math.max(0, all.length - skip);
      return {
        jobs: all
          .slice(Math.max(0, end - limit), end)
          .reverse()
          .map(lineOf),
        count: all.length,
      };
    },

    job: async (job) => {
      const standing = standingOf(job);
      const { signed, owners } = await books.existingJob(job);
      const { descriptor } = signed;
      const there = connected();
      const { parent, children } = standing;
      const { plan } = descriptor;
      return {
        ...lineOf(standing),
        quorum: descriptor.quorum,
        deadline_seconds: descriptor.deadline_seconds,
        key_bits: plan.key_bits,
        ciphertexts: plan.ciphertexts,
        bytes: blocksOf(plan, limits.blockBytes).bytes,
        noise: descriptor.noise?.place ?? null,
        children: [...children],
        ...(parent === undefined ? {} : { parent }),
        owners: owners.map(({ owner, status, reason }) => ({
          owner,
          status,
          ...(reason === undefined ? {} : { reason }),
          connected: there.has(owner),
        })),
        totals: await totalsOf(job),
      };
    },

    rounds: async (job, page) => {
      standingOf(job);
      return (await store.roundLines(job, page)).map(rowOf);
    },

    round: async (job, round) => {
      standingOf(job);
      const [line] = await store.roundLines(job, { before: round + 1, limit: 1 });
      const record = line?.round === round ? await store.round(job, round) : undefined;
      if (line === undefined || record === undefined)
        throw new SealsumError('round_unknown', `job ${job} has no round ${round}`, { field: 'round' });
      return { ...rowOf(line), missing: line.missing, contributors: record.state.contributions.map(contributorOf) };
    },

    parties: () => {
      const there: ReadonlySet<string> = connected();
      return parties().all.map(({ name, role, fingerprint }) => ({
        name,
        role,
        fingerprint,
        ...(role === 'data-owner' ? { connected: there.has(name) } : {}),
      }));
    },
  };
}

function lineOf({ job, modelOwner, status, owners, round, createdAt, changedAt }: Standing): JobLine {
  return {
    job,
    model_owner: modelOwner,
    status,
    owners: owners.size,
    round,
    created_at: timestamp(createdAt),
    changed_at: timestamp(changedAt),
  };
}

function rowOf({ openedAt, deadline, missing, ending, ...line }: RoundLine): RoundRow {
  return {
    ...line,
    opened_at: timestamp(openedAt),
    deadline: timestamp(deadline),
    missing: missing.slice(0, mostNamed),
    missing_count: missing.length,
    ...(ending === undefined
      ? {}
      : {
          ended_at: timestamp(ending.at),
          seconds: Math.max(0, ending.at - openedAt) / 1000,
          folding_seconds: ending.milliseconds / 1000,
        }),
  };
}

function contributorOf({ owner, bytes, digest }: AcceptedContribution): RoundDetails['contributors'][number] {
  return { owner, bytes, digest };
}

/** The facilitators of one job, as its model owner has them: one, or a tree of them that is told the same and asked at its root. */
import { SealsumError } from '../errors.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import type { OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { JobDescriptor, JobOutcome, JobView, SignedJob } from '../protocol/job-messages.ts';
import { ownersIn } from '../protocol/manifest.ts';
import type { RoundView, SignedManifest, SignedRound } from '../protocol/round-messages.ts';
import { contributingTo, facilitatorsOf, type Group, leavesOf, parentOf } from '../protocol/tree.ts';
import type { Connection } from './connection.ts';
import { drawGroups } from './groups.ts';

export interface Folding {
  /** Tells all of them of the job, the root last. @throws SealsumError facilitator_unreachable and what any of them refuses */
  create(signed: SignedJob, signal: AbortSignal): Promise<JobView>;
  /** The groups of a round, among the facilitators that answer now; undefined: the job has none. @throws SealsumError facilitator_unreachable */
  draw(job: JobDescriptor, owners: readonly OwnerId[], signal: AbortSignal): Promise<readonly Group[] | undefined>;
  /**
   * Opens a round, at the root last: whoever follows it finds the round open at the leaves. A group whose leaf cannot be told is lost.
   *
   * @throws SealsumError facilitator_unreachable and what the root refuses
   */
  open(job: JobDescriptor, signed: SignedRound, signal: AbortSignal): Promise<RoundView>;
  end(job: JobDescriptor, outcome: JobOutcome, signal: AbortSignal): Promise<void>;
}

/** Milliseconds for which one of several facilitators is asked again. */
const shortPatience = 2000;

/** @param groupSize undefined: every owner contributes to the one facilitator */
export function createFolding(connection: Connection, groupSize: number | undefined): Folding {
  const { client: root, facilitator, log, random } = connection;

  function lineTo(name: PartyId, patience?: number): FacilitatorClient {
    const line = connection.lineTo(name, patience);
    if (line === undefined)
      throw new SealsumError('config_invalid', `facilitators: no address of ${name} was given`, {
        field: 'facilitators',
      });
    return line;
  }

  const below = (job: JobDescriptor): readonly PartyId[] => facilitatorsOf(job).slice(1);

  /** Those below the root that answer, and know the job, and whose parents do. */
  async function present(job: JobDescriptor, signal: AbortSignal): Promise<readonly PartyId[]> {
    const answers = await Promise.all(
      below(job).map(async (name) => {
        try {
          await lineTo(name, shortPatience).job(job.job, signal);
          return [name];
        } catch (error) {
          if (signal.aborted) throw error;
          log.warn({ err: error, job: job.job, facilitator: name }, 'a facilitator is left out of the next round');
          return [];
        }
      }),
    );
    const there = new Set<PartyId>([facilitator, ...answers.flat()]);
    const isReached = (name: PartyId): boolean => {
      const parent = parentOf(job, name);
      return there.has(name) && (parent === undefined || isReached(parent));
    };
    return leavesOf(job).filter(isReached);
  }

  return {
    create: async (signed, signal) => {
      await Promise.all(below(signed.descriptor).map((name) => lineTo(name).createJob(signed, signal)));
      return root.createJob(signed, signal);
    },

    draw: async (job, owners, signal) => {
      if (job.tree === undefined || groupSize === undefined) return undefined;
      const leaves = await present(job, signal);
      if (leaves.length > 0) return drawGroups(owners, leaves, groupSize, random);
      throw new SealsumError('facilitator_unreachable', 'none of the facilitators that could fold a group answers');
    },

    open: async (job, signed, signal) => {
      const asked = below(job).filter((name) => contributingTo(job, signed.descriptor, name) !== undefined);
      const opened = await Promise.allSettled(
        asked.map((name) => lineTo(name, shortPatience).openRound(signed, signal)),
      );
      for (const [index, outcome] of opened.entries()) {
        if (outcome.status === 'fulfilled') continue;
        const told = { err: outcome.reason as unknown, job: job.job, facilitator: asked[index] };
        log.warn(told, 'a facilitator could not be told of the round: its group is lost');
      }
      return root.openRound(signed, signal);
    },

    end: async (job, outcome, signal) => {
      await Promise.allSettled(below(job).map((name) => lineTo(name, shortPatience).endJob(job.job, outcome, signal)));
      await root.endJob(job.job, outcome, signal);
    },
  };
}

/** The groups of a round of which nothing is in its sum. */
export function lostGroups(groups: readonly Group[], { manifest }: SignedManifest): readonly Group[] {
  const there = new Set(ownersIn(manifest.contributions));
  return groups.filter(({ roster }) => !roster.some((owner) => there.has(owner)));
}

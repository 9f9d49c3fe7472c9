/**
 * What the facilitators below this one in a tree say of their parts of a round: the manifest of the aggregate that each of them is
 * about to contribute, verified down to the owners, or that there will be none. A report is kept before it is acknowledged, and the
 * contribution that it announces is taken only if it is the aggregate of its manifest.
 */

import { isDeepStrictEqual } from 'node:util';
import { SealsumError } from '../../src/errors.ts';
import { type OwnerId, ownerIdSchema, type PartyId } from '../../src/protocol/identifiers.ts';
import { type ManifestPlace, sha256, verifyPart } from '../../src/protocol/manifest.ts';
import { contributionOf, type RoundState, roundOver } from '../../src/protocol/round.ts';
import type {
  ContributionStatement,
  GroupReport,
  ManifestLine,
  SignedManifest,
} from '../../src/protocol/round-messages.ts';
import { roundPlan } from '../../src/protocol/round-plan.ts';
import { type Group, groupAt } from '../../src/protocol/tree.ts';
import type { BlockPlace, JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import { blocksOf } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';

export interface Reports {
  /**
   * Takes a child's report of a round. In the job's turn.
   *
   * @throws SealsumError message_invalid naming what is wrong with a manifest, signature_invalid; round_closed, round_abandoned;
   *   contribution_conflict for another manifest than that of what the child has contributed
   */
  note(job: JobRecord, round: RoundRecord, child: PartyId, report: GroupReport): Promise<void>;
  /** Refuses a child's contribution that is not what it has reported. @throws SealsumError message_invalid */
  requireManifest(round: RoundRecord, statement: ContributionStatement): Promise<void>;
  /** The lines of a round's manifest, those of children with theirs. */
  linesOf(round: RoundRecord): Promise<readonly ManifestLine[]>;
  /** The owners of the round who let a deadline pass in silence, as far as the reports say so. */
  silentOwners(round: RoundRecord): Promise<ReadonlySet<OwnerId>>;
}

export function createReports(context: FacilitatorContext): Reports {
  const { parties, store, limits, books } = context;

  const placeOf = ({ job, round }: RoundState, child: PartyId): BlockPlace => ({
    job,
    round,
    series: `report:${child}`,
  });

  async function reportOf(state: RoundState, child: PartyId): Promise<GroupReport | undefined> {
    const bytes = await store.block(placeOf(state, child), 0);
    return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as GroupReport);
  }

  async function manifestOf(state: RoundState, child: PartyId): Promise<SignedManifest | undefined> {
    const report = await reportOf(state, child);
    return report?.status === 'closed' ? report.manifest : undefined;
  }

  /** As what is asked of this facilitator: a request that is wrong, and nothing to try again. */
  function requireSound(place: ManifestPlace, manifest: SignedManifest): void {
    try {
      verifyPart(parties(), place, manifest);
    } catch (cause) {
      if (!(cause instanceof SealsumError) || cause.code !== 'manifest_invalid') throw cause;
      throw new SealsumError('message_invalid', cause.message, { field: 'manifest', cause });
    }
  }

  return {
    note: async ({ signed: job }, round, child, report) => {
      const { state, signed } = round;
      const before = await reportOf(state, child);
      if (before !== undefined && isDeepStrictEqual(before, report)) return;
      if (state.status !== 'open' || signed === undefined) throw roundOver(state);
      if (contributionOf(state, ownerIdSchema.parse(child)) !== undefined)
        throw new SealsumError('contribution_conflict', `${child} has contributed the aggregate of another manifest`, {
          field: 'manifest',
        });
      if (report.status === 'closed') {
        const { bytes } = blocksOf(roundPlan(job.descriptor, signed.descriptor), limits.blockBytes);
        requireSound({ job: job.descriptor, facilitator: child, round: signed, bytes }, report.manifest);
      }
      const bytes = Buffer.from(JSON.stringify(report));
      const { job: name, round: number } = state;
      await books.commit(
        name,
        {
          blocks: [{ place: placeOf(state, child), block: 0, bytes }],
          events: [],
          audit: [
            {
              type: `part.${report.status}`,
              job: name,
              round: number,
              owner: child,
              details: { digest: sha256(bytes) },
            },
          ],
        },
        {},
      );
    },

    requireManifest: async ({ state }, { owner, digest }) => {
      const reported = (await manifestOf(state, owner))?.manifest.aggregate_digest;
      if (reported === digest) return;
      throw new SealsumError(
        'message_invalid',
        reported === undefined
          ? `${owner} contributes an aggregate, and has reported no manifest of it before`
          : `${owner} contributes other bytes than the aggregate whose manifest it has reported`,
        { field: 'manifest' },
      );
    },

    linesOf: ({ state }) =>
      Promise.all(
        state.contributions.map(async (accepted) => {
          const manifest = await manifestOf(state, accepted.owner);
          return manifest === undefined ? accepted : { ...accepted, manifest };
        }),
      ),

    silentOwners: async ({ state, signed }) => {
      const groups = signed?.descriptor.groups;
      const found = await Promise.all(
        state.roster.map(async (child) => {
          const report = await reportOf(state, child);
          if (report?.status === 'closed') return silentIn(groups, child, report.manifest);
          const group = new Set(groupAt(groups, child)?.roster);
          return report === undefined ? [] : report.absent.filter((owner) => group.has(owner));
        }),
      );
      return new Set(found.flat());
    },
  };
}

/** The owners of the groups behind a manifest who are not in it. */
function silentIn(
  groups: readonly Group[] | undefined,
  facilitator: PartyId,
  { manifest: { contributions } }: SignedManifest,
): OwnerId[] {
  const there = new Set(contributions.map(({ owner }) => owner));
  const silent = groupAt(groups, facilitator)?.roster.filter((owner) => !there.has(owner)) ?? [];
  const beneath = contributions.flatMap(({ owner, manifest }) =>
    manifest === undefined ? [] : silentIn(groups, owner, manifest),
  );
  return [...silent, ...beneath];
}

/**
 * A data owner's line where a job may be folded by a tree of facilitators. Everything is asked of the root, which everybody follows;
 * a round is asked of the leaf of the group that its model owner has drawn this owner into, and contributed to there.
 *
 * Nobody is believed about the group: the leaf shows the round as the model owner signed it, which is what is checked, charged and
 * contributed to; and another descriptor of a round of that number, at this leaf or another, is a second one of the same round.
 */
import type { Inclusion } from '../contributing/inclusion.ts';
import { SealsumError } from '../errors.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import type { JobId, OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { ManifestLine, RoundView } from '../protocol/round-messages.ts';
import { verifyObject } from '../protocol/signed.ts';
import { groupOf } from '../protocol/tree.ts';
import type { Connection } from './connection.ts';

export interface GroupConnection extends Connection {
  /** Who takes this owner's contribution to a round, as far as the round was looked at. */
  readonly facilitatorOf: (job: JobId, round: number) => PartyId;
  /** Whether an owner can contribute at this facilitator. */
  readonly reaches: (facilitator: PartyId) => boolean;
  /** What was found of this owner in a group's manifest, and whether the root has that group's aggregate in its own. */
  folded(job: JobId, round: number, found: Inclusion, signal: AbortSignal): Promise<Inclusion>;
}

export function connectGroups(connection: Connection, owner: OwnerId): GroupConnection {
  const { client: root, facilitator, parties } = connection;
  const lines = new Map<PartyId, FacilitatorClient>();
  /** By job: of the rounds that were looked at last, who folds this owner's group. */
  const leaves = new Map<JobId, Map<number, PartyId>>();

  function lineTo(name: PartyId): FacilitatorClient {
    const line = lines.get(name) ?? connection.lineTo(name);
    if (line === undefined)
      throw new SealsumError(
        'config_invalid',
        `facilitators: no address of ${name} was given, where this owner's group is`,
        {
          field: 'facilitators',
        },
      );
    lines.set(name, line);
    return line;
  }

  function note(job: JobId, round: number, leaf: PartyId): void {
    const rounds = leaves.get(job) ?? new Map<number, PartyId>();
    rounds.set(round, leaf);
    const [oldest] = rounds.keys();
    if (rounds.size > roundsKept && oldest !== undefined) rounds.delete(oldest);
    leaves.set(job, rounds);
  }

  const facilitatorOf = (job: JobId, round: number): PartyId => leaves.get(job)?.get(round) ?? facilitator;

  async function round(job: JobId, number: number, signal: AbortSignal): Promise<RoundView> {
    const view = await root.round(job, number, signal);
    const group = groupOf(view.signed?.descriptor.groups, owner);
    if (group === undefined) return view;
    note(job, number, group.facilitator);
    return await lineTo(group.facilitator).round(job, number, signal);
  }

  return {
    ...connection,
    client: {
      ...root,
      round,
      contribute: (statement, signature, bytes, signal) =>
        lineTo(facilitatorOf(statement.job, statement.round)).contribute(statement, signature, bytes, signal),
    },
    facilitatorOf,
    reaches: (name) => name === facilitator || connection.others.includes(name),
    folded: async (job, number, found, signal) => {
      const leaf = facilitatorOf(job, number);
      if (leaf === facilitator || !found.included) return found;
      const { manifest: whole, status } = await root.round(job, number, signal);
      const refuse = (reason: string): Inclusion => ({ ...found, included: false, reason });
      if (whole === undefined) return refuse(`the group is folded, and the round is ${status} at ${facilitator}`);
      verifyObject(parties(), { name: facilitator, role: 'facilitator' }, 'manifest', whole.manifest, whole.signature);
      const line = lineOf(whole.manifest.contributions, leaf);
      if (line?.digest === found.manifest.manifest.aggregate_digest) return found;
      return refuse(
        `the manifest of ${facilitator} leaves out the group that ${leaf} has folded, or has another of it`,
      );
    },
  };
}

/** Rounds of a job whose groups are remembered: a contribution goes to one of the newest. */
const roundsKept = 16;

/** A facilitator's line in a manifest, or in one that is in it. */
function lineOf(lines: readonly ManifestLine[], facilitator: PartyId): ManifestLine | undefined {
  for (const line of lines) {
    const names: PartyId = line.owner;
    const found = names === facilitator ? line : lineOf(line.manifest?.manifest.contributions ?? [], facilitator);
    if (found !== undefined) return found;
  }
  return undefined;
}

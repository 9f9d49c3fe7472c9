/**
 * How a facilitator below another one in a tree gives what it has folded to its parent: first the manifest, then the aggregate as its
 * contribution, the same bytes however often and after any restart, until the parent's receipt is kept or the parent says that the
 * round is over. Of a round that was abandoned the parent is told that there will be nothing.
 */

import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { type JobId, ownerIdSchema, type PartyId } from '../../src/protocol/identifiers.ts';
import { missingOwners } from '../../src/protocol/round.ts';
import type { ContributionStatement, GroupReport, SignedReceipt } from '../../src/protocol/round-messages.ts';
import { roundPlan } from '../../src/protocol/round-plan.ts';
import { objectDigest, signObject, verifyObject } from '../../src/protocol/signed.ts';
import type { BlockPlace, JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import { blocksOf } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';

export interface Forwarding {
  /** There may be something to forward: the newest round of a job has ended, now or before this process began. */
  look(job: JobId): void;
  /** Stops forwarding what a job's parent has no use for any more. */
  drop(job: JobId): void;
  stop(): void;
  /** Resolves once nothing is under way any more. */
  drained(): Promise<void>;
}

export function createForwarding(context: FacilitatorContext): Forwarding {
  const { identity, parties, store, log, limits, books, upstream } = context;
  const underWay = new Map<JobId, { readonly ending: AbortController; readonly done: Promise<void> }>();
  let stopped = false;

  async function forward(job: JobId, parent: PartyId, signal: AbortSignal): Promise<void> {
    const record = await books.findJob(job);
    const round = record?.status === 'open' ? await books.findRound(job, record.round) : undefined;
    if (record === undefined || round === undefined || round.state.status === 'open') return;
    const place: BlockPlace = { job, round: round.state.round, series: 'receipt' };
    if ((await store.block(place, 0)) !== undefined) return;
    const client = upstream(parent);
    if (client === undefined)
      throw new SealsumError('config_invalid', `no address of ${parent} is known; name it in [[upstream]]`, {
        field: 'upstream',
      });
    await client.report(job, round.state.round, identity.name, reportOf(record, round), signal);
    if (round.manifest === undefined) return;
    const { aggregate_digest: digest } = round.manifest.manifest;
    const receipt = await contribute(client, parent, record, round, digest, signal);
    await books.inTurn(job, () =>
      books.commit(
        job,
        {
          blocks: [{ place, block: 0, bytes: Buffer.from(JSON.stringify(receipt)) }],
          events: [],
          audit: [{ type: 'part.forwarded', job, round: place.round, details: { parent, digest } }],
        },
        {},
      ),
    );
  }

  function reportOf({ owners }: JobRecord, { state, manifest }: RoundRecord): GroupReport {
    if (manifest !== undefined) return { status: 'closed', manifest };
    const missing = new Set(missingOwners(state));
    const absent = owners.filter(({ owner, status }) => status === 'absent' && missing.has(owner));
    const { reason = `round ${state.round} was abandoned` } = state;
    return { status: 'abandoned', reason, absent: absent.map(({ owner }) => owner) };
  }

  async function contribute(
    client: FacilitatorClient,
    parent: PartyId,
    { signed: { descriptor } }: JobRecord,
    { state: { job, round }, signed, digest: roundDigest }: RoundRecord,
    digest: string,
    signal: AbortSignal,
  ): Promise<SignedReceipt> {
    const { count } = blocksOf(roundPlan(descriptor, signed?.descriptor), limits.blockBytes);
    const bytes = await aggregateOf({ job, round, series: 'aggregate' }, count);
    const statement: ContributionStatement = {
      job,
      round,
      round_digest: roundDigest,
      owner: ownerIdSchema.parse(identity.name),
      digest,
      bytes: bytes.length,
    };
    const signature = signObject(identity, 'contribution', statement);
    const receipt = await client.contribute(statement, signature, bytes, signal);
    if (objectDigest('receipt', receipt.receipt) !== objectDigest('receipt', statement))
      throw new SealsumError('message_invalid', `the receipt of ${parent} is one for another contribution`, {
        field: 'receipt',
      });
    verifyObject(parties(), { name: parent, role: 'facilitator' }, 'receipt', receipt.receipt, receipt.signature);
    return receipt;
  }

  async function aggregateOf(place: BlockPlace, count: number): Promise<Uint8Array> {
    const blocks: Uint8Array[] = [];
    for (let index = 0; index < count; index += 1) {
      const block = await store.block(place, index);
      if (block === undefined)
        throw new SealsumError('round_unknown', `the aggregate of round ${place.round} is no longer kept`);
      blocks.push(block);
    }
    return Buffer.concat(blocks);
  }

  function drop(job: JobId): void {
    underWay.get(job)?.ending.abort();
  }

  return {
    look: (job) => {
      const parent = books.register.get(job)?.parent;
      if (parent === undefined || stopped) return;
      const before = underWay.get(job);
      before?.ending.abort();
      const ending = new AbortController();
      const done = (before?.done ?? Promise.resolve())
        .then(() => forward(job, parent, ending.signal))
        .catch((error: unknown) => {
          if (!ending.signal.aborted)
            log.error({ err: error, job, parent }, 'the aggregate was not taken by the facilitator above this one');
        })
        .finally(() => {
          if (underWay.get(job)?.ending === ending) underWay.delete(job);
        });
      underWay.set(job, { ending, done });
    },
    drop,
    stop: () => {
      stopped = true;
      for (const job of underWay.keys()) drop(job);
    },
    drained: async () => {
      await Promise.allSettled([...underWay.values()].map(({ done }) => done));
    },
  };
}

/**
 * How rounds begin and end at a facilitator. A round ends when nobody is left to wait for, or at its deadline: then the product of
 * its contributions becomes the aggregate, with a manifest of what is in it, or it is abandoned with a reason.
 *
 * Why a round ends, and that it has, are two commits. Between them the round is open although nobody is waited for; whoever finds
 * it so, be it after a restart, ends it.
 */
import { SealsumError } from '../../src/errors.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { OwnerView } from '../../src/protocol/job-messages.ts';
import { ownersIn } from '../../src/protocol/manifest.ts';
import {
  hasWithdrawn,
  missingOwners,
  openRound,
  type RoundState,
  settleRound,
  withdrawOwner,
} from '../../src/protocol/round.ts';
import { roundDigest, verifyRound } from '../../src/protocol/round-digest.ts';
import type { Manifest, SignedRound } from '../../src/protocol/round-messages.ts';
import { roundPlan } from '../../src/protocol/round-plan.ts';
import { signObject } from '../../src/protocol/signed.ts';
import { contributingTo, levelsBelow, parentOf, requireGroups } from '../../src/protocol/tree.ts';
import type { JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import { blocksOf } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';
import type { Keys } from './keys.ts';
import { noiseOf } from './noise.ts';
import { createProducts } from './products.ts';
import type { Reports } from './reports.ts';

/** Milliseconds until a round that could not be ended, because the store failed, is looked at again. */
const secondTry = 1000;

export interface Rounds {
  /**
   * Opens a job's next round, or finds it as it was opened. In the job's turn.
   *
   * @throws SealsumError signature_invalid, message_invalid, owner_not_on_roster, owners_too_few, round_conflict, round_open
   */
  open(job: JobRecord, signed: SignedRound): Promise<{ readonly created: boolean; readonly value: RoundRecord }>;
  /** Sees to it that a round ends: in a turn of its own if it is time, or at its deadline. */
  watch(state: RoundState): void;
  /** Keeps a job's rounds from being ended, and stops the closing that is under way, until the returned function is called. */
  suspend(job: JobId): () => void;
  /** Lets go of what is kept for a job that has ended. */
  release(job: JobId): void;
  /** Lets go of everything, parks the closings that are under way, and starts no timer any more. */
  stop(): void;
}

/** @param onEnded told of every job whose newest round has ended */
export function createRounds(
  context: FacilitatorContext,
  keys: Keys,
  reports: Reports,
  onEnded: (job: JobId) => void,
): Rounds {
  const { identity, parties, clock, log, random, checkpoint, metrics, limits, books, turns } = context;
  const products = createProducts(context);
  const timers = new Map<JobId, () => void>();
  const closings = new Map<JobId, AbortController>();
  const suspended = new Set<JobId>();
  const open = new Set<JobId>();
  let stopped = false;

  function note({ job, status }: RoundState): void {
    if (status === 'open') open.add(job);
    else open.delete(job);
    metrics.openRounds(open.size);
  }

  function forgetTimer(job: JobId): void {
    timers.get(job)?.();
    timers.delete(job);
  }

  function wait(job: JobId, milliseconds: number): void {
    forgetTimer(job);
    if (stopped) return;
    const cancel = clock.after(milliseconds, () => {
      timers.delete(job);
      endSoon(job);
    });
    timers.set(job, cancel);
  }

  function watch(state: RoundState): void {
    note(state);
    if (state.status !== 'open') return;
    const now = clock.now();
    if (settleRound(state, now).status !== 'open') endSoon(state.job);
    else if (!timers.has(state.job)) wait(state.job, state.deadline - now);
  }

  /** Ends a job's newest round in a turn of its own, if it is time. */
  function endSoon(job: JobId): void {
    const work = books.inTurn(job, async () => {
      const record = await books.findJob(job);
      if (stopped || suspended.has(job) || record?.status !== 'open') return;
      const round = await books.findRound(job, record.round);
      if (round?.state.status !== 'open') return;
      const now = clock.now();
      const settled = settleRound(round.state, now);
      if (settled.status === 'open') {
        wait(job, settled.deadline - now);
        return;
      }
      if (now >= settled.deadline) checkpoint('facilitator.round.deadline');
      await end(record, round, settled);
    });
    work.catch((error: unknown) => {
      if (stopped || suspended.has(job)) return;
      log.error({ err: error, job }, 'the round could not be ended; it will be tried again');
      wait(job, secondTry);
    });
  }

  async function end(job: JobRecord, record: RoundRecord, due: RoundState): Promise<void> {
    const settled = await withQuorum(job, record, due);
    if (settled.status === 'closed') await close(job, record, settled);
    else await abandon(job, record, settled);
    forgetTimer(settled.job);
    note(settled);
    metrics.round(settled.status);
    onEnded(settled.job);
  }

  /** What the root of a tree gives to the model owner holds the quorum of the job, however many groups that is. */
  async function withQuorum({ signed }: JobRecord, record: RoundRecord, settled: RoundState): Promise<RoundState> {
    const { tree, quorum } = signed.descriptor;
    if (settled.status !== 'closed' || tree === undefined || parentOf(signed.descriptor, identity.name) !== undefined)
      return settled;
    const count = ownersIn(await reports.linesOf({ ...record, state: settled })).length;
    if (count >= quorum) return settled;
    const missing = missingOwners(settled);
    const groups = missing.length === 0 ? '' : `, nothing from the groups of ${missing.join(', ')}`;
    const reason = `round ${settled.round} was abandoned: ${count} of at least ${quorum} owners are in it${groups}`;
    return { ...settled, status: 'abandoned', reason };
  }

  /** Who let the deadline pass in silence is absent; not so who still had time when the round ended. */
  async function withAbsences(job: JobRecord, record: RoundRecord, settled: RoundState) {
    const now = clock.now();
    const silent = await silentOwners(job, record, settled, now);
    const absent = new Set<string>(silent);
    const views = new Map<string, OwnerView>();
    for (const { owner, answer } of job.owners)
      if (absent.has(owner)) views.set(owner, { owner, status: 'absent', ...(answer === undefined ? {} : { answer }) });
    return {
      job: { ...job, owners: job.owners.map((each) => views.get(each.owner) ?? each), changedAt: now },
      owners: [...views.values()].map((view) => ({ job: settled.job, view })),
      events: silent.map((owner) => books.event(settled.job, 'owner.answered', { owner, status: 'absent' })),
    };
  }

  async function silentOwners(
    job: JobRecord,
    record: RoundRecord,
    settled: RoundState,
    now: number,
  ): Promise<readonly OwnerId[]> {
    if (books.register.get(settled.job)?.children.size === 0)
      return now < settled.deadline ? [] : missingOwners(settled).filter((owner) => !hasWithdrawn(settled, owner));
    const silent = await reports.silentOwners({ ...record, state: settled });
    return job.owners.filter(({ owner, status }) => status === 'ready' && silent.has(owner)).map(({ owner }) => owner);
  }

  async function abandon(job: JobRecord, record: RoundRecord, settled: RoundState): Promise<void> {
    const { job: name, round, contributions, quorum, reason = '' } = settled;
    const absences = await withAbsences(job, record, settled);
    const ending = { at: clock.now(), milliseconds: 0 };
    const outcome = { job: absences.job, round: { ...record, state: settled, ending } };
    checkpoint('facilitator.round.before-abandonment');
    await books.commit(
      name,
      {
        ...outcome,
        owners: absences.owners,
        forget: [{ job: name, round }],
        events: [...absences.events, books.event(name, 'round.abandoned', { round, reason })],
        audit: [{ type: 'round.abandoned', job: name, round, details: { count: contributions.length, quorum } }],
      },
      outcome,
    );
    checkpoint('facilitator.round.after-abandonment');
  }

  async function close(job: JobRecord, record: RoundRecord, settled: RoundState): Promise<void> {
    const { job: name, round } = settled;
    const begun = clock.monotonic();
    checkpoint('facilitator.closing.begun');
    const { descriptor } = job.signed;
    const contributions = await reports.linesOf({ ...record, state: settled });
    const count = contributions.length;
    const closing = new AbortController();
    closings.set(name, closing);
    const blocks = blocksOf(roundPlan(descriptor, record.signed?.descriptor), limits.blockBytes);
    const encryptor = keys.encryptorOf(job);
    // Once in a sum, however many facilitators fold it.
    const isLast = parentOf(descriptor, identity.name) === undefined;
    const noise = isLast ? noiseOf(descriptor, encryptor, random) : undefined;
    const last = await products
      .finish({ job: name, round }, count, blocks, encryptor, noise, closing.signal)
      .finally(() => closings.delete(name));
    const manifest: Manifest = {
      job: name,
      round,
      job_digest: job.digest,
      round_digest: record.digest,
      model_hash: descriptor.model_hash,
      contributions,
      count,
      aggregate_digest: last.digest,
    };
    await turns.rest();
    const signature = signObject(identity, 'manifest', manifest);
    await turns.rest();
    const absences = await withAbsences(job, record, settled);
    const ending = { at: clock.now(), milliseconds: Math.ceil(clock.monotonic() - begun) };
    const closed = { ...record, state: settled, manifest: { manifest, signature }, ending };
    const outcome = { job: absences.job, round: closed };
    checkpoint('facilitator.closing.manifest-signed');
    await books.commit(
      name,
      {
        ...outcome,
        owners: absences.owners,
        blocks: [{ place: last.place, block: last.block, bytes: last.bytes }],
        // The product, and what may be left of others whose contributions were never accepted.
        forget: [{ job: name, round, series: 'products' }],
        events: [...absences.events, books.event(name, 'round.closed', { round })],
        audit: [
          { type: 'round.closed', job: name, round, details: { count, aggregate_digest: manifest.aggregate_digest } },
        ],
      },
      outcome,
    );
    checkpoint('facilitator.closing.after-commit');
    if (round >= 2) keys.prepareNext(job);
  }

  /** Refuses a round that is not as the job says. */
  function requireAgreement({ signed: { descriptor }, digest }: JobRecord, round: SignedRound): void {
    verifyRound(parties(), descriptor.model_owner, round);
    const agreed = {
      job_digest: digest,
      model_hash: descriptor.model_hash,
      quorum: descriptor.quorum,
      deadline_seconds: descriptor.deadline_seconds,
    };
    for (const field of ['job_digest', 'model_hash', 'quorum', 'deadline_seconds'] as const)
      if (round.descriptor[field] !== agreed[field])
        throw new SealsumError(
          'message_invalid',
          `descriptor.${field}: the job says ${agreed[field]}, the round says ${round.descriptor[field]}`,
          { field: `descriptor.${field}` },
        );
    roundPlan(descriptor, round.descriptor);
    requireGroups(descriptor, round.descriptor);
  }

  return {
    open: async (job, signed) => {
      requireAgreement(job, signed);
      const { job: name, round, roster } = signed.descriptor;
      const digest = roundDigest(signed.descriptor);
      const existing = await books.findRound(name, round);
      if (existing?.digest === digest) return { created: false, value: existing };
      if (existing !== undefined)
        throw new SealsumError('round_conflict', `round ${round} exists with another roster or other parameters`);
      // A facilitator of a tree has no part in rounds for which it was not drawn, or was not there.
      if (round !== job.round + 1 && (job.signed.descriptor.tree === undefined || round <= job.round))
        throw new SealsumError('round_conflict', `the next round of job ${name} is ${job.round + 1}, not ${round}`, {
          field: 'round',
        });
      const previous = await books.findRound(name, job.round);
      if (previous?.state.status === 'open')
        throw new SealsumError('round_open', `round ${job.round} of job ${name} is still open`);
      const known = books.register.get(name)?.owners;
      const stranger = roster.find((owner) => known?.has(owner) !== true);
      if (stranger !== undefined)
        throw new SealsumError('owner_not_on_roster', `${stranger} is not on the roster of job ${name}`, {
          field: 'roster',
        });
      const { descriptor } = job.signed;
      const due = contributingTo(descriptor, signed.descriptor, identity.name);
      if (due === undefined)
        throw new SealsumError('message_invalid', `round ${round} has no group for ${identity.name}`, {
          field: 'descriptor.groups',
        });
      const now = clock.now();
      const waits = descriptor.deadline_seconds * (1 + levelsBelow(descriptor, identity.name));
      const begun = openRound({
        job: name,
        round,
        roster: due.roster,
        quorum: due.quorum,
        openedAt: now,
        deadline: now + waits * 1000,
      });
      // Whoever opens the round may not have heard yet who will not come.
      const unwilling = job.owners.filter(({ status }) => status === 'refused' || status === 'withdrawn');
      const state = unwilling.reduce((waiting, { owner }) => withdrawOwner(waiting, owner), begun);
      const outcome = { job: { ...job, round, changedAt: now }, round: { state, signed, digest } };
      checkpoint('facilitator.round.before-commit');
      await books.commit(
        name,
        {
          ...outcome,
          events: [books.event(name, 'round.opened', { round })],
          audit: [{ type: 'round.opened', job: name, round, details: { round_digest: digest, roster: roster.length } }],
        },
        outcome,
      );
      checkpoint('facilitator.round.after-commit');
      metrics.round('open');
      // A second round tells that there will be many: from then on re-randomising is worth a table.
      if (round >= 2) keys.buildTable(job);
      return { created: true, value: outcome.round };
    },
    watch,
    suspend: (job) => {
      suspended.add(job);
      closings.get(job)?.abort();
      return () => {
        suspended.delete(job);
        endSoon(job);
      };
    },
    release: (job) => {
      forgetTimer(job);
      keys.release(job);
      open.delete(job);
      metrics.openRounds(open.size);
    },
    stop: () => {
      stopped = true;
      for (const job of [...timers.keys()]) forgetTimer(job);
      for (const closing of closings.values()) closing.abort();
      keys.stop();
    },
  };
}

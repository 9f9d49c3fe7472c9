/**
 * How rounds end at a facilitator: everybody has contributed, or a deadline passes; then the contributions are multiplied into one
 * aggregate, or the round is abandoned.
 */
import { createHash } from 'node:crypto';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import { missingOwners, type RoundState, settleRound } from '../../src/protocol/round.ts';
import type { FacilitatorChange, JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import type { Books, FacilitatorDependencies } from './books.ts';

/** Milliseconds until a deadline that could not be handled, because the store failed, is handled again. */
const secondTry = 1000;

/** A job's means of re-randomising, and the way to stop what prepares them. */
interface Preparation {
  readonly encryptor: Encryptor;
  readonly stop: AbortController;
}

/** What is committed together with a round's new state. */
export type SettledChange = Pick<FacilitatorChange, 'job' | 'contribution' | 'events'>;

export interface Rounds {
  /** Closes or abandons a round if it is time, and commits that together with what led to it. In the job's turn. */
  settle(job: JobRecord, record: RoundRecord, change: SettledChange): Promise<RoundRecord>;
  /** Settles a round after so many milliseconds, when its deadline has passed. */
  waitForDeadline(state: RoundState, milliseconds: number): void;
  /** The means of encrypting under a job's key. In the job's turn, once it is known to be open. */
  encryptorOf(job: JobRecord): Encryptor;
  /** Builds the table that makes re-randomising fast, a piece at a time. */
  buildTable(job: JobRecord): void;
  /** Lets go of what is kept for an open job outside the store. */
  release(job: JobId): void;
  /** Lets go of everything and starts no timer any more. */
  stop(): void;
}

export function createRounds({ store, clock, log }: FacilitatorDependencies, books: Books): Rounds {
  /** Of jobs that are open; made and dropped in a job's turn only, so that none outlives its job. */
  const preparations = new Map<JobId, Preparation>();
  const deadlines = new Map<JobId, () => void>();
  let stopped = false;

  function preparationOf({ descriptor }: JobRecord): Preparation {
    const known = preparations.get(descriptor.job);
    if (known !== undefined) return known;
    const encryptor = createEncryptor(publicKeyFromJwk(descriptor.public_key));
    const preparation = { encryptor, stop: new AbortController() };
    preparations.set(descriptor.job, preparation);
    return preparation;
  }

  function buildTable(record: JobRecord): void {
    const { encryptor, stop } = preparationOf(record);
    encryptor.prepare(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) log.warn({ err: error, job: record.descriptor.job }, 'no table could be built');
    });
  }

  function forgetDeadline(job: JobId): void {
    deadlines.get(job)?.();
    deadlines.delete(job);
  }

  function release(job: JobId): void {
    forgetDeadline(job);
    preparations.get(job)?.stop.abort();
    preparations.delete(job);
  }

  async function settle(job: JobRecord, record: RoundRecord, change: SettledChange): Promise<RoundRecord> {
    const { state, parameters } = record;
    const now = clock.now();
    const settled = settleRound(state, now);
    const name = state.job;
    if (settled.status === 'open') {
      await books.commit({ ...change, round: record });
      return record;
    }
    // Absent is who let the deadline pass in silence, not who still had time when the round ended.
    const silent = missingOwners(settled).filter((owner) => !settled.withdrawn.includes(owner));
    const absent = now >= settled.deadline ? silent : [];
    const owners = job.owners.map((each) =>
      absent.includes(each.owner) ? { owner: each.owner, status: 'absent' as const } : each,
    );
    const absences = absent.map((owner) => books.event(name, 'owner.answered', { owner, status: 'absent' }));
    const common = { ...change, job: { ...job, owners }, forget: { job: name, round: settled.round } };
    if (settled.status === 'abandoned') {
      const abandoned = { state: settled, parameters };
      const reason = settled.reason ?? '';
      const last = books.event(name, 'round.abandoned', { round: settled.round, reason });
      await books.commit({ ...common, round: abandoned, events: [...change.events, ...absences, last] });
      forgetDeadline(name);
      return abandoned;
    }
    const bytes = aggregate(preparationOf(job).encryptor, job.descriptor.plan.ciphertexts, [
      ...(await store.contributions(name, settled.round)),
      ...(change.contribution === undefined ? [] : [change.contribution.bytes]),
    ]);
    const closed: RoundRecord = {
      state: settled,
      parameters,
      manifest: {
        contributions: settled.contributions,
        count: settled.contributions.length,
        aggregate_digest: sha256(bytes),
      },
    };
    await books.commit({
      ...common,
      round: closed,
      aggregate: { job: name, round: settled.round, bytes },
      events: [...change.events, ...absences, books.event(name, 'round.closed', { round: settled.round })],
    });
    forgetDeadline(name);
    return closed;
  }

  function waitForDeadline(state: RoundState, milliseconds: number): void {
    if (stopped) return;
    const cancel = clock.after(milliseconds, () => {
      books
        .inTurn(state.job, async () => {
          const job = await store.job(state.job);
          const record = await store.round(state.job, state.round);
          if (job === undefined || record?.state.status !== 'open') return;
          const left = record.state.deadline - clock.now();
          if (left > 0) waitForDeadline(record.state, left);
          else await settle(job, record, { events: [] });
        })
        .catch((error: unknown) => {
          log.error({ err: error, job: state.job, round: state.round }, 'the deadline could not be handled');
          waitForDeadline(state, secondTry);
        });
    });
    deadlines.set(state.job, cancel);
  }

  return {
    settle,
    waitForDeadline,
    encryptorOf: (job) => preparationOf(job).encryptor,
    buildTable,
    release,
    stop: () => {
      stopped = true;
      for (const job of new Set([...deadlines.keys(), ...preparations.keys()])) release(job);
    },
  };
}

/** SHA-256 in lowercase hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

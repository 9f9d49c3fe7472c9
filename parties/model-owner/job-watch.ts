/**
 * What a model owner knows of its job while it runs: the owners' answers and how rounds ended, from the facilitator's events,
 * which resume by themselves when the line breaks. A line that stays broken for longer than a round may take ends every wait.
 */
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { limitOutage } from '../../src/http/outage.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobView, OwnerStatus, OwnerView } from '../../src/protocol/messages.ts';

export interface JobWatch {
  /** In the order of the roster. */
  readonly owners: () => readonly OwnerView[];
  /** The owners who said ready and have not been absent since. */
  readonly ready: () => OwnerId[];
  /** Resolves when `enough` says so of the owners, asked at every answer, or after `milliseconds`. */
  until(milliseconds: number, enough: (owners: readonly OwnerView[]) => boolean): Promise<void>;
  /** Resolves when a round is closed. @throws SealsumError round_abandoned, job_ended */
  roundClosed(round: number): Promise<void>;
}

export interface JobWatchOptions {
  readonly client: FacilitatorClient;
  readonly job: JobView;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told of every owner's answer: all owners, in the order of the roster. */
  readonly onOwners: (owners: readonly OwnerView[]) => void;
}

/** The least time that a line may be broken, in milliseconds: what repeating a request takes. */
const leastPatience = 3000;

/** Watches until the signal aborts; every wait then ends with an error. */
export function watchJob({ client, job, clock, signal, onOwners }: JobWatchOptions): JobWatch {
  const { descriptor } = job;
  const patience = Math.max(leastPatience, descriptor.deadline_seconds * 1000);
  const owners = new Map<OwnerId, OwnerView>(job.owners.map((view) => [view.owner, view]));
  const ended = new Map<number, JobEvent>();
  let waiting: (() => void)[] = [];
  let failure: unknown;

  function note(event: JobEvent): void {
    if (event.type === 'owner.answered' && event.owner !== undefined) {
      const { owner, reason } = event;
      const status = event.status as OwnerStatus;
      owners.set(owner, { owner, status, ...(reason === undefined ? {} : { reason }) });
      onOwners([...owners.values()]);
    }
    if ((event.type === 'round.closed' || event.type === 'round.abandoned') && event.round !== undefined)
      ended.set(event.round, event);
    if (event.type === 'job.ended') failure = new SealsumError('job_ended', 'the job was ended at the facilitator');
    wake();
  }

  function wake(): void {
    const sleepers = waiting;
    waiting = [];
    for (const each of sleepers) each();
  }

  async function follow(): Promise<void> {
    const line = new AbortController();
    const outage = limitOutage(clock, patience, () => {
      failure ??= new SealsumError(
        'facilitator_unreachable',
        `the facilitator has not answered for ${patience / 1000} s, so the training was given up`,
      );
      line.abort();
    });
    try {
      const either = AbortSignal.any([signal, line.signal]);
      for await (const event of client.followJob(descriptor.job, either, outage)) note(event);
      failure ??= new SealsumError('aborted', 'the training was stopped');
    } catch (error) {
      failure ??= error;
    } finally {
      outage.cancel();
    }
    wake();
  }
  void follow();

  async function woken(done: () => boolean): Promise<void> {
    while (!done()) {
      if (failure !== undefined) throw toError(failure);
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    }
  }

  return {
    owners: () => [...owners.values()],
    ready: () => [...owners.values()].filter((view) => view.status === 'ready').map((view) => view.owner),
    until: async (milliseconds, enough) => {
      let late = false;
      const cancel = clock.after(milliseconds, () => {
        late = true;
        wake();
      });
      try {
        await woken(() => late || enough([...owners.values()]));
      } finally {
        cancel();
      }
    },
    roundClosed: async (round) => {
      await woken(() => ended.has(round));
      const event = ended.get(round);
      ended.delete(round);
      if (event?.type === 'round.abandoned')
        throw new SealsumError('round_abandoned', event.reason ?? `round ${round} was abandoned`);
    },
  };
}

function toError(failure: unknown): Error {
  return failure instanceof Error ? failure : new SealsumError('internal', 'the events of the job cannot be followed');
}

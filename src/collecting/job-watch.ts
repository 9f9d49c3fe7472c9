/**
 * What a model owner knows of its job while it runs. Events are hints that something happened; what happened is read from the
 * facilitator's state, and read anew whenever the line stands again, so that nothing is lost with a lost event. A line that stays
 * broken for longer than it is put up with ends every wait.
 */
import { SealsumError } from '../errors.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import { limitOutage } from '../http/outage.ts';
import { abortWith } from '../http/signals.ts';
import type { Clock } from '../protocol/clock.ts';
import type { JobEvent } from '../protocol/events.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { JobView, OwnerView } from '../protocol/job-messages.ts';
import type { RoundView } from '../protocol/round-messages.ts';
import type { OwnerRegister } from './owner-register.ts';

export interface JobWatch {
  /** The owners who said ready and have not been absent since. */
  readonly ready: () => OwnerId[];
  /** Resolves when `enough` says so of the owners, asked whenever they change, or after `milliseconds`. */
  until(milliseconds: number, enough: (owners: readonly OwnerView[]) => boolean): Promise<void>;
  /**
   * A round once it is closed.
   *
   * @param seen what is known of it
   * @throws SealsumError round_abandoned, job_ended, job_unknown, facilitator_unreachable
   */
  roundClosed(seen: RoundView): Promise<RoundView>;
  /** Stops watching. */
  stop(): void;
}

export interface JobWatchOptions {
  readonly client: FacilitatorClient;
  readonly job: JobId;
  readonly register: OwnerRegister;
  readonly clock: Clock;
  /** Ends the watch, and every wait with an error. */
  readonly signal: AbortSignal;
  /** Milliseconds for which a broken line is put up with. */
  readonly patience: number;
  /** Called when an owner's answer is another. */
  readonly onOwners: () => void;
  /** Called whenever the facilitator has answered. */
  readonly onContact: () => void;
}

export function watchJob(options: JobWatchOptions): JobWatch {
  const { client, job, register, clock, signal, patience } = options;
  const line = new AbortController();
  const letGo = abortWith(signal, line);
  /** What is not known any more since something happened. */
  const stale = { owners: false, round: false };
  let looking: Promise<void> | undefined;
  /** The round that is waited for, and what is known of it. */
  let awaited: number | undefined;
  let known: RoundView | undefined;
  /** The newest round of which an event said that it has ended, and how it was shown with it. */
  let newestEnded = 0;
  let shown: RoundView | undefined;
  let failure: unknown;
  let waiting: (() => void)[] = [];

  function wake(): void {
    const sleepers = waiting;
    waiting = [];
    for (const each of sleepers) each();
  }

  function fail(error: unknown): void {
    failure ??= error;
    line.abort();
    wake();
  }

  const isStale = (): boolean => stale.owners || (stale.round && awaited !== undefined);

  /** Reads whatever is not known any more; resolves when nothing is left to read. Never rejects. */
  function look(what: Partial<typeof stale>): Promise<void> {
    stale.owners ||= what.owners === true;
    stale.round ||= what.round === true;
    if (isStale()) looking ??= readAll();
    return looking ?? Promise.resolve();
  }

  async function readAll(): Promise<void> {
    try {
      while (isStale()) await read();
    } catch (error) {
      fail(error);
    } finally {
      looking = undefined;
    }
  }

  async function read(): Promise<void> {
    if (stale.owners) {
      stale.owners = false;
      const view = await client.job(job, line.signal);
      requireOpen(view);
      if (register.note(view.owners)) options.onOwners();
    } else if (awaited !== undefined) {
      stale.round = false;
      const view = await client.round(job, awaited, line.signal);
      // An event may have shown its end meanwhile.
      if (known?.round !== view.round || known.status === 'open') known = view;
    }
    options.onContact();
    wake();
  }

  function note(event: JobEvent): void {
    if (event.type === 'owner.answered') void look({ owners: true });
    if (event.type === 'round.closed' || event.type === 'round.abandoned') {
      newestEnded = Math.max(newestEnded, event.round ?? 0);
      shown = event.view;
      if (newestEnded === awaited && !takeShown(awaited)) void look({ round: true });
    }
    if (event.type === 'job.ended') fail(jobEnded(event.status ?? 'ended', event.reason));
  }

  /** Whether the end of a round was shown with its event, which makes it known. */
  function takeShown(round: number): boolean {
    const view = shown;
    shown = undefined;
    if (view?.job !== job || view.round !== round || view.status === 'open') return false;
    known = view;
    options.onContact();
    wake();
    return true;
  }

  async function follow(): Promise<void> {
    const outage = limitOutage(clock, patience, () => {
      const seconds = patience / 1000;
      const message = `the facilitator has not answered for ${seconds} s, so the job was given up`;
      fail(new SealsumError('facilitator_unreachable', message));
    });
    const onConnected = async (): Promise<void> => {
      await outage.onConnected();
      await look({ owners: true, round: true });
    };
    try {
      const hooks = { onBroken: outage.onBroken, onConnected };
      for await (const event of client.followJob(job, 0, line.signal, hooks)) note(event);
      fail(signal.aborted ? stopped(signal) : jobEnded('ended', undefined));
    } catch (error) {
      fail(error);
    } finally {
      outage.cancel();
      letGo();
    }
  }
  void follow();

  /** What `find` finds, looked for whenever something happened. @throws what ended the watch */
  async function found<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const value = find();
      if (value !== undefined) return value;
      if (failure !== undefined) throw toError(failure);
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    }
  }

  return {
    ready: () =>
      register
        .owners()
        .filter((view) => view.status === 'ready')
        .map((view) => view.owner),
    until: async (milliseconds, enough) => {
      let late = false;
      const cancel = clock.after(milliseconds, () => {
        late = true;
        wake();
      });
      try {
        await found(() => (late || enough(register.owners()) ? true : undefined));
      } finally {
        cancel();
      }
    },
    roundClosed: async (seen) => {
      const { round } = seen;
      awaited = round;
      known = seen;
      // Its end may have been told before anybody waited for it.
      if (seen.status === 'open' && newestEnded >= round && !takeShown(round)) void look({ round: true });
      const view = await found(() => (known?.round === round && known.status !== 'open' ? known : undefined));
      // Who was missing is absent now, and need not be waited for again.
      if (view.missing.length > 0) await look({ owners: true });
      if (view.status === 'closed') return view;
      throw new SealsumError('round_abandoned', view.reason ?? `round ${round} was abandoned`);
    },
    stop: () => {
      fail(stopped(line.signal));
    },
  };
}

function requireOpen({ status }: JobView): void {
  if (status !== 'open') throw jobEnded(status, undefined);
}

function jobEnded(status: string, reason: string | undefined): SealsumError {
  const why = reason === undefined ? '' : `: ${reason}`;
  return new SealsumError('job_ended', `the job was ended at the facilitator (${status})${why}`);
}

function stopped(signal: AbortSignal): SealsumError {
  return new SealsumError('aborted', 'the job was stopped', { cause: signal.reason });
}

function toError(failure: unknown): Error {
  return failure instanceof Error ? failure : new SealsumError('internal', 'the events of the job cannot be followed');
}

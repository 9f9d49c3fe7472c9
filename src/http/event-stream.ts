/**
 * Server-sent events (WHATWG HTML, section 9.2), both ends. The server writes numbered events and a comment now and then,
 * so that a silent line is a dead one; the client reconnects by itself and resumes after the last number it saw. Nobody polls.
 */
import { createParser } from 'eventsource-parser';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import { fromProblem } from './problem.ts';

/** Milliseconds between two comments on an idle stream, and the silence after which a reader gives a stream up. */
const heartbeat = 15_000;
const longestSilence = 3 * heartbeat;

/** Milliseconds a follower waits before it connects again: at first, and at most. */
const firstWait = 100;
const longestWait = 5000;

/** Wakes those who wait for something to happen. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void>;
}

export function createBell(): Bell {
  let waiting: (() => void)[] = [];
  return {
    ring: () => {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    next: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const done = (): void => {
          signal.removeEventListener('abort', done);
          waiting = waiting.filter((each) => each !== done);
          resolve();
        };
        signal.addEventListener('abort', done);
        waiting.push(done);
      }),
  };
}

/** Where a server's stream takes its events from. */
export interface EventSourceOfTruth<T extends { readonly id: number; readonly type: string }> {
  /** The events after a number, oldest first; an empty list when there are none yet. */
  readonly read: (after: number) => Promise<readonly T[]>;
  /** Rings when there may be more. */
  readonly bell: Bell;
  /** Whether the stream ends once this event has been written. */
  readonly last?: (event: T) => boolean;
  readonly clock: Clock;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
  /** Called once when the stream is over, whoever ended it. */
  readonly onLeft?: () => void;
}

/** The number a reader wants to resume after: its `Last-Event-ID`, else `otherwise`. @throws SealsumError message_invalid */
export function resumePoint(context: Context, otherwise: number): number {
  const header = context.req.header('last-event-id');
  if (header === undefined) return otherwise;
  if (!/^[0-9]{1,15}$/.test(header))
    throw new SealsumError('message_invalid', 'Last-Event-ID: expected the number of an event', {
      field: 'Last-Event-ID',
    });
  return Number(header);
}

/** Answers with the events after `after`, as they happen, until the reader leaves, the last event is written or the server stops. */
export function serveEvents<T extends { readonly id: number; readonly type: string }>(
  context: Context,
  source: EventSourceOfTruth<T>,
  after: number,
): Response {
  context.header('X-Accel-Buffering', 'no');
  return streamSSE(context, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => {
      gone.abort();
    });
    const signal = AbortSignal.any([gone.signal, source.signal]);
    let position = after;
    let silence = source.clock.after(heartbeat, beat);
    function beat(): void {
      silence = source.clock.after(heartbeat, beat);
      void stream.write(': alive\n\n');
    }
    try {
      await stream.write(': connected\n\n');
      while (!signal.aborted) {
        const rung = source.bell.next(signal);
        for (const event of await source.read(position)) {
          await stream.writeSSE({ id: String(event.id), event: event.type, data: JSON.stringify(event) });
          position = event.id;
          if (source.last?.(event) === true) return;
        }
        await rung;
      }
    } finally {
      silence();
      gone.abort();
      source.onLeft?.();
    }
  });
}

export interface FollowOptions<T extends { readonly id: number }> {
  readonly url: string;
  readonly schema: z.ZodType<T>;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Resume after this number; without it the server decides where to begin. */
  readonly after?: number;
  /** Awaited whenever the line stands (again), before the first event: the place to catch up. If it fails, the line is broken. */
  readonly onConnected?: () => Promise<void>;
  /** Told of every line that broke, before the wait for the next try. */
  readonly onBroken?: (error: unknown) => void;
}

/**
 * Follows a stream until the signal aborts or the caller leaves the loop; only the caller knows what the last event is. Waits
 * 0.1 s after the first break and twice as long after each further one, up to 5 s.
 *
 * @throws SealsumError what the server refused with, when it refused for good (4xx)
 */
export async function* followEvents<T extends { readonly id: number }>(
  options: FollowOptions<T>,
): AsyncGenerator<T, void, undefined> {
  let after = options.after;
  let wait = firstWait;
  const stopped = (): boolean => options.signal.aborted;
  while (!stopped()) {
    const line = new AbortController();
    const signal = AbortSignal.any([options.signal, line.signal]);
    const hangUp = (): void => {
      line.abort();
    };
    let silence = options.clock.after(longestSilence, hangUp);
    let refused: SealsumError | undefined;
    try {
      const response = await options.fetch(options.url, {
        headers: { accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': String(after) }) },
        signal,
      });
      if (response.status >= 400 && response.status < 500)
        refused = fromProblem(await response.json().catch(() => undefined));
      if (!response.ok || response.body === null)
        throw refused ?? new SealsumError('request_failed', `the event stream answered ${response.status}`);
      await options.onConnected?.();
      for await (const event of parseEvents(response.body, options.schema)) {
        silence();
        silence = options.clock.after(longestSilence, hangUp);
        wait = firstWait;
        if (event === undefined) continue;
        after = event.id;
        yield event;
      }
    } catch (error) {
      if (stopped()) return;
      if (refused !== undefined) throw refused;
      options.onBroken?.(error);
    } finally {
      silence();
      line.abort();
    }
    await pause(options.clock, wait, options.signal);
    wait = Math.min(2 * wait, longestWait);
  }
}

/** Resolves after some milliseconds, or at once when the signal aborts. */
function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(milliseconds, done);
    function done(): void {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}

/** Events as they arrive; undefined for anything else that shows that the line is alive. */
async function* parseEvents<T>(body: ReadableStream<Uint8Array>, schema: z.ZodType<T>): AsyncGenerator<T | undefined> {
  let arrived: T[] = [];
  let failure: unknown;
  const parser = createParser({
    onEvent: ({ data }) => {
      try {
        arrived.push(schema.parse(JSON.parse(data)));
      } catch (error) {
        failure = error;
      }
    },
    maxBufferSize: 1 << 20,
  });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (failure !== undefined)
      throw new SealsumError('message_invalid', 'an event is not as expected', { cause: failure });
    const events = arrived;
    arrived = [];
    if (events.length === 0) yield undefined;
    yield* events;
  }
}

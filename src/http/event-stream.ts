/**
 * Server-sent events (WHATWG HTML, section 9.2), both ends. The server writes numbered events and a comment now and then,
 * so that a silent line is a dead one; the client reconnects by itself and resumes after the last number it saw. Nobody polls.
 */
import { createParser } from 'eventsource-parser';
import type { Context } from 'hono';
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import { systemTurns } from '../threads/turns.ts';
import { askedWait, pause, refusal } from './retry.ts';
import { abortWith } from './signals.ts';

/** Milliseconds between two comments on an idle stream, and the silence after which a reader gives a stream up. */
const heartbeat = 15_000;
const longestSilence = 3 * heartbeat;

/** Milliseconds a follower waits before it connects again: at first, and at most. */
const firstWait = 100;
const longestWait = 5000;

/** Why a stream's own signal aborts. Without a reason each time an error would be made, with its stack, that nobody reads. */
const over = 'the stream is over';

/** Wakes those who wait for something to happen. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void>;
}

export function createBell(): Bell {
  let waiting = new Set<() => void>();
  return {
    ring: () => {
      const woken = waiting;
      waiting = new Set();
      for (const wake of woken) wake();
    },
    next: (signal) =>
      new Promise((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          waiting.delete(done);
          resolve();
        };
        if (signal.aborted) {
          resolve();
          return;
        }
        signal.addEventListener('abort', done);
        waiting.add(done);
      }),
  };
}

/** What a stream of events carries. */
interface Numbered {
  readonly id: number;
  readonly type: string;
}

/** Where a server's stream takes its events from. */
export interface EventSourceOfTruth<T extends Numbered> {
  /** The events after a number, oldest first; an empty list when there are none yet. */
  readonly read: (after: number) => Promise<readonly T[]>;
  /** Rings when there may be more. */
  readonly bell: Bell;
  /** Whether the stream ends once this event has been written. */
  readonly last?: (event: T) => boolean;
  readonly clock: Clock;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
  /** Called when a reader is there, at most once; what it returns is called once the reader is gone, whoever ended the stream. */
  readonly onEntered?: () => () => void;
  /** Told of what kept the events from being read; the reader only sees its stream end. */
  readonly onFailed?: (error: unknown) => void;
}

/**
 * The number a reader wants to resume after: its `Last-Event-ID`, else `otherwise`, also when it names an event that is yet to
 * come: whoever gave it that number has begun anew since.
 *
 * @param newest the newest event's number
 * @throws SealsumError message_invalid
 */
export function resumePoint(context: Context, otherwise: number, newest: number = Number.POSITIVE_INFINITY): number {
  const header = context.req.header('last-event-id');
  if (header === undefined) return otherwise;
  if (!/^[0-9]{1,15}$/.test(header))
    throw new SealsumError('message_invalid', 'Last-Event-ID: expected the number of an event', {
      field: 'Last-Event-ID',
    });
  return Number(header) > newest ? otherwise : Number(header);
}

/** For how long those who ask may listen, where they may not for as long as the server runs. */
const permissions = new WeakMap<Context, AbortSignal>();

/** Ends the stream with which a request will be answered, if it is, when the signal aborts: that of a session, when that is over. */
export function endStreamWith(context: Context, over: AbortSignal): void {
  permissions.set(context, over);
}

/**
 * Answers with the events after `after`, as they happen, until the reader leaves, the last event is written, the server stops, or the
 * reader may listen no more.
 *
 * Written only as fast as it is read, and nothing is done before somebody reads: a reader that stalls, or asked only for the
 * head, costs nothing.
 */
export function serveEvents<T extends Numbered>(
  context: Context,
  source: EventSourceOfTruth<T>,
  after: number,
): Response {
  const gone = new AbortController();
  const frames = writeFrames(source, after, gone, permissions.get(context));
  let left = false;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        const frame = await frames.next().catch((error: unknown) => {
          source.onFailed?.(error);
          return undefined;
        });
        // A reader that left while this waited has closed the stream already.
        if (left) return;
        if (frame === undefined || frame.done === true) controller.close();
        else controller.enqueue(encoder.encode(frame.value));
      },
      cancel: async () => {
        left = true;
        // Many may hang up at once.
        await systemTurns.take();
        gone.abort(over);
        await frames.return();
      },
    },
    { highWaterMark: 0 },
  );
  return context.body(body, 200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    // For followEvents, whose parser gives out no block without data; for every other reader the first block says the same.
    'last-event-id': String(after),
  });
}

async function* writeFrames<T extends Numbered>(
  { read, bell, last, clock, signal, onEntered }: EventSourceOfTruth<T>,
  after: number,
  gone: AbortController,
  permission: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const ends = [signal, ...(permission === undefined ? [] : [permission])].map((each) => abortWith(each, gone));
  const leave = onEntered?.();
  try {
    // The number makes the stream resumable before its first event.
    yield `: connected\nid: ${after}\n\n`;
    let position = after;
    while (!gone.signal.aborted) {
      // Listened to before the events are read, so that none falls in between.
      const rung = bell.next(gone.signal);
      // One ring wakes the readers of all streams.
      await systemTurns.take();
      for (const event of await read(position)) {
        yield `event: ${event.type}\ndata: ${JSON.stringify(event)}\nid: ${event.id}\n\n`;
        position = event.id;
        if (last?.(event) === true) return;
      }
      while (!(await happensWithin(clock, heartbeat, rung))) yield ': alive\n\n';
    }
  } finally {
    for (const letGo of ends) letGo();
    gone.abort(over);
    leave?.();
  }
}

/** Whether something happens within some milliseconds: resolves with the answer as soon as it is known. */
async function happensWithin(clock: Clock, milliseconds: number, happening: Promise<void>): Promise<boolean> {
  let cancel = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    cancel = clock.after(milliseconds, () => {
      resolve(false);
    });
  });
  try {
    return await Promise.race([happening.then(() => true), late]);
  } finally {
    cancel();
  }
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
 * Follows a stream until the signal aborts, the caller leaves the loop, or the server says that there is nothing more (204).
 * Waits 0.1 s after the first break and twice as long after each further one, up to 5 s, and longer when the server asks for it;
 * anything heard after the greeting begins that anew.
 *
 * @throws SealsumError what the server refused with, when the same request will be refused again
 */
export async function* followEvents<T extends { readonly id: number }>(
  options: FollowOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const { clock, signal } = options;
  let after = options.after;
  let wait = firstWait;
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    const line = new AbortController();
    const letGo = abortWith(signal, line);
    const hangUp = (): void => {
      line.abort();
    };
    let forgive = clock.after(longestSilence, hangUp);
    let refused = false;
    let asked = 0;
    try {
      const response = await options.fetch(options.url, {
        headers: { accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': String(after) }) },
        signal: line.signal,
      });
      if (response.status === 204) return;
      if (!response.ok) {
        refused = true;
        const failure = await refusal(response, 'the event stream');
        refused = false;
        asked = askedWait(failure);
        throw failure.passing;
      }
      if (response.body === null)
        throw new SealsumError('request_failed', `the event stream answered ${response.status} without a body`);
      after ??= beginning(response);
      await options.onConnected?.();
      let greeted = false;
      for await (const event of parseEvents(response.body, options.schema)) {
        // The silence of the server is not measured while the caller is busy.
        forgive();
        if (greeted || event !== undefined) wait = firstWait;
        greeted = true;
        if (event !== undefined) {
          after = event.id;
          yield event;
        }
        forgive = clock.after(longestSilence, hangUp);
      }
    } catch (error) {
      if (stopped()) return;
      if (refused) throw error;
      options.onBroken?.(error);
    } finally {
      forgive();
      letGo();
      line.abort();
    }
    await pause(clock, asked + wait, signal);
    wait = Math.min(2 * wait, longestWait);
  }
}

/** The number after which the server began, so that a line that breaks before its first event resumes there. */
function beginning(response: Response): number | undefined {
  const header = response.headers.get('last-event-id') ?? '';
  return /^[0-9]{1,15}$/.test(header) ? Number(header) : undefined;
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
  for await (const chunk of chunksOf(body)) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (failure !== undefined)
      throw new SealsumError('message_invalid', 'an event is not as expected', { cause: failure });
    const events = arrived;
    arrived = [];
    if (events.length === 0) yield undefined;
    yield* events;
  }
}

/** As the stream's own iterator gives them, which not every browser has. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    // Whoever leaves the loop wants no more of it; of a stream that failed there is nothing to give up.
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * The reader's end of a stream of events (event-stream.ts): connects again by itself, and resumes after the last number it saw.
 */
import { createParser } from 'eventsource-parser';
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import { askedWait, pause, refusal } from './retry.ts';
import { abortWith } from './signals.ts';

/** Milliseconds between two comments that a server writes on an idle stream, and the silence after which a reader gives a stream up. */
export const heartbeat = 15_000;
const longestSilence = 3 * heartbeat;

/** Milliseconds a follower waits before it connects again: at first, and at most. */
const firstWait = 100;
const longestWait = 5000;

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

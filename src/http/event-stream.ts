/**
 * Server-sent events (WHATWG HTML, section 9.2), the server's end: numbered events, and a comment now and then, so that a silent
 * line is a dead one. Readers resume where they were (follow-events.ts), and nobody polls.
 */
import type { Context } from 'hono';
import { SealsumError } from '../errors.ts';
import { type Clock, happensWithin } from '../protocol/clock.ts';
import { systemTurns } from '../threads/turns.ts';
import type { Bell } from './bell.ts';
import { heartbeat } from './follow-events.ts';
import { abortWith } from './signals.ts';

/** Why a stream's own signal aborts. Without a reason each time an error would be made, with its stack, that nobody reads. */
const over = 'the stream is over';

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

/** Bodies of requests: of the type that is expected, and guarded while they are read: no larger than allowed, and no slower than anybody's line is. */
import type { ReadableStreamReadResult } from 'node:stream/web';
import type { Context } from 'hono';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Looks at every chunk, or waits for it; what it throws is what the reader of the body gets. */
type Guard = (read: () => Promise<ReadableStreamReadResult<Bytes>>) => Promise<ReadableStreamReadResult<Bytes>>;

/** Why the body of a request could not be read: frameworks that read it for us keep that to themselves. */
const failures = new WeakMap<Request, () => SealsumError | undefined>();

/** What one of the guards of this request's body threw. */
export function bodyFailure(request: Request): SealsumError | undefined {
  return failures.get(request)?.();
}

/** The same request with a guarded body; itself when it has none. Read only as fast as it is asked for. */
function guardBody(request: Request, guard: Guard): Request {
  if (request.body === null) return request;
  const reader = request.body.getReader();
  let failure: SealsumError | undefined;
  const body = new ReadableStream<Bytes>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await guard(() => reader.read());
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          if (error instanceof SealsumError) failure = error;
          controller.error(error);
          // What is still to come is nobody's.
          reader.cancel(error).catch(() => undefined);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  // Not every library of types knows that a stream as a body goes one way at a time.
  const init: RequestInit & { readonly duplex: 'half' } = { body, duplex: 'half' };
  const guarded = new Request(request, init);
  failures.set(guarded, () => failure ?? bodyFailure(request));
  return guarded;
}

/** Refuses a body of more than `limit` bytes: at once when it says how long it is, otherwise when it turns out to be. */
export function limitBody(context: Context, limit: number): void {
  const { raw } = context.req;
  if (raw.method === 'GET' || raw.method === 'HEAD') return;
  const tooLarge = (): SealsumError => new SealsumError('body_too_large', `the body is larger than ${limit} bytes`);
  const length = raw.headers.get('content-length');
  if (length !== null && !raw.headers.has('transfer-encoding')) {
    if (Number(length) > limit) throw tooLarge();
    return;
  }
  let size = 0;
  context.req.raw = guardBody(raw, async (read) => {
    const result = await read();
    size += result.value?.length ?? 0;
    if (size > limit) throw tooLarge();
    return result;
  });
}

/** Refuses a body whose Content-Type header is not what the route takes. @throws SealsumError media_type_unsupported */
export function requireMediaType(
  header: string | undefined,
  expected: 'application/json' | 'application/octet-stream',
): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== expected) throw mediaTypeUnsupported(expected);
}

export function mediaTypeUnsupported(expected: 'application/json' | 'application/octet-stream'): SealsumError {
  const mend = expected === 'application/json' ? ' (with curl: --json @FILE)' : '';
  return new SealsumError('media_type_unsupported', `send the body with content-type: ${expected}${mend}`, {
    field: 'content-type',
  });
}

/**
 * What a body says in JSON, for routes whose schema is not zod-openapi's to check.
 *
 * @param limit in bytes, below that of the app
 * @throws SealsumError media_type_unsupported, body_too_large, message_invalid
 */
export async function readJson(context: Context, limit: number): Promise<unknown> {
  requireMediaType(context.req.header('content-type'), 'application/json');
  limitBody(context, limit);
  const text = await context.req.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SealsumError('message_invalid', 'the body is not JSON', { field: 'body', cause });
  }
}

export interface Pace {
  readonly clock: Clock;
  /** Milliseconds that are waited for in any case. */
  readonly grace: number;
  /** What must arrive on average, beyond the grace. */
  readonly bytesPerSecond: number;
}

/**
 * Gives a body up that arrives too slowly. Only the time counts in which its reader waits for it: whoever reads slowly has
 * nobody to blame.
 */
export function expectPace(request: Request, { clock, grace, bytesPerSecond }: Pace): Request {
  let waited = 0;
  let received = 0;
  return guardBody(request, async (read) => {
    const started = clock.monotonic();
    const patience = grace + (received / bytesPerSecond) * 1000 - waited;
    let cancel = (): void => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(patience, () => {
        reject(new SealsumError('body_too_slow', `the body arrives at less than ${bytesPerSecond} bytes per second`));
      });
    });
    try {
      const result = await Promise.race([read(), late]);
      received += result.value?.length ?? 0;
      return result;
    } finally {
      cancel();
      waited += clock.monotonic() - started;
    }
  });
}

/** Bodies of requests: of the type that is expected, and no larger than allowed. How fast they come: paced-message.ts. */
import type { Context } from 'hono';
import { SealsumError } from '../errors.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Why the body of a request could not be read: frameworks that read it for us keep that to themselves. */
const failures = new WeakMap<Request, () => SealsumError | undefined>();

/** Tells why the body of a request could not be read, where that is known below it. */
export function explainBody(request: Request, failure: () => SealsumError | undefined): void {
  failures.set(request, failure);
}

/** Why the body of this request could not be read, as far as it is known. */
export function bodyFailure(request: Request): SealsumError | undefined {
  return failures.get(request)?.();
}

/** Refuses a body of more than `limit` bytes: at once when it says how long it is, otherwise when it turns out to be. */
export function limitBody(context: Context, limit: number): void {
  const { raw } = context.req;
  if (raw.method === 'GET' || raw.method === 'HEAD') return;
  const length = raw.headers.get('content-length');
  if (length === null || raw.headers.has('transfer-encoding')) context.req.raw = withLimit(raw, limit);
  else if (Number(length) > limit) throw tooLarge(limit);
}

/** The same request, whose body ends with an error when it is longer; itself when it has none. Read only as fast as it is asked for. */
function withLimit(request: Request, limit: number): Request {
  if (request.body === null) return request;
  const reader: ReadableStreamDefaultReader<Bytes> = request.body.getReader();
  let size = 0;
  let failure: SealsumError | undefined;
  const body = new ReadableStream<Bytes>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          size += value?.length ?? 0;
          if (size > limit) failure = tooLarge(limit);
          if (failure !== undefined) throw failure;
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
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
  const limited = new Request(request, init);
  explainBody(limited, () => failure ?? bodyFailure(request));
  return limited;
}

function tooLarge(limit: number): SealsumError {
  return new SealsumError('body_too_large', `the body is larger than ${limit} bytes`);
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

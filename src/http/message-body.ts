/** The body of a request as a stream that is read from its line only as fast as it is asked for. */
import type { IncomingMessage } from 'node:http';
import { SealsumError } from '../errors.ts';

const messages = new WeakMap<Request, IncomingMessage>();

/** Tells by which message a request came. */
export function noteMessage(request: Request, message: IncomingMessage): void {
  messages.set(request, message);
}

/**
 * For whoever reads a body in pieces: as request.body, for which the adapter would make two streams and a second Request (what that
 * costs: docs/performance.md). Asked for once, and then read. Ends with the error of the line: body_too_slow, aborted, ECONNRESET.
 */
export function bodyOf(request: Request): ReadableStream<Uint8Array> | null {
  const message = messages.get(request);
  // Somebody has read a clone: the adapter keeps what is left for the request itself.
  return message === undefined || message.readableDidRead ? request.body : streamOf(message);
}

/** At most one piece waits here, beside what Node keeps. */
function streamOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        const end = (close: () => void): void => {
          if (over) return;
          over = true;
          close();
        };
        const fail = (error: unknown): void => {
          end(() => {
            controller.error(error);
          });
        };
        message.pause();
        message.on('data', ({ buffer, byteOffset, byteLength }: Buffer<ArrayBuffer>) => {
          message.pause();
          // As of any stream of bytes: a Buffer's slice() would be the same memory.
          if (!over) controller.enqueue(new Uint8Array(buffer, byteOffset, byteLength));
        });
        message.once('end', () => {
          end(() => {
            controller.close();
          });
        });
        message.once('error', fail);
        const broken = (): void => {
          fail(message.errored ?? new SealsumError('aborted', 'the request broke off before its end'));
        };
        message.once('close', broken);
        if (message.destroyed) broken();
      },
      pull: () => {
        message.resume();
      },
      // What is still to come is thrown away once there is an answer.
      cancel: () => {
        over = true;
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Pages of other origins: browsers show them answers, and let them sign requests at all, only where the server says that it means
 * them (the CORS protocol of the Fetch standard). It is no authentication: whoever asks signs all the same.
 */
import type { Env, MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { contributionSignatureHeader } from '../protocol/round-messages.ts';

/** What clients send beside what browsers send by themselves. */
const allowHeaders = [
  'Content-Type',
  'Content-Digest',
  'Signature',
  'Signature-Input',
  'Last-Event-ID',
  contributionSignatureHeader,
];

/** What clients read of an answer beside its body. */
const exposeHeaders = ['Last-Event-ID', 'Retry-After', 'X-Request-Id'];

/** Seconds for which a browser need not ask again whether it may. */
const maxAge = 600;

/**
 * Answers browsers that ask whether a page may send a request, and lets pages of these origins read what is answered. It stands
 * before authentication: a browser does not sign its question.
 *
 * @param origins such as https://owners.example.org
 */
export function allowOrigins<E extends Env>(origins: readonly string[]): MiddlewareHandler<E> {
  return cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ['GET', 'PUT'],
    allowHeaders,
    exposeHeaders,
    maxAge,
  });
}

/**
 * A party's interface for its own people. On loopback it is open to whoever is on the machine, but not to the pages that a
 * browser there shows: those come with a name of their own in Host (after a DNS rebinding) or in Origin. With a token it is
 * for those who have it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { SealsumError } from '../errors.ts';
import { authorityOf, isLoopback } from './authority.ts';
import { endStreamWith } from './event-stream.ts';

export interface LocalAccessOptions {
  /** What `Authorization: Bearer` must say. */
  readonly token?: string | undefined;
  /** Names of this server beside those of loopback, as listeningAuthorities() says them. */
  readonly authorities: () => readonly string[];
  /** Whether the server listens on loopback only; beyond it nothing is served without a token. */
  readonly loopback: boolean;
  /** Aborts when the session of the dashboard is over that the request shows, if it does: one is as good as the token. */
  readonly session?: (context: Context) => AbortSignal | undefined;
}

/** @throws SealsumError role_forbidden for a foreign name, signature_missing without the token */
export function localAccess({ token, authorities, loopback, session }: LocalAccessOptions): MiddlewareHandler {
  const isOurs = (url: string): boolean =>
    URL.canParse(url) && (isLoopback(new URL(url).hostname) || authorities().includes(authorityOf(url)));
  return async (context, next) => {
    if (!isOurs(context.req.url))
      throw new SealsumError('role_forbidden', 'the request addresses this server by a name that is not its own', {
        field: 'Host',
      });
    const origin = context.req.header('origin');
    if (origin !== undefined && !isOurs(origin))
      throw new SealsumError('role_forbidden', 'pages of other sites may not use this interface', { field: 'Origin' });
    const over = session?.(context);
    if (over !== undefined) {
      endStreamWith(context, over);
      await next();
      return;
    }
    if (token !== undefined && !isToken(context.req.header('authorization'), token)) {
      throw new SealsumError('signature_missing', 'send the token of this party as Authorization: Bearer TOKEN', {
        field: 'Authorization',
      });
    }
    if (token === undefined && !loopback) {
      throw new SealsumError('signature_missing', 'without a token this is served on loopback only; configure one', {
        field: 'Authorization',
      });
    }
    await next();
  };
}

/** Whether a header carries the token. Digests are compared, so that the time tells nothing, not even a length. */
function isToken(header: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

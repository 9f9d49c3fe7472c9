/**
 * A party's dashboard: the page and its files for everybody, signing in by a one-time link, and /ui/api for those who are signed
 * in. A session is good for the party's own interface too (local-access.ts), in place of its bearer token.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, Env, MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { z } from 'zod';
import { SealsumError } from '../../errors.ts';
import { type Clock, timestamp } from '../../protocol/clock.ts';
import type { PartyId } from '../../protocol/identifiers.ts';
import type { Role } from '../../protocol/identity.ts';
import { version } from '../../version.ts';
import { authorityOf, isLoopback } from '../authority.ts';
import type { Bell } from '../bell.ts';
import { endStreamWith, serveEvents } from '../event-stream.ts';
import { parseMessage } from '../problem.ts';
import { readJson } from '../request-body.ts';
import { pause } from '../retry.ts';
import type { Assets } from './assets.ts';
import { type DashboardSessions, type Session, sessionLife } from './sessions.ts';

export interface Dashboard {
  readonly party: { readonly name: PartyId; readonly role: Role };
  readonly sessions: DashboardSessions;
  readonly assets: Assets;
  /** Whether browsers come by https:, so that the cookie is for that alone. */
  readonly secure: boolean;
  /** Names of this server beside those of loopback. */
  readonly authorities: () => readonly string[];
}

/** What the page is told of the party that serves it, once somebody is signed in. */
export interface SessionView {
  readonly party: { readonly name: string; readonly role: Role };
  readonly version: string;
  readonly expires_at: string;
}

/** What the live updates of a dashboard need. */
export interface LiveSource {
  /** Rings when anything that the dashboard shows may have changed. */
  readonly bell: Bell;
  readonly clock: Clock;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

/** What a browser may load and do on the page: its own files and this server, and nothing else. */
export const dashboardPolicy: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const loginSchema = z.strictObject({ token: z.string().min(1).max(200) });

/** Bodies of requests that sign in, in bytes: nobody is known yet, and nothing is kept of what anybody sends. */
const greatestLogin = 1024;

/** Milliseconds between two notices that something has changed. */
const quiet = 250;

/** Whether a path is the dashboard's, which guards itself. */
export function isDashboardPath(path: string): boolean {
  return path === '/ui' || path.startsWith('/ui/');
}

/**
 * The session that a request of the dashboard's own page shows. What other pages send counts as without one: a cookie is also sent
 * for pages of other ports of the same machine.
 */
export function sessionOf(context: Context, dashboard: Dashboard): Session | undefined {
  return isSameOrigin(context) ? dashboard.sessions.read(getCookie(context, cookieName(dashboard))) : undefined;
}

/** Whether the dashboard's own page asks, as browsers say; what changes something must say so. */
function isSameOrigin(context: Context): boolean {
  const { method, url } = context.req;
  const origin = context.req.header('origin');
  const site = context.req.header('sec-fetch-site');
  if (origin !== undefined && !(URL.canParse(origin) && authorityOf(origin) === authorityOf(url))) return false;
  const isReading = method === 'GET' || method === 'HEAD';
  // 'none' is what somebody has typed; the same name without TLS is another site.
  if (site !== undefined && site !== 'same-origin' && !(isReading && site === 'none')) return false;
  return isReading || origin !== undefined;
}

/** @throws SealsumError role_forbidden */
function requireSameOrigin(context: Context): void {
  if (!isSameOrigin(context))
    throw new SealsumError('role_forbidden', 'a session is good for the pages of the dashboard alone', {
      field: 'Origin',
    });
}

// Ports do not part cookies, so that the name says whose it is. With TLS browsers take the prefix from this very host alone (RFC 6265bis).
function cookieName({ party, secure }: Dashboard): string {
  return `${secure ? '__Host-' : ''}sealsum-${party.name}`;
}

/** Mounts /ui: to be called once, before anything is added to /ui/api. */
export function serveDashboard<E extends Env>(app: OpenAPIHono<E>, dashboard: Dashboard): void {
  const { party, sessions, assets, secure } = dashboard;
  app.use('/ui', guardHost(dashboard));
  app.use('/ui/*', guardHost(dashboard));
  const cookie = { path: '/', httpOnly: true, sameSite: 'Strict', secure } as const;

  const show = (context: Context, session: Session): Response =>
    context.json({ party, version, expires_at: timestamp(session.expiresAt) } satisfies SessionView);

  app.get('/ui/session', (context) => show(context, requireSession(context, dashboard)));
  app.post('/ui/session', async (context) => {
    requireSameOrigin(context);
    const { token } = parseMessage(loginSchema, await readJson(context, greatestLogin), "the request's body");
    const { cookie: value, session } = sessions.redeem(token);
    setCookie(context, cookieName(dashboard), value, { ...cookie, maxAge: sessionLife / 1000 });
    return show(context, session);
  });
  app.delete('/ui/session', async (context) => {
    await sessions.end(requireSession(context, dashboard));
    deleteCookie(context, cookieName(dashboard), cookie);
    return context.body(null, 204);
  });

  const guard: MiddlewareHandler = async (context, next) => {
    requireSession(context, dashboard);
    await next();
  };
  app.use('/ui/api/*', guard);

  app.get('/ui', (context) => context.redirect('/ui/', 308));
  app.get('/ui/*', async (context, next) => {
    const asset = assets.get(context.req.path.slice('/ui/'.length));
    if (asset === undefined) {
      await next();
      return;
    }
    context.header('content-security-policy', dashboardPolicy);
    context.header('x-frame-options', 'DENY');
    context.header('cross-origin-opener-policy', 'same-origin');
    context.header('cross-origin-resource-policy', 'same-origin');
    context.header('etag', asset.tag);
    context.header('cache-control', asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    if (context.req.header('if-none-match') === asset.tag) return context.body(null, 304);
    return context.body(asset.bytes, 200, { 'content-type': asset.type });
  });
}

/** Tells the pages of those who are signed in when there may be something new, at /ui/api/events. */
export function serveLiveUpdates<E extends Env>(
  app: OpenAPIHono<E>,
  dashboard: Dashboard,
  { bell, clock, signal }: LiveSource,
): void {
  app.get('/ui/api/events', (context) => {
    endStreamWith(context, dashboard.sessions.signalOf(requireSession(context, dashboard)));
    let isFirst = true;
    // The page reads everything when the line stands: what comes after that is told.
    const read = (after: number): Promise<readonly { readonly id: number; readonly type: string }[]> => {
      const events = isFirst ? [] : [{ id: after + 1, type: 'changed' }];
      isFirst = false;
      return Promise.resolve(events);
    };
    const calm: Bell = {
      ring: () => undefined,
      next: async (until) => {
        await bell.next(until);
        await pause(clock, quiet, until);
      },
    };
    return serveEvents(context, { read, bell: calm, clock, signal }, 0);
  });
}

/** @throws SealsumError session_missing, role_forbidden */
function requireSession(context: Context, dashboard: Dashboard): Session {
  requireSameOrigin(context);
  const session = sessionOf(context, dashboard);
  if (session !== undefined) return session;
  throw new SealsumError(
    'session_missing',
    'nobody is signed in: open the link that the party printed when it started (docs/dashboard.md)',
    { field: 'Cookie' },
  );
}

/** Pages that come with a name of their own, after a DNS rebinding, are none of ours. @throws SealsumError role_forbidden */
function guardHost({ authorities }: Dashboard): MiddlewareHandler {
  return async (context, next) => {
    const { url } = context.req;
    if (!isLoopback(new URL(url).hostname) && !authorities().includes(authorityOf(url)))
      throw new SealsumError('role_forbidden', 'the request addresses this server by a name that is not its own', {
        field: 'Host',
      });
    await next();
  };
}

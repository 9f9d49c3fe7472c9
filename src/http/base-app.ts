/**
 * What the apps of all three parties share: problem details, limits, a name, a line in the log and a measurement per request,
 * and the addresses /healthz, /readyz, /metrics, /openapi.json, /docs and /problems.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { prometheus } from '@hono/prometheus';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, Env, MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { Registry } from 'prom-client';
import { SealsumError } from '../errors.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import type { Party } from '../protocol/identity.ts';
import { version } from '../version.ts';
import { type Dashboard, isDashboardPath, serveDashboard, sessionOf } from './dashboard/serve.ts';
import { type LocalAccessOptions, localAccess } from './local-access.ts';
import type { Logger } from './log.ts';
import { invalidMessage, problemResponse } from './problem.ts';
import { serveProblems } from './problem-pages.ts';
import { bodyFailure, limitBody, mediaTypeUnsupported } from './request-body.ts';

declare module 'hono' {
  /** What every handler finds in its context. */
  interface ContextVariableMap {
    /** The name of the request, in the log and in X-Request-Id. */
    requestId: string;
    /** Who signed the request, where signatures are asked for. */
    party: Party | undefined;
  }
}

export interface BaseAppOptions {
  /** As it is shown in the documentation, for example "facilitator". */
  readonly party: string;
  readonly description: string;
  readonly log: Logger;
  /** The greatest body of a request, in bytes. */
  readonly bodyLimit: number;
  /** What is not ready, or undefined when everything is. */
  readonly notReady: () => Promise<string | undefined>;
  /** Who may use what the party has for its own people, and what that is; left out, it is open. */
  readonly localAccess?: LocalAccessOptions & { readonly covers: 'everything' | 'metrics' };
  /** Pages for the party's own people, at /ui; none unless given. */
  readonly dashboard?: Dashboard;
  /** Where measurements are kept, when the party adds its own. */
  readonly metrics?: Registry;
  /** For the names of requests; the operating system's unless said otherwise. */
  readonly random?: RandomBytes;
}

/** What the document says of addresses that it does not list. */
const openAddresses =
  'Beside what is listed: /healthz; /readyz, 503 with a reason while it is not ready; /metrics; /problems and /problems/{type}, what lies behind a refusal.';

/** What stays open whoever asks: whether the party is well, and how it is used. */
const openPaths = /^\/(healthz|readyz|openapi\.json|docs|docs\/.*|problems|problems\/.*)$/;

export function createBaseApp<E extends Env = Env>(options: BaseAppOptions): OpenAPIHono<E> {
  const app = new OpenAPIHono<E>({
    defaultHook: (result) => {
      if (!result.success) throw invalidMessage(result.error, `the request's ${place(result.target)}`);
    },
  });
  const { log, random = systemRandom } = options;
  const metrics = prometheus({ registry: options.metrics ?? new Registry(), collectDefaultMetrics: true });
  app.use('*', nameAndLog(log, random));
  app.use('*', metrics.registerMetrics);
  const { dashboard, localAccess: access } = options;
  if (access !== undefined) app.use('*', guardLocally(access, dashboard));
  app.use('*', limitBodies(options.bodyLimit));
  app.onError((error, context) => answerProblem(context, error, log));
  app.notFound((context) => {
    const error = new SealsumError('route_unknown', `there is no ${context.req.method} ${context.req.path}; see /docs`);
    return answerProblem(context, error, log);
  });

  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', async (context) => {
    const reason = await options.notReady();
    return reason === undefined
      ? context.json({ status: 'ready' })
      : context.json({ status: 'not ready', reason }, 503);
  });
  app.get('/metrics', metrics.printMetrics);
  const asksForToken = access?.covers === 'everything' && access.token !== undefined;
  if (asksForToken)
    app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
      type: 'http',
      scheme: 'bearer',
      description: 'What is in access_token_file of the configuration.',
    });
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: `sealsum ${options.party}`, version, description: `${options.description} ${openAddresses}` },
    ...(asksForToken ? { security: [{ token: [] }] } : {}),
  });
  serveDocumentation(app, options.party);
  serveProblems(app);
  if (dashboard !== undefined) serveDashboard(app, dashboard);
  return app;
}

function place(target: string): string {
  return target === 'json' ? 'body' : target === 'param' ? 'path' : target;
}

/** Gives every request a name, every answer its headers, and the log a line. */
function nameAndLog(log: Logger, random: RandomBytes): MiddlewareHandler {
  return async (context, next) => {
    const started = performance.now();
    const requestId = nameOf(context.req.header('x-request-id'), random);
    context.set('requestId', requestId);
    await next();
    secure(context.res.headers, requestId);
    const milliseconds = Math.round((performance.now() - started) * 10) / 10;
    log.debug({ ...described(context), status: context.res.status, milliseconds }, 'request');
  };
}

function guardLocally(
  { covers, ...access }: NonNullable<BaseAppOptions['localAccess']>,
  dashboard: Dashboard | undefined,
): MiddlewareHandler {
  const session = dashboard && {
    session: (context: Context): AbortSignal | undefined => {
      const found = sessionOf(context, dashboard);
      return found && dashboard.sessions.signalOf(found);
    },
  };
  const guard = localAccess({ ...access, ...session });
  return (context, next) => {
    const { path } = context.req;
    if (dashboard !== undefined && isDashboardPath(path)) return next();
    const governed = covers === 'metrics' ? path === '/metrics' : !openPaths.test(path);
    return governed ? guard(context, next) : next();
  };
}

function limitBodies(limit: number): MiddlewareHandler {
  return async (context, next) => {
    limitBody(context, limit);
    await next();
  };
}

/** The sender's own name for a request, when it is one, or a random one. */
function nameOf(header: string | undefined, random: RandomBytes): string {
  if (header !== undefined && /^[A-Za-z0-9_-]{1,64}$/.test(header)) return header;
  return Buffer.from(random(12)).toString('base64url');
}

/** What the log says of a request: where it went and who sent it, and nothing of what it carried. */
function described(context: Context): Record<string, string | number> {
  const { method, path } = context.req;
  const [, job, round] = /^\/jobs\/([^/]+)(?:\/rounds\/([0-9]{1,10})(?:\/|$))?/.exec(path) ?? [];
  const party = context.get('party');
  return {
    request_id: context.get('requestId'),
    method,
    path,
    ...(job === undefined ? {} : { job }),
    ...(round === undefined ? {} : { round: Number(round) }),
    ...(party === undefined ? {} : { sender: party.name }),
  };
}

/** The headers of every answer; what an address has set for itself stays. */
function secure(headers: Headers, requestId: string): void {
  headers.set('x-request-id', requestId);
  headers.set('x-content-type-options', 'nosniff');
  headers.set('referrer-policy', 'no-referrer');
  if (!headers.has('content-security-policy'))
    headers.set(
      'content-security-policy',
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
  if (!headers.has('cache-control') && /json|octet-stream|xml|markdown|csv/.test(headers.get('content-type') ?? ''))
    headers.set('cache-control', 'no-store');
}

function answerProblem(context: Context, thrown: unknown, log: Logger): Response {
  const error = understood(context.req.raw, thrown);
  const response = problemResponse(error);
  const code = error instanceof SealsumError ? error.code : undefined;
  if (code === 'aborted') log.debug(described(context), 'the request broke off before its end');
  else if (response.status >= 500 && code !== 'overloaded')
    log.error({ err: thrown, ...described(context) }, 'request failed');
  return response;
}

/** An error in our terms, where it has any. */
function understood(request: Request, error: unknown): unknown {
  // Whoever read the body may have made something of its own of what went wrong.
  const failure = bodyFailure(request);
  if (failure !== undefined) return failure;
  // Nobody is there to read it, and it is no fault of ours.
  if (isBrokenLine(error)) return new SealsumError('aborted', 'the request broke off before its end');
  return error instanceof HTTPException ? fromFramework(error) : error;
}

/** Whether an error says that the sender of a request went away. */
function isBrokenLine(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

/** What Hono and its validators refuse by themselves, in our terms. */
function fromFramework(error: HTTPException): unknown {
  if (error.status === 415) return mediaTypeUnsupported('application/json');
  return error.status < 500 ? new SealsumError('message_invalid', error.message, { field: 'body' }) : error;
}

/** The files of Swagger UI that the page needs, from disk: no request leaves the machine. */
const documentationFiles: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
]);

function serveDocumentation<E extends Env>(app: OpenAPIHono<E>, party: string): void {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  app.get('/docs', (context) => {
    context.header(
      'content-security-policy',
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    return context.html(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>sealsum ${party}</title>` +
        '<meta name="viewport" content="width=device-width, initial-scale=1">' +
        '<link rel="stylesheet" href="docs/swagger-ui.css"></head><body><div id="page"></div>' +
        '<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>',
    );
  });
  app.get('/docs/start.js', (context) =>
    context.body("SwaggerUIBundle({ url: 'openapi.json', dom_id: '#page', validatorUrl: null });", 200, {
      'content-type': 'text/javascript; charset=utf-8',
    }),
  );
  app.get('/docs/:file', async (context) => {
    const type = documentationFiles.get(context.req.param('file'));
    if (type === undefined) return context.notFound();
    const file = await readFile(join(folder, context.req.param('file')));
    return context.body(new Uint8Array(file), 200, { 'content-type': type });
  });
}

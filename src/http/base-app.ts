/**
 * What the apps of all three parties share: problem details, limits, a line in the log and a measurement per request, and
 * the addresses /healthz, /readyz, /metrics, /openapi.json and /docs.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { prometheus } from '@hono/prometheus';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { Registry } from 'prom-client';
import { SealsumError } from '../errors.ts';
import { version } from '../version.ts';
import type { Logger } from './log.ts';
import { invalidMessage, type Problem, toProblem } from './problem.ts';

export interface BaseAppOptions {
  /** As it is shown in the documentation, for example "facilitator". */
  readonly party: string;
  readonly description: string;
  readonly log: Logger;
  /** The greatest body of a request, in bytes. */
  readonly bodyLimit: number;
  /** What is not ready, or undefined when everything is. */
  readonly notReady: () => Promise<string | undefined>;
}

export function createBaseApp(options: BaseAppOptions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw invalidMessage(result.error, `the request's ${place(result.target)}`);
    },
  });
  const metrics = prometheus({ registry: new Registry(), collectDefaultMetrics: true });

  app.use('*', async (context, next) => {
    const started = performance.now();
    await next();
    const { method, path } = context.req;
    const milliseconds = Math.round((performance.now() - started) * 10) / 10;
    options.log.debug({ method, path, status: context.res.status, milliseconds }, 'request');
  });
  app.use('*', metrics.registerMetrics);
  app.use(
    '*',
    bodyLimit({
      maxSize: options.bodyLimit,
      onError: () => {
        throw new SealsumError('body_too_large', `the body is larger than ${options.bodyLimit} bytes`);
      },
    }),
  );
  app.onError((error, context) => answerProblem(context, error, options.log));
  app.notFound((context) => {
    const error = new SealsumError('route_unknown', `there is no ${context.req.method} ${context.req.path}; see /docs`);
    return answerProblem(context, error, options.log);
  });

  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', async (context) => {
    const reason = await options.notReady();
    return reason === undefined
      ? context.json({ status: 'ready' })
      : context.json({ status: 'not ready', reason }, 503);
  });
  app.get('/metrics', metrics.printMetrics);
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: `sealsum ${options.party}`, version, description: options.description },
  });
  serveDocumentation(app, options.party);
  return app;
}

function place(target: string): string {
  return target === 'json' ? 'body' : target === 'param' ? 'path' : target;
}

function answerProblem(context: Context, error: unknown, log: Logger): Response {
  if (isBrokenLine(error)) {
    log.debug({ path: context.req.path }, 'the request broke off before its end');
    // Nobody is there to read it.
    return problemResponse(toProblem(new SealsumError('aborted', 'the request broke off before its end')));
  }
  const problem = toProblem(error instanceof HTTPException ? fromFramework(error) : error);
  if (problem.status >= 500) log.error({ err: error, path: context.req.path }, 'request failed');
  return problemResponse(problem);
}

/** Whether an error says that the sender of a request went away: no fault of ours. */
function isBrokenLine(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

/** What Hono and its validators refuse by themselves, in our terms. */
function fromFramework(error: HTTPException): unknown {
  if (error.status === 415) return mediaTypeUnsupported('application/json');
  return error.status < 500 ? new SealsumError('message_invalid', error.message, { field: 'body' }) : error;
}

/** A problem as a response. */
export function problemResponse(problem: Problem): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json' },
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

function mediaTypeUnsupported(expected: 'application/json' | 'application/octet-stream'): SealsumError {
  const mend = expected === 'application/json' ? ' (with curl: --json @FILE)' : '';
  return new SealsumError('media_type_unsupported', `send the body with content-type: ${expected}${mend}`, {
    field: 'content-type',
  });
}

/** The files of Swagger UI that the page needs, from disk: no request leaves the machine. */
const documentationFiles: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
]);

function serveDocumentation(app: OpenAPIHono, party: string): void {
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

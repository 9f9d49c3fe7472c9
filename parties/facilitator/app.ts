/** The facilitator over HTTP: who asks is found out, and what is asked passed on. Behaviour is in service.ts. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Registry } from 'prom-client';
import type { AuthenticatedEnv } from '../../src/http/authentication.ts';
import { type BaseAppOptions, createBaseApp } from '../../src/http/base-app.ts';
import { allowOrigins } from '../../src/http/cross-origin.ts';
import { type Dashboard, serveLiveUpdates } from '../../src/http/dashboard/serve.ts';
import type { Logger } from '../../src/http/log.ts';
import { requireMediaType } from '../../src/http/request-body.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import { addDashboardRoutes } from './dashboard.ts';
import { addJobRoutes } from './job-routes.ts';
import { addRoundRoutes } from './round-routes.ts';
import type { Facilitator } from './service.ts';
import { describeSignatures } from './signed-routes.ts';

export interface FacilitatorAppDependencies {
  readonly facilitator: Facilitator;
  /** Finds out who asks: what authenticate() of src/http/authentication.ts makes. */
  readonly authentication: MiddlewareHandler<AuthenticatedEnv>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the process stops, so that streams end. */
  readonly signal: AbortSignal;
  /** The greatest body, in bytes; 64 MiB unless said otherwise. */
  readonly bodyLimit?: number;
  /** What else keeps it from being ready, or undefined. */
  readonly notReady?: () => Promise<string | undefined>;
  /** Who may read /metrics; everybody unless said otherwise. */
  readonly localAccess?: BaseAppOptions['localAccess'];
  /** Pages for its people; none unless given. */
  readonly dashboard?: Dashboard;
  /** The registry in which the service counts. */
  readonly metrics?: Registry;
  /** Whose pages may be clients in browsers, such as https://owners.example.org; none unless said otherwise. */
  readonly origins?: readonly string[];
}

export function createFacilitatorApp(dependencies: FacilitatorAppDependencies): OpenAPIHono<AuthenticatedEnv> {
  const {
    facilitator,
    authentication,
    clock,
    log,
    signal,
    localAccess,
    metrics,
    dashboard,
    origins = [],
  } = dependencies;
  const app = createBaseApp<AuthenticatedEnv>({
    party: 'facilitator',
    description: 'Multiplies the ciphertexts of data owners, round by round, and sees no value.',
    log,
    bodyLimit: dependencies.bodyLimit ?? 64 * 2 ** 20,
    notReady: async () => (signal.aborted ? 'stopping' : dependencies.notReady?.()),
    ...(localAccess === undefined ? {} : { localAccess }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(dashboard === undefined ? {} : { dashboard }),
  });
  describeSignatures(app);
  if (dashboard !== undefined) {
    serveLiveUpdates(app, dashboard, { bell: facilitator.bell, clock, signal });
    addDashboardRoutes(app, facilitator.overview);
  }
  // "/jobs/*" is also "/jobs".
  const signedPaths = ['/jobs/*', '/events', '/owners'];
  // Where no page is meant, nothing is answered that is not signed.
  if (origins.length > 0) for (const path of signedPaths) app.use(path, allowOrigins(origins));
  for (const path of signedPaths) app.use(path, authentication);
  app.use('/jobs/*', async (context, next) => {
    const binary = context.req.path.includes('/contributions/');
    if (context.req.method === 'PUT')
      requireMediaType(context.req.header('content-type'), binary ? 'application/octet-stream' : 'application/json');
    await next();
  });
  app.use('/jobs', async (context, next) => {
    if (context.req.method === 'POST') requireMediaType(context.req.header('content-type'), 'application/json');
    await next();
  });
  addJobRoutes(app, { facilitator, clock, log, signal });
  addRoundRoutes(app, facilitator);
  return app;
}

/** The model owner's interface: post a model.json, follow its training, get predictions. Behaviour is in service.ts. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Registry } from 'prom-client';
import { createBaseApp } from '../../src/http/base-app.ts';
import { type Dashboard, serveLiveUpdates } from '../../src/http/dashboard/serve.ts';
import type { LocalAccessOptions } from '../../src/http/local-access.ts';
import type { Logger } from '../../src/http/log.ts';
import { requireMediaType } from '../../src/http/request-body.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import { addDashboardRoutes } from './dashboard.ts';
import { addResultRoutes } from './result-routes.ts';
import type { ModelOwner } from './service.ts';
import { addTrainingRoutes } from './training-routes.ts';

export interface ModelOwnerAppDependencies {
  readonly modelOwner: ModelOwner;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Who may use the interface; left out, whoever reaches it. */
  readonly access?: LocalAccessOptions;
  /** What is not ready beside the line to the facilitator, such as the store; undefined when everything is. */
  readonly notReady?: () => Promise<string | undefined>;
  /** Where measurements are kept. */
  readonly metrics?: Registry;
  /** Pages for its people; none unless given. */
  readonly dashboard?: Dashboard;
  /** The greatest body of a request, in bytes; 64 MiB unless said otherwise. */
  readonly bodyLimit?: number;
}

/** The greatest body: rows to predict, in bytes. */
const greatestBody = 64 * 2 ** 20;

export function createModelOwnerApp(dependencies: ModelOwnerAppDependencies): OpenAPIHono {
  const { modelOwner, clock, log, signal, access, metrics, dashboard } = dependencies;
  const app = createBaseApp({
    party: 'model owner',
    description:
      'Takes a model.json, trains it on encrypted gradients, and predicts; or sums the statistics it asks for.',
    log,
    bodyLimit: dependencies.bodyLimit ?? greatestBody,
    notReady: () => notReady(dependencies),
    ...(access === undefined ? {} : { localAccess: { ...access, covers: 'everything' } }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(dashboard === undefined ? {} : { dashboard }),
  });
  if (dashboard !== undefined) {
    serveLiveUpdates(app, dashboard, { bell: modelOwner.bell, clock, signal });
    addDashboardRoutes(app, modelOwner);
  }
  app.use('/models/*', async (context, next) => {
    if (context.req.method === 'POST') requireMediaType(context.req.header('content-type'), 'application/json');
    await next();
  });

  addTrainingRoutes(app, { modelOwner, clock, log, signal });
  addResultRoutes(app, modelOwner);
  return app;
}

/** What is not ready, or undefined when everything is. */
async function notReady({
  modelOwner,
  signal,
  notReady: other,
}: ModelOwnerAppDependencies): Promise<string | undefined> {
  if (signal.aborted) return 'stopping';
  const reason = await other?.();
  if (reason !== undefined) return reason;
  return (await modelOwner.reachesFacilitator()) ? undefined : 'the facilitator does not answer';
}

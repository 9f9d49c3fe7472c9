/** A data owner's interface, for its own people only. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Registry } from 'prom-client';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import { createBaseApp } from '../../src/http/base-app.ts';
import { type Dashboard, serveLiveUpdates } from '../../src/http/dashboard/serve.ts';
import { ledgerStatementSchema } from '../../src/http/ledger-schema.ts';
import type { LocalAccessOptions } from '../../src/http/local-access.ts';
import type { Logger } from '../../src/http/log.ts';
import { ownedJobSchema } from '../../src/http/owned-job.ts';
import { jsonAnswer, refusal } from '../../src/http/route-parts.ts';
import type { LedgerStore } from '../../src/privacy/ledger.ts';
import { ledgerStatement } from '../../src/privacy/ledger-statement.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import { jobIdSchema, type PartyId, roundNumberSchema } from '../../src/protocol/identifiers.ts';
import { signedManifestSchema, signedReceiptSchema } from '../../src/protocol/round-messages.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import { addConsentRoutes } from './consent-routes.ts';
import { addDatasetRoutes } from './dataset-routes.ts';
import type { Datasets } from './datasets.ts';
import type { DataOwner } from './service.ts';

export interface DataOwnerAppDependencies {
  readonly owner: PartyId;
  /** Whom it follows, and where. */
  readonly facilitator: { readonly name: PartyId; readonly url: string };
  readonly dataOwner: DataOwner;
  readonly ledgerStore: LedgerStore;
  /** What this owner computes on. */
  readonly datasets: Datasets;
  /** What is left follows from its caps; nothing is limited unless given. */
  readonly policy?: OwnerPolicy;
  /** For the heartbeat of event streams; the system's unless given. */
  readonly clock?: Clock;
  readonly log: Logger;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
  /** What is wrong with the store, or undefined. */
  readonly storeTrouble: () => Promise<string | undefined>;
  /** Who may use this interface. */
  readonly localAccess: LocalAccessOptions;
  /** Pages for its people; none unless given. */
  readonly dashboard?: Dashboard;
  /** Where measurements are kept; a registry of its own unless given. */
  readonly metrics?: Registry;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool;
  /** The greatest data set that is received, in bytes; 1 MiB unless given. */
  readonly bodyLimit?: number;
}

const jobPath = z.object({ job: jobIdSchema });
const roundPath = jobPath.extend({
  round: z
    .string()
    .regex(/^[1-9][0-9]{0,9}$/, 'expected the number of a round, counted from 1')
    .transform(Number)
    .pipe(roundNumberSchema)
    .openapi({ type: 'integer', minimum: 1 }),
});

const routes = {
  status: createRoute({
    method: 'get',
    path: '/status',
    summary: 'Who this is, whom it follows, how it fares',
    responses: {
      200: jsonAnswer(
        z.object({
          owner: z.string(),
          facilitator: z.string(),
          facilitator_name: z.string(),
          connected: z.boolean(),
          jobs: z.record(z.string(), z.number()),
        }),
        'The status.',
      ),
      default: refusal,
    },
  }),
  jobs: createRoute({
    method: 'get',
    path: '/jobs',
    summary: 'The jobs that name this owner, and why it refused what it refused',
    responses: { 200: jsonAnswer(z.object({ jobs: z.array(ownedJobSchema) }), 'The jobs.'), default: refusal },
  }),
  receipts: createRoute({
    method: 'get',
    path: '/jobs/{job}/receipts',
    summary: 'What the facilitator has acknowledged and signed, by round; `sealsum verify receipt` reads it',
    request: { params: jobPath },
    responses: {
      200: jsonAnswer(z.object({ receipts: z.array(signedReceiptSchema) }), 'The receipts.'),
      default: refusal,
    },
  }),
  manifest: createRoute({
    method: 'get',
    path: '/jobs/{job}/rounds/{round}/manifest',
    summary: "A round's manifest, asked of the facilitator now, and whether it includes this owner's contribution",
    request: { params: roundPath },
    responses: {
      200: jsonAnswer(
        z.object({
          manifest: signedManifestSchema,
          receipt: signedReceiptSchema.nullable(),
          included: z.boolean(),
          reason: z.string().optional(),
        }),
        'The manifest; `reason` says why a contribution is not included.',
      ),
      default: refusal,
    },
  }),
  ledger: createRoute({
    method: 'get',
    path: '/ledger',
    summary: 'The privacy that this owner has spent and has left, per data set and unit, and every charge',
    description: [
      'Every `rho` is an exact fraction in zero-concentrated differential privacy, with the double nearest to it that says neither',
      'too little of what is spent nor too much of what is left. `accounts` has one entry for each data set and unit; `left` is',
      'null where no cap limits the total; `epsilon` is what the rounds give with the `delta` of the policy, and null where there is',
      'none or where rounds went without differential privacy (`unprotected_rounds`), which no rho accounts for. `neighbours` says',
      'between which neighbours what is spent holds. `spent_rho` is the sum of everything, whatever it hides. A `sampling` below 1 is',
      'the probability with which a unit took part: `epsilon` counts it, and no `rho` does.',
    ].join(' '),
    responses: {
      200: jsonAnswer(ledgerStatementSchema, 'The ledger; an entry with rho null had no differential privacy.'),
      default: refusal,
    },
  }),
};

export function createDataOwnerApp(dependencies: DataOwnerAppDependencies): OpenAPIHono {
  const { owner, facilitator, dataOwner, ledgerStore, datasets, policy = openPolicy, signal, metrics } = dependencies;
  const { clock = systemClock, log, dashboard } = dependencies;
  const app = createBaseApp({
    party: 'data owner',
    description: 'Computes on its own records, encrypts, and contributes to sums.',
    log,
    bodyLimit: dependencies.bodyLimit ?? 2 ** 20,
    localAccess: { covers: 'everything', ...dependencies.localAccess },
    ...(metrics === undefined ? {} : { metrics }),
    ...(dashboard === undefined ? {} : { dashboard }),
    notReady: async () => {
      if (signal.aborted) return 'stopping';
      const trouble = await dependencies.storeTrouble();
      if (trouble !== undefined) return trouble;
      return dataOwner.connected() ? undefined : 'not connected to the facilitator';
    },
  });
  app.openapi(routes.status, (context) => {
    const jobs: Record<string, number> = {};
    for (const { status } of dataOwner.jobs()) jobs[status] = (jobs[status] ?? 0) + 1;
    const { name: facilitator_name, url } = facilitator;
    const connected = dataOwner.connected();
    return context.json({ owner, facilitator: url, facilitator_name, connected, jobs }, 200);
  });
  app.openapi(routes.jobs, (context) => context.json({ jobs: [...dataOwner.jobs()] }, 200));
  app.openapi(routes.receipts, async (context) => {
    const { job } = context.req.valid('param');
    return context.json({ receipts: [...(await dataOwner.receipts(job))] }, 200);
  });
  app.openapi(routes.manifest, async (context) => {
    const { job, round } = context.req.valid('param');
    return context.json({ ...(await dataOwner.inclusion(job, round)) }, 200);
  });
  app.openapi(routes.ledger, async (context) => {
    const known = datasets.names().flatMap((dataset) => policy.units.map((unit) => ({ dataset, unit })));
    return context.json(ledgerStatement(await ledgerStore.entries(), policy.caps, known), 200);
  });
  addConsentRoutes(app, { dataOwner, clock, log, signal });
  if (dashboard !== undefined) serveLiveUpdates(app, dashboard, { bell: dataOwner.events.bell, clock, signal });
  const onChanged = (): void => {
    dataOwner.events.tell({ type: 'datasets.changed' });
  };
  addDatasetRoutes(app, { datasets, onChanged, pool: dependencies.pool, signal });
  return app;
}

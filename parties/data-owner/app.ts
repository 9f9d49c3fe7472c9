/** A data owner's interface, for its own people only. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { createBaseApp } from '../../src/http/base-app.ts';
import type { Logger } from '../../src/http/log.ts';
import { jsonAnswer } from '../../src/http/route-parts.ts';
import type { Ledger, LedgerStore } from '../../src/privacy/ledger.ts';
import { type Rational, toNumber } from '../../src/privacy/rational.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import type { DataOwner } from './service.ts';

export interface DataOwnerAppDependencies {
  readonly owner: OwnerId;
  readonly facilitatorUrl: string;
  readonly dataOwner: DataOwner;
  readonly ledger: Ledger;
  readonly ledgerStore: LedgerStore;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const jobView = z.object({
  job: z.string(),
  status: z.enum(['joining', 'ready', 'refused', 'withdrawn', 'ended']),
  records: z.number().optional(),
  dropped: z.number().optional(),
  round: z.number().optional(),
  reason: z.string().optional(),
  updated_at: z.string(),
});

const rho = z.object({ numerator: z.string(), denominator: z.string(), value: z.number() });

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
          connected: z.boolean(),
          jobs: z.record(z.string(), z.number()),
        }),
        'The status.',
      ),
    },
  }),
  jobs: createRoute({
    method: 'get',
    path: '/jobs',
    summary: 'The jobs that name this owner, and why it refused what it refused',
    responses: { 200: jsonAnswer(z.object({ jobs: z.array(jobView) }), 'The jobs.') },
  }),
  ledger: createRoute({
    method: 'get',
    path: '/ledger',
    summary: 'The privacy that this owner has spent, round by round, in exact zero-concentrated terms',
    responses: {
      200: jsonAnswer(
        z.object({
          spent_rho: rho,
          rounds: z.number(),
          unprotected_rounds: z.number(),
          entries: z.array(z.object({ job: z.string(), round: z.number(), rho: rho.nullable(), at: z.string() })),
        }),
        'The ledger; an entry with rho null had no differential privacy.',
      ),
    },
  }),
  datasets: createRoute({
    method: 'get',
    path: '/datasets',
    summary: 'The data files this owner computes on',
    responses: {
      200: jsonAnswer(
        z.object({
          datasets: z.array(
            z.object({ name: z.string(), path: z.string(), bytes: z.number(), modified_at: z.string() }),
          ),
        }),
        'The data sets.',
      ),
    },
  }),
};

export function createDataOwnerApp(dependencies: DataOwnerAppDependencies): OpenAPIHono {
  const { dataOwner, ledger, ledgerStore, signal } = dependencies;
  const app = createBaseApp({
    party: 'data owner',
    description: 'Computes on its own records, encrypts, and contributes to sums.',
    log: dependencies.log,
    bodyLimit: 2 ** 20,
    notReady: () =>
      Promise.resolve(
        signal.aborted ? 'stopping' : dataOwner.connected() ? undefined : 'not connected to the facilitator',
      ),
  });
  app.openapi(routes.status, (context) => {
    const jobs: Record<string, number> = {};
    for (const { status } of dataOwner.jobs()) jobs[status] = (jobs[status] ?? 0) + 1;
    const { owner, facilitatorUrl } = dependencies;
    return context.json({ owner, facilitator: facilitatorUrl, connected: dataOwner.connected(), jobs }, 200);
  });
  app.openapi(routes.jobs, (context) => context.json({ jobs: [...dataOwner.jobs()] }, 200));
  app.openapi(routes.ledger, async (context) => {
    const entries = await ledgerStore.entries();
    const spent = await ledger.spent();
    return context.json(
      {
        spent_rho: wireRational(spent.rho),
        rounds: spent.rounds,
        unprotected_rounds: spent.unprotectedRounds,
        entries: entries.map(({ rho: charged, ...entry }) => ({
          ...entry,
          rho: charged === null ? null : wireRational(charged),
        })),
      },
      200,
    );
  });
  app.openapi(routes.datasets, async (context) => context.json({ datasets: [...(await dataOwner.datasets())] }, 200));
  return app;
}

function wireRational(value: Rational): z.infer<typeof rho> {
  return { numerator: String(value.numerator), denominator: String(value.denominator), value: toNumber(value) };
}

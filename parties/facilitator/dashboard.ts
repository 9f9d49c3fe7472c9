/** The facilitator's dashboard asks here: for those who are signed in, beside the interface for parties that sign what they ask. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Env } from 'hono';
import { z } from 'zod';
import { parseMessage } from '../../src/http/problem.ts';
import { jobIdSchema, roundNumberSchema } from '../../src/protocol/identifiers.ts';
import type { Overview } from './overview.ts';

const limit = z.coerce.number().int().min(1).max(500).default(100);
const jobsPage = z.strictObject({ skip: z.coerce.number().int().min(0).max(1_000_000).default(0), limit });
const roundsPage = z.strictObject({ before: z.coerce.number().int().min(1).max(2_000_000_000).optional(), limit });
const roundInPath = z.coerce.number().pipe(roundNumberSchema);

/** To be called where /ui/api is guarded. */
export function addDashboardRoutes<E extends Env>(app: OpenAPIHono<E>, overview: Overview): void {
  app.get('/ui/api/totals', async (context) => context.json(await overview.totals(), 200));
  app.get('/ui/api/parties', (context) => context.json({ parties: overview.parties() }, 200));
  app.get('/ui/api/jobs', (context) => {
    const page = parseMessage(jobsPage, context.req.query(), "the request's query");
    return context.json(overview.jobs(page), 200);
  });
  app.get('/ui/api/jobs/:job', async (context) => {
    const job = parseMessage(jobIdSchema, context.req.param('job'), 'job');
    return context.json(await overview.job(job), 200);
  });
  app.get('/ui/api/jobs/:job/rounds', async (context) => {
    const job = parseMessage(jobIdSchema, context.req.param('job'), 'job');
    const page = parseMessage(roundsPage, context.req.query(), "the request's query");
    return context.json({ rounds: await overview.rounds(job, page) }, 200);
  });
  app.get('/ui/api/jobs/:job/rounds/:round', async (context) => {
    const job = parseMessage(jobIdSchema, context.req.param('job'), 'job');
    const round = parseMessage(roundInPath, context.req.param('round'), 'round');
    return context.json(await overview.round(job, round), 200);
  });
}

/** The addresses at which an owner's people see what jobs ask for, decide about them, and follow what happens. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { longestReason } from '../../src/contributing/consent.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import { jobRequestSchema } from '../../src/http/job-request.ts';
import type { Logger } from '../../src/http/log.ts';
import { ownedJobSchema } from '../../src/http/owned-job.ts';
import { requireMediaType } from '../../src/http/request-body.ts';
import { eventStream, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import { jobIdSchema } from '../../src/protocol/identifiers.ts';
import { digestSchema } from '../../src/protocol/message-parts.ts';
import type { DataOwner } from './service.ts';

export interface ConsentRoutesDependencies {
  readonly dataOwner: Pick<DataOwner, 'request' | 'decide' | 'events'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

const decisions = ['approve', 'refuse'] as const;

const jobPath = z.object({ job: jobIdSchema });

/** What a person says. */
const decision = z.strictObject({
  decision: z.enum(decisions, { error: 'expected "approve" or "refuse"' }),
  reason: z
    .string()
    .trim()
    .min(1, 'expected some words, or no reason at all')
    .max(longestReason, `expected at most ${longestReason} characters`)
    .optional()
    .openapi({ description: 'Of a refusal the facilitator and the model owner read it.' }),
  job_digest: digestSchema
    .optional()
    .openapi({ description: 'What GET /jobs/{job}/request has shown: another job is not decided then.' }),
});

const routes = {
  request: createRoute({
    method: 'get',
    path: '/jobs/{job}/request',
    summary: 'What a job asks for: exactly what would be released if it were approved, to whom, and what it costs',
    description:
      "Read off what this owner computes by itself from the signed job, as it has verified and kept it. `release` is all that leaves; `budget` is the ledger's account of the data " +
      'set now and after all rounds; `privacy` is null where there is no differential privacy.',
    request: { params: jobPath },
    responses: { 200: jsonAnswer(jobRequestSchema, 'What it asks for.'), default: refusal },
  }),
  decide: createRoute({
    method: 'put',
    path: '/jobs/{job}/consent',
    summary: 'Approve or refuse a job that waits for it (`consent = "ask"` in [policy])',
    description:
      'The same decision once more changes nothing. Another one is taken until this owner has made its answer of the first, and refused with 409 ' +
      'afterwards.',
    request: { params: jobPath, body: jsonBody(decision) },
    responses: { 200: jsonAnswer(ownedJobSchema, 'The job as it stands now.'), default: refusal },
  }),
  events: createRoute({
    method: 'get',
    path: '/events',
    summary: 'Follow what happens: jobs, the ledger, the data sets, the line to the facilitator',
    description:
      'Every event says that something is another now and is a hint to read it; of each thing only the newest is told to those who resume. ' +
      'Types: job.changed (with job and status), ledger.changed, datasets.changed, connection.changed.',
    responses: { 200: eventStream, default: refusal },
  }),
};

export function addConsentRoutes(app: OpenAPIHono, dependencies: ConsentRoutesDependencies): void {
  const { dataOwner, clock, log, signal } = dependencies;
  app.use('/jobs/:job/consent', async (context, next) => {
    if (context.req.method === 'PUT') requireMediaType(context.req.header('content-type'), 'application/json');
    await next();
  });
  app.openapi(routes.request, async (context) =>
    context.json(await dataOwner.request(context.req.valid('param').job), 200),
  );
  app.openapi(routes.decide, async (context) => {
    const { decision: said, reason, job_digest: jobDigest } = context.req.valid('json');
    const { job } = context.req.valid('param');
    return context.json(await dataOwner.decide(job, { decision: said, reason, jobDigest }), 200);
  });
  app.openapi(routes.events, (context) => {
    const { bell, after, newest } = dataOwner.events;
    const onFailed = (error: unknown): void => {
      log.error({ err: error }, 'a stream of events ended early');
    };
    const read = (id: number): Promise<ReturnType<typeof after>> => Promise.resolve(after(id));
    const from = resumePoint(context, newest(), newest());
    return serveEvents(context, { read, bell, clock, signal, onFailed }, from);
  });
}

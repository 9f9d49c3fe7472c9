/** The addresses of jobs: created, answered, ended, and followed as events. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { AuthenticatedEnv } from '../../src/http/authentication.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import type { Logger } from '../../src/http/log.ts';
import { eventStream, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import { jobIdSchema, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import {
  jobListSchema,
  jobViewSchema,
  ownerListSchema,
  signedAnswerSchema,
  signedJobSchema,
} from '../../src/protocol/job-messages.ts';
import type { Facilitator } from './service.ts';
import { requireSamePlace, security } from './signed-routes.ts';

export interface JobRoutesDependencies {
  readonly facilitator: Facilitator;
  /** For the heartbeat of event streams. */
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the process stops, so that streams end. */
  readonly signal: AbortSignal;
}

const jobPath = z.object({ job: jobIdSchema });
const ownerPath = z.object({ job: jobIdSchema, owner: ownerIdSchema });

const routes = {
  createJob: createRoute({
    method: 'post',
    path: '/jobs',
    summary: 'Create a job, as its model owner; repeating the same descriptor changes nothing',
    security,
    request: { body: jsonBody(signedJobSchema) },
    responses: {
      200: jsonAnswer(jobViewSchema, 'It existed.'),
      201: jsonAnswer(jobViewSchema, 'Created.'),
      default: refusal,
    },
  }),
  jobs: createRoute({
    method: 'get',
    path: '/jobs',
    summary: 'The jobs that the asking party belongs to, oldest first',
    security,
    responses: { 200: jsonAnswer(jobListSchema, 'The jobs.'), default: refusal },
  }),
  job: createRoute({
    method: 'get',
    path: '/jobs/{job}',
    summary: 'One job: its descriptor, newest round, and owners; a data owner sees itself only',
    security,
    request: { params: jobPath },
    responses: { 200: jsonAnswer(jobViewSchema, 'The job.'), default: refusal },
  }),
  endJob: createRoute({
    method: 'delete',
    path: '/jobs/{job}',
    summary: 'End a job, as its model owner, and forget its ciphertexts',
    security,
    request: {
      params: jobPath,
      query: z.strictObject({ outcome: z.enum(['finished', 'failed', 'cancelled']).default('cancelled') }),
    },
    responses: { 204: { description: 'It has ended.' }, default: refusal },
  }),
  answerJob: createRoute({
    method: 'put',
    path: '/jobs/{job}/owners/{owner}',
    summary: 'An owner of the roster says whether it takes part',
    security,
    request: { params: ownerPath, body: jsonBody(signedAnswerSchema) },
    responses: { 204: { description: 'Noted.' }, default: refusal },
  }),
  jobEvents: createRoute({
    method: 'get',
    path: '/jobs/{job}/events',
    summary: 'Follow one job from its beginning; a data owner hears nothing of what the others answer and contribute',
    security,
    request: { params: jobPath },
    responses: {
      200: eventStream,
      204: { description: 'The job has ended and its last event was seen.' },
      default: refusal,
    },
  }),
  events: createRoute({
    method: 'get',
    path: '/events',
    summary: 'Follow all jobs that one belongs to from now on; an owner that names itself is listed as connected',
    security,
    request: { query: z.strictObject({ owner: ownerIdSchema.optional() }) },
    responses: { 200: eventStream, default: refusal },
  }),
  owners: createRoute({
    method: 'get',
    path: '/owners',
    summary: 'The owners whose streams are connected now, for model owners and the facilitator itself',
    security,
    responses: { 200: jsonAnswer(ownerListSchema, 'Their names.'), default: refusal },
  }),
};

/** To be called where it is found out who asks. */
export function addJobRoutes(app: OpenAPIHono<AuthenticatedEnv>, dependencies: JobRoutesDependencies): void {
  const { facilitator, clock, log, signal } = dependencies;
  app.openapi(routes.createJob, async (context) => {
    const { created, value } = await facilitator.createJob(context.get('party'), context.req.valid('json'));
    context.header('Location', `/jobs/${value.descriptor.job}`);
    return context.json(value, created ? 201 : 200);
  });
  app.openapi(routes.jobs, (context) => context.json({ jobs: facilitator.jobs(context.get('party')) }, 200));
  app.openapi(routes.job, async (context) =>
    context.json(await facilitator.job(context.get('party'), context.req.valid('param').job), 200),
  );
  app.openapi(routes.endJob, async (context) => {
    const { outcome } = context.req.valid('query');
    await facilitator.endJob(context.get('party'), context.req.valid('param').job, outcome);
    return context.body(null, 204);
  });
  app.openapi(routes.answerJob, async (context) => {
    const signed = context.req.valid('json');
    requireSamePlace('answer', context.req.valid('param'), signed.answer);
    await facilitator.answerJob(context.get('party'), signed);
    return context.body(null, 204);
  });
  const onFailed = (error: unknown): void => {
    log.error({ err: error }, 'a stream of events ended early');
  };
  app.openapi(routes.jobEvents, async (context) => {
    const party = context.get('party');
    const { job } = context.req.valid('param');
    const read = facilitator.reader(party, { job });
    const { status } = await facilitator.job(party, job);
    const after = resumePoint(context, 0, await facilitator.lastEvent());
    // An EventSource connects again after the end of a stream, unless it is told that nothing more will come.
    if (status !== 'open' && (await facilitator.reader(party, { job })(after)).length === 0)
      return context.body(null, 204);
    const last = (event: JobEvent): boolean => event.type === 'job.ended';
    return serveEvents(context, { read, bell: facilitator.bellOf(party), last, clock, signal, onFailed }, after);
  });
  app.openapi(routes.events, async (context) => {
    const party = context.get('party');
    const { owner } = context.req.valid('query');
    const read = facilitator.reader(party, owner === undefined ? {} : { owner });
    const newest = await facilitator.lastEvent();
    const source = {
      read,
      bell: facilitator.bellOf(party),
      clock,
      signal,
      onFailed,
      // An owner is listed as connected for as long as its stream stands.
      ...(owner === undefined ? {} : { onEntered: () => facilitator.connect(owner) }),
    };
    return serveEvents(context, source, resumePoint(context, newest, newest));
  });
  app.openapi(routes.owners, (context) =>
    context.json({ owners: facilitator.connectedOwners(context.get('party')) }, 200),
  );
}

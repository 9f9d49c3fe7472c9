/** The facilitator's interface: what is asked, where, and what is answered. Behaviour is in service.ts. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { createBaseApp, requireMediaType } from '../../src/http/base-app.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import type { Logger } from '../../src/http/log.ts';
import { eventStream, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import { jobIdSchema, ownerIdSchema, roundNumberSchema } from '../../src/protocol/identifiers.ts';
import {
  contributionReceiptSchema,
  jobDescriptorSchema,
  jobListSchema,
  jobViewSchema,
  ownerAnswerSchema,
  ownerListSchema,
  roundDescriptorSchema,
  roundViewSchema,
} from '../../src/protocol/messages.ts';
import type { Facilitator } from './service.ts';

export interface FacilitatorAppDependencies {
  readonly facilitator: Facilitator;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the process stops, so that streams end. */
  readonly signal: AbortSignal;
  /** The greatest body, in bytes; 64 MiB unless said otherwise. */
  readonly bodyLimit?: number;
}

const jobPath = z.object({ job: jobIdSchema });
const ownerPath = z.object({ job: jobIdSchema, owner: ownerIdSchema });
/** A round has one address: decimal digits without leading zeros. */
const roundInPath = z
  .string()
  .regex(/^[1-9][0-9]{0,9}$/, 'expected the number of a round, counted from 1')
  .transform(Number)
  .pipe(roundNumberSchema)
  .openapi({ type: 'integer', minimum: 1 });
const roundPath = z.object({ job: jobIdSchema, round: roundInPath });
const contributionPath = roundPath.extend({ owner: ownerIdSchema });

const ciphertexts = { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } };

const routes = {
  createJob: createRoute({
    method: 'post',
    path: '/jobs',
    summary: 'Create a job; repeating the same descriptor changes nothing',
    request: { body: jsonBody(jobDescriptorSchema) },
    responses: {
      200: jsonAnswer(jobViewSchema, 'It existed.'),
      201: jsonAnswer(jobViewSchema, 'Created.'),
      default: refusal,
    },
  }),
  jobs: createRoute({
    method: 'get',
    path: '/jobs',
    summary: 'All jobs, oldest first',
    responses: { 200: jsonAnswer(jobListSchema, 'The jobs.') },
  }),
  job: createRoute({
    method: 'get',
    path: '/jobs/{job}',
    summary: 'One job: its descriptor, owners and newest round',
    request: { params: jobPath },
    responses: { 200: jsonAnswer(jobViewSchema, 'The job.'), default: refusal },
  }),
  endJob: createRoute({
    method: 'delete',
    path: '/jobs/{job}',
    summary: 'End a job and forget its ciphertexts',
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
    request: { params: ownerPath, body: jsonBody(ownerAnswerSchema) },
    responses: { 200: jsonAnswer(jobViewSchema, 'Noted.'), default: refusal },
  }),
  openRound: createRoute({
    method: 'put',
    path: '/jobs/{job}/rounds/{round}',
    summary: 'Open the next round; repeating the same descriptor changes nothing',
    request: { params: roundPath, body: jsonBody(roundDescriptorSchema) },
    responses: {
      200: jsonAnswer(roundViewSchema, 'It existed.'),
      201: jsonAnswer(roundViewSchema, 'Opened.'),
      default: refusal,
    },
  }),
  round: createRoute({
    method: 'get',
    path: '/jobs/{job}/rounds/{round}',
    summary: 'One round: parameters, who contributed, and its manifest once closed',
    request: { params: roundPath },
    responses: { 200: jsonAnswer(roundViewSchema, 'The round.'), default: refusal },
  }),
  contribute: createRoute({
    method: 'put',
    path: '/jobs/{job}/rounds/{round}/contributions/{owner}',
    summary: "An owner's ciphertexts, fixed-width big-endian, one after the other; the same bytes again change nothing",
    request: { params: contributionPath, body: { required: true, content: ciphertexts } },
    responses: {
      200: jsonAnswer(contributionReceiptSchema, 'These bytes were accepted before.'),
      201: jsonAnswer(contributionReceiptSchema, 'Accepted.'),
      default: refusal,
    },
  }),
  aggregate: createRoute({
    method: 'get',
    path: '/jobs/{job}/rounds/{round}/aggregate',
    summary: "The re-randomised product of a closed round's contributions",
    request: { params: roundPath },
    responses: { 200: { description: 'Ciphertexts.', content: ciphertexts }, default: refusal },
  }),
  jobEvents: createRoute({
    method: 'get',
    path: '/jobs/{job}/events',
    summary: 'Follow one job from its beginning',
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
    summary: 'Follow all jobs from now on; with `owner`, those that name it, and be listed as connected',
    request: { query: z.strictObject({ owner: ownerIdSchema.optional() }) },
    responses: { 200: eventStream, default: refusal },
  }),
  owners: createRoute({
    method: 'get',
    path: '/owners',
    summary: 'The owners whose streams are connected now',
    responses: { 200: jsonAnswer(ownerListSchema, 'Their names.') },
  }),
};

export function createFacilitatorApp(dependencies: FacilitatorAppDependencies): OpenAPIHono {
  const { facilitator, clock, log, signal } = dependencies;
  const app = createBaseApp({
    party: 'facilitator',
    description: 'Multiplies the ciphertexts of data owners, round by round, and sees no value.',
    log,
    bodyLimit: dependencies.bodyLimit ?? 64 * 2 ** 20,
    notReady: () => Promise.resolve(signal.aborted ? 'stopping' : undefined),
  });
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

  app.openapi(routes.createJob, async (context) => {
    const { created, value } = await facilitator.createJob(context.req.valid('json'));
    context.header('Location', `/jobs/${value.descriptor.job}`);
    return context.json(value, created ? 201 : 200);
  });
  app.openapi(routes.jobs, async (context) => context.json({ jobs: await facilitator.jobs() }, 200));
  app.openapi(routes.job, async (context) => context.json(await facilitator.job(context.req.valid('param').job), 200));
  app.openapi(routes.endJob, async (context) => {
    await facilitator.endJob(context.req.valid('param').job, context.req.valid('query').outcome);
    return context.body(null, 204);
  });
  app.openapi(routes.answerJob, async (context) => {
    const { job, owner } = context.req.valid('param');
    return context.json(await facilitator.answerJob(job, owner, context.req.valid('json')), 200);
  });
  app.openapi(routes.openRound, async (context) => {
    const { job, round } = context.req.valid('param');
    const { created, value } = await facilitator.openRound(job, round, context.req.valid('json'));
    return context.json(value, created ? 201 : 200);
  });
  app.openapi(routes.round, async (context) => {
    const { job, round } = context.req.valid('param');
    return context.json(await facilitator.round(job, round), 200);
  });
  app.openapi(routes.contribute, async (context) => {
    const { job, round, owner } = context.req.valid('param');
    const bytes = new Uint8Array(await context.req.arrayBuffer());
    const { created, value } = await facilitator.contribute(job, round, owner, bytes);
    return context.json(value, created ? 201 : 200);
  });
  app.openapi(routes.aggregate, async (context) => {
    const { job, round } = context.req.valid('param');
    const bytes = await facilitator.aggregate(job, round);
    return context.body(new Uint8Array(bytes), 200, { 'content-type': 'application/octet-stream' });
  });
  const onFailed = (error: unknown): void => {
    log.error({ err: error }, 'a stream of events ended early');
  };
  app.openapi(routes.jobEvents, async (context) => {
    const { job } = context.req.valid('param');
    const { status } = await facilitator.job(job);
    const after = resumePoint(context, 0, await facilitator.lastEvent());
    const read = facilitator.reader({ job });
    // An EventSource connects again after the end of a stream, unless it is told that nothing more will come.
    if (status !== 'open' && (await facilitator.reader({ job })(after)).length === 0) return context.body(null, 204);
    const last = (event: JobEvent): boolean => event.type === 'job.ended';
    return serveEvents(context, { read, bell: facilitator.bell, last, clock, signal, onFailed }, after);
  });
  app.openapi(routes.events, async (context) => {
    const { owner } = context.req.valid('query');
    const newest = await facilitator.lastEvent();
    const source = {
      read: facilitator.reader(owner === undefined ? {} : { owner }),
      bell: facilitator.bell,
      clock,
      signal,
      onFailed,
      // An owner is listed as connected for as long as its stream stands.
      ...(owner === undefined ? {} : { onEntered: () => facilitator.connect(owner) }),
    };
    return serveEvents(context, source, resumePoint(context, newest, newest));
  });
  app.openapi(routes.owners, (context) => context.json({ owners: facilitator.connectedOwners() }, 200));
  return app;
}

/** The facilitator's interface: what is asked, where, by whom, and what is answered. Behaviour is in service.ts. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Registry } from 'prom-client';
import { SealsumError } from '../../src/errors.ts';
import { type AuthenticatedEnv, streamedBody } from '../../src/http/authentication.ts';
import { type BaseAppOptions, createBaseApp, requireMediaType } from '../../src/http/base-app.ts';
import { allowOrigins } from '../../src/http/cross-origin.ts';
import { type Dashboard, serveLiveUpdates } from '../../src/http/dashboard/serve.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import type { Logger } from '../../src/http/log.ts';
import { parseMessage } from '../../src/http/problem.ts';
import { eventStream, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import {
  jobIdSchema,
  type OwnerId,
  ownerIdSchema,
  partyIdSchema,
  roundNumberSchema,
} from '../../src/protocol/identifiers.ts';
import {
  jobListSchema,
  jobViewSchema,
  ownerListSchema,
  signedAnswerSchema,
  signedJobSchema,
} from '../../src/protocol/job-messages.ts';
import {
  contributionSignatureHeader,
  groupReportSchema,
  roundViewSchema,
  signedReceiptSchema,
  signedRoundSchema,
} from '../../src/protocol/round-messages.ts';
import { type ObjectSignature, objectSignatureSchema } from '../../src/protocol/signed.ts';
import { addDashboardRoutes } from './dashboard.ts';
import type { Aggregate, Facilitator } from './service.ts';

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
const reportPath = roundPath.extend({ facilitator: partyIdSchema });
const contributionPath = roundPath.extend({ owner: ownerIdSchema });

const ciphertexts = { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } };

/** RFC 9421 signs with two headers, which belong together. */
const security = [{ signature: [], signatureInput: [] }];

/** What a contribution says of itself before its bytes come; read by hand, as their errors name headers. */
const contributionHeaders = z.object({
  [contributionSignatureHeader]: z.string().openapi({
    description:
      "The owner's signature of its statement about these bytes: the key's fingerprint, a dot, the signature",
    pattern: '^[A-Za-z0-9_-]{43}\\.[A-Za-z0-9_-]{86}$',
  }),
});

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
  openRound: createRoute({
    method: 'put',
    path: '/jobs/{job}/rounds/{round}',
    summary: "Open the next round, as the job's model owner; repeating the same descriptor changes nothing",
    security,
    request: { params: roundPath, body: jsonBody(signedRoundSchema) },
    responses: {
      200: jsonAnswer(roundViewSchema, 'It existed.'),
      201: jsonAnswer(roundViewSchema, 'Opened.'),
      default: refusal,
    },
  }),
  round: createRoute({
    method: 'get',
    path: '/jobs/{job}/rounds/{round}',
    summary: 'One round: what the model owner signed, who contributed, and its manifest once closed',
    security,
    request: { params: roundPath },
    responses: { 200: jsonAnswer(roundViewSchema, 'The round.'), default: refusal },
  }),
  contribute: createRoute({
    method: 'put',
    path: '/jobs/{job}/rounds/{round}/contributions/{owner}',
    summary: "An owner's ciphertexts, fixed-width big-endian, one after the other; the same bytes again change nothing",
    security,
    request: {
      params: contributionPath,
      headers: contributionHeaders.partial(),
      body: { required: true, content: ciphertexts },
    },
    responses: {
      200: jsonAnswer(signedReceiptSchema, 'These bytes were accepted before.'),
      201: jsonAnswer(signedReceiptSchema, 'Accepted.'),
      default: refusal,
    },
  }),
  report: createRoute({
    method: 'put',
    path: '/jobs/{job}/rounds/{round}/reports/{facilitator}',
    summary:
      'A facilitator whose aggregates are folded here tells of its part of a round; repeating it changes nothing',
    security,
    request: { params: reportPath, body: jsonBody(groupReportSchema) },
    responses: { 204: { description: 'Noted.' }, default: refusal },
  }),
  aggregate: createRoute({
    method: 'get',
    path: '/jobs/{job}/rounds/{round}/aggregate',
    summary: "The re-randomised product of a closed round's contributions, for the job's model owner",
    security,
    request: { params: roundPath },
    responses: {
      200: { description: 'Ciphertexts, with their Content-Length and Content-Digest.', content: ciphertexts },
      default: refusal,
    },
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
  app.openapi(routes.openRound, async (context) => {
    const signed = context.req.valid('json');
    requireSamePlace('descriptor', context.req.valid('param'), signed.descriptor);
    const { created, value } = await facilitator.openRound(context.get('party'), signed);
    return context.json(value, created ? 201 : 200);
  });
  app.openapi(routes.round, async (context) => {
    const { job, round } = context.req.valid('param');
    return context.json(await facilitator.round(context.get('party'), job, round), 200);
  });
  app.openapi(routes.contribute, async (context) => {
    const { job, round, owner } = context.req.valid('param');
    const { created, value } = await facilitator.contribute(context.get('party'), {
      job,
      round,
      owner,
      signature: signatureOf(context.req.header(contributionSignatureHeader), owner),
      bytes: lengthOf(context.req.header('content-length')),
      digest: digestOf(context.get('bodyDigest')),
      body: streamedBody(context),
    });
    return context.json(value, created ? 201 : 200);
  });
  app.openapi(routes.report, async (context) => {
    const { job, round, facilitator: child } = context.req.valid('param');
    await facilitator.report(context.get('party'), job, round, child, context.req.valid('json'));
    return context.body(null, 204);
  });
  app.openapi(routes.aggregate, async (context) => {
    const { job, round } = context.req.valid('param');
    const { bytes, digest, blocks } = await facilitator.aggregate(context.get('party'), job, round);
    return context.body(streamOf(blocks), 200, {
      'content-type': 'application/octet-stream',
      'content-length': String(bytes),
      'content-digest': `sha-256=:${Buffer.from(digest, 'hex').toString('base64')}:`,
    });
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
  return app;
}

function describeSignatures(app: OpenAPIHono<AuthenticatedEnv>): void {
  const header = (name: string, description: string) => ({ type: 'apiKey', in: 'header', name, description }) as const;
  app.openAPIRegistry.registerComponent(
    'securitySchemes',
    'signature',
    header('Signature', "RFC 9421, Ed25519, by the asking party's key of the roster file"),
  );
  app.openAPIRegistry.registerComponent(
    'securitySchemes',
    'signatureInput',
    header(
      'Signature-Input',
      'What is signed: @method, @authority, @path, @query and, with a body, content-digest; created, nonce, keyid',
    ),
  );
}

/** Refuses a message that is for another place than the one it was sent to. @throws SealsumError message_invalid */
function requireSamePlace(what: string, path: Readonly<Record<string, string | number>>, message: object): void {
  const said = new Map<string, unknown>(Object.entries(message));
  for (const [field, value] of Object.entries(path))
    if (said.get(field) !== value)
      throw new SealsumError('message_invalid', `${what}.${field}: the address says ${value}, the message another`, {
        field: `${what}.${field}`,
      });
}

/** @throws SealsumError message_invalid */
function signatureOf(header: string | undefined, owner: OwnerId): ObjectSignature {
  const [key, value, ...more] = (header ?? '').split('.');
  if (value === undefined || more.length > 0)
    throw new SealsumError(
      'message_invalid',
      `${contributionSignatureHeader}: expected the fingerprint of a key, a dot, and its signature of the contribution`,
      { field: contributionSignatureHeader },
    );
  return parseMessage(objectSignatureSchema, { party: owner, key, value }, contributionSignatureHeader);
}

/** @throws SealsumError message_invalid */
function lengthOf(header: string | undefined): number {
  if (header === undefined || !/^[0-9]{1,15}$/.test(header))
    throw new SealsumError('message_invalid', 'content-length: say how many bytes will come', {
      field: 'content-length',
    });
  return Number(header);
}

/** In lowercase hexadecimal. @throws SealsumError message_invalid */
function digestOf(digest: Uint8Array | undefined): string {
  if (digest === undefined)
    throw new SealsumError('message_invalid', 'content-digest: say the SHA-256 of the bytes, and sign it', {
      field: 'content-digest',
    });
  return Buffer.from(digest).toString('hex');
}

/** Blocks as a body, each read when the one before has been taken. */
function streamOf(blocks: Aggregate['blocks']): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = blocks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        const next = await iterator.next();
        if (next.done === true) controller.close();
        else controller.enqueue(new Uint8Array(next.value));
      },
      cancel: async () => {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

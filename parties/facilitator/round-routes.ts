/** The addresses of rounds: opened, contributed to, reported by other facilitators, and their aggregates. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type AuthenticatedEnv, streamedBody } from '../../src/http/authentication.ts';
import { jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import { jobIdSchema, ownerIdSchema, partyIdSchema, roundNumberSchema } from '../../src/protocol/identifiers.ts';
import {
  contributionSignatureHeader,
  groupReportSchema,
  roundViewSchema,
  signedReceiptSchema,
  signedRoundSchema,
} from '../../src/protocol/round-messages.ts';
import { digestOf, lengthOf, signatureOf } from './contribution-headers.ts';
import type { Aggregate, Facilitator } from './service.ts';
import { requireSamePlace, security } from './signed-routes.ts';

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

/** What a contribution says of itself before its bytes come; read by hand, as their errors name headers. */
const contributionHeaders = z.object({
  [contributionSignatureHeader]: z.string().openapi({
    description:
      "The owner's signature of its statement about these bytes: the key's fingerprint, a dot, the signature",
    pattern: '^[A-Za-z0-9_-]{43}\\.[A-Za-z0-9_-]{86}$',
  }),
});

const routes = {
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
};

/** To be called where it is found out who asks. */
export function addRoundRoutes(app: OpenAPIHono<AuthenticatedEnv>, facilitator: Facilitator): void {
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

/**
 * A facilitator in the middle of its work, and for each of its addresses the request that would be granted there: what hostile
 * requests are made of.
 */

import type { OwnerId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import { contributionStatement, sha256 } from '../../src/protocol/manifest.ts';
import {
  type ContributionStatement,
  contributionSignatureHeader,
  type GroupReport,
  type SignedRound,
} from '../../src/protocol/round-messages.ts';
import type { ObjectSignature } from '../../src/protocol/signed.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import {
  anna,
  answerTo,
  bert,
  clientOf,
  contributionOf,
  cora,
  describeJob,
  describeRound,
  facilitatorIdentity,
  identityOf,
  leafIdentity,
  mona,
  never,
  otto,
  partiesWith,
  signAnswer,
  signContribution,
  signJob,
  signRound,
} from '../parties/facilitator/harness.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';
import { type FacilitatorParty, type FacilitatorPartyOptions, startFacilitatorParty } from './facilitator.ts';
import { jsonRequest, type LineRequest, signedBy } from './line.ts';

/** A request that is granted when `who` signs it. */
export interface Route {
  /** As the OpenAPI document has it: method and path. */
  readonly name: string;
  readonly who: Identity;
  readonly request: LineRequest;
  /** The status with which it is granted. */
  readonly status: number;
}

export interface World extends AsyncDisposable {
  readonly party: FacilitatorParty;
  readonly clock: TestClock;
  /** The job of mona's in which round 1 is closed and round 2 open, with a contribution of anna's. */
  readonly job: JobDescriptor;
  /** A job of mona's without rounds. */
  readonly bare: JobDescriptor;
  readonly open: SignedRound;
  /** In an order in which all of them are granted, one after the other. */
  readonly routes: readonly Route[];
  /** A request signed now. */
  sign(who: Identity, request: LineRequest, now?: number): LineRequest;
}

/** Limits that a test does not meet by accident. */
export const wideLimits = {
  requestsPerSecond: 1e6,
  burst: 1e9,
  forgeriesPerSecond: 1e9,
  bodiesPerParty: 1000,
} as const;

export async function createWorld(options: Partial<FacilitatorPartyOptions> = {}): Promise<World> {
  const clock = createTestClock();
  const parties = partiesWith();
  const party = await startFacilitatorParty({
    identity: facilitatorIdentity,
    parties: () => parties,
    clock,
    limiter: wideLimits,
    // One ciphertext a block, so that there is something in the store before the last one has arrived.
    limits: { blockBytes: 512 },
    ...options,
  });
  const model = clientOf(party.url, mona, clock);
  const [job, bare] = [describeJob(), describeJob({ job: 'bare' })];
  await model.createJob(signJob(job), never);
  await model.createJob(signJob(bare), never);
  await clientOf(party.url, anna, clock).answerJob(signAnswer(answerTo(job, anna, 'ready')), never);
  const tree = { nodes: [{ facilitator: leafIdentity.name, parent: facilitatorIdentity.name }], group_quorum: 2 };
  const folded = { ...describeJob({ job: 'folded' }), tree };
  await model.createJob(signJob(folded), never);
  const groups = [{ facilitator: leafIdentity.name, roster: folded.roster }];
  const parts = signRound({ ...describeRound(folded, 1), groups });
  await model.openRound(parts, never);
  const first = signRound(describeRound(job, 1));
  await model.openRound(first, never);
  for (const [index, owner] of [anna, bert, cora].entries()) {
    const { path, headers, body } = contribution(first, owner, contributionOf(index));
    await granted(party, clock, identityOf(owner), { method: 'PUT', path, headers, body });
  }
  await until('round 1 to close', async () => (await model.round(job.job, 1, never)).status === 'closed');
  const open = signRound(describeRound(job, 2));
  await model.openRound(open, never);
  await granted(party, clock, identityOf(anna), contribution(open, anna, contributionOf(3)));
  const sign = (who: Identity, request: LineRequest, now = clock.now()): LineRequest =>
    signedBy(who, request, { port: party.port, now });
  return {
    party,
    clock,
    job,
    bare,
    open,
    routes: routesOf(job, bare, open, parts),
    sign,
    [Symbol.asyncDispose]: () => party[Symbol.asyncDispose](),
  };
}

async function granted(party: FacilitatorParty, clock: TestClock, who: Identity, request: LineRequest): Promise<void> {
  const { method, path, headers, body } = signedBy(who, request, { port: party.port, now: clock.now() });
  const answer = await fetch(`${party.url}${path}`, { method, headers, body: body ?? null });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${await answer.text()}`);
}

/** The request that carries a contribution. @param signature of the statement about it; the owner's own unless told */
export function contribution(
  signed: SignedRound,
  owner: OwnerId,
  bytes: Uint8Array,
  signature?: ObjectSignature,
): LineRequest {
  const { job, round } = signed.descriptor;
  const { key, value } = signature ?? signContribution(statementOf(signed, owner, bytes));
  return {
    method: 'PUT',
    path: `/jobs/${job}/rounds/${round}/contributions/${owner}`,
    headers: { 'content-type': 'application/octet-stream', [contributionSignatureHeader]: `${key}.${value}` },
    body: bytes,
  };
}

export function statementOf(signed: SignedRound, owner: OwnerId, bytes: Uint8Array): ContributionStatement {
  const said = { owner, digest: sha256(bytes), bytes: bytes.length };
  return contributionStatement(signed, objectDigest('round', signed.descriptor), said);
}

/** What the facilitator below says of its part, which is none that anybody could decrypt. */
function reportOf(parts: SignedRound): GroupReport {
  const { job, round, job_digest, model_hash } = parts.descriptor;
  const contributions = [anna, bert].map((owner, index) => {
    const statement = statementOf(parts, owner, contributionOf(index));
    return { owner, digest: statement.digest, bytes: statement.bytes, signature: signContribution(statement) };
  });
  const round_digest = objectDigest('round', parts.descriptor);
  const aggregate_digest = '0'.repeat(64);
  const manifest = { job, round, job_digest, round_digest, model_hash, contributions, count: 2, aggregate_digest };
  return { status: 'closed', manifest: { manifest, signature: signObject(leafIdentity, 'manifest', manifest) } };
}

function routesOf(job: JobDescriptor, bare: JobDescriptor, open: SignedRound, folded: SignedRound): readonly Route[] {
  const [annaId, bertId] = [identityOf(anna), identityOf(bert)];
  const get = (path: string): LineRequest => ({ method: 'GET', path, headers: {} });
  const next = signJob(describeJob({ job: 'next' }));
  const answer = signAnswer(answerTo(job, anna, 'withdrawn', 'for a reason'));
  const round = signRound(describeRound(bare, 1));
  return [
    { name: 'get /jobs', who: mona, request: get('/jobs'), status: 200 },
    { name: 'get /jobs/{job}', who: annaId, request: get('/jobs/job'), status: 200 },
    { name: 'get /jobs/{job}/rounds/{round}', who: bertId, request: get('/jobs/job/rounds/2'), status: 200 },
    {
      name: 'get /jobs/{job}/rounds/{round}/aggregate',
      who: mona,
      request: get('/jobs/job/rounds/1/aggregate'),
      status: 200,
    },
    { name: 'get /jobs/{job}/events', who: annaId, request: get('/jobs/job/events'), status: 200 },
    { name: 'get /events', who: annaId, request: get('/events?owner=anna'), status: 200 },
    { name: 'get /owners', who: otto, request: get('/owners'), status: 200 },
    { name: 'post /jobs', who: mona, request: jsonRequest('POST', '/jobs', next), status: 201 },
    {
      name: 'put /jobs/{job}/rounds/{round}',
      who: mona,
      request: jsonRequest('PUT', '/jobs/bare/rounds/1', round),
      status: 201,
    },
    {
      name: 'put /jobs/{job}/rounds/{round}/contributions/{owner}',
      who: bertId,
      request: contribution(open, bert, contributionOf(4)),
      status: 201,
    },
    {
      name: 'put /jobs/{job}/rounds/{round}/reports/{facilitator}',
      who: leafIdentity,
      request: jsonRequest('PUT', '/jobs/folded/rounds/1/reports/leaf', reportOf(folded)),
      status: 204,
    },
    {
      name: 'put /jobs/{job}/owners/{owner}',
      who: annaId,
      request: jsonRequest('PUT', '/jobs/job/owners/anna', answer),
      status: 204,
    },
    {
      name: 'delete /jobs/{job}',
      who: mona,
      request: { method: 'DELETE', path: '/jobs/bare?outcome=failed', headers: {} },
      status: 204,
    },
  ];
}

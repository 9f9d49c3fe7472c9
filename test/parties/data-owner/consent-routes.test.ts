/** Consent over HTTP: who may ask and decide, what is refused by name, and the events that tell of it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import { z } from 'zod';
import { createDataOwnerApp } from '../../../parties/data-owner/app.ts';
import type { OwnerEvent } from '../../../parties/data-owner/events.ts';
import { openPolicy } from '../../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { followEvents } from '../../../src/http/follow-events.ts';
import { jobRequestSchema } from '../../../src/http/job-request.ts';
import { createLog } from '../../../src/http/log.ts';
import { startServer } from '../../../src/http/server.ts';
import { systemClock } from '../../../src/protocol/clock.ts';
import { document, type Life, parameters, until, World } from './harness.ts';
import { anna, describe, describeRound, facilitator, signJob, signRound } from './scripted-facilitator.ts';

const test = suite('consent over HTTP');

const keys = createKeyChecks();
const descriptor = await describe(document);
const { job } = descriptor;

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly life: Life;
  readonly lines: string[];
  /** Status and body. */
  put(path: string, body: unknown, headers?: Record<string, string>): Promise<[number, Record<string, unknown>]>;
}

async function serve(world: World, token?: string): Promise<Served> {
  const life = await world.live({ keys, changes: { policy: { ...openPolicy, consent: 'ask' } } });
  const lines: string[] = [];
  const ending = new AbortController();
  const app = createDataOwnerApp({
    owner: anna,
    facilitator: { name: facilitator.name, url: 'http://127.0.0.1:8080' },
    dataOwner: life.owner,
    ledgerStore: world.ledgerStore(),
    datasets: world.datasets,
    log: createLog('anna', 'trace', { write: (line) => void lines.push(line) }),
    signal: ending.signal,
    storeTrouble: () => Promise.resolve(undefined),
    localAccess: { authorities: () => [], loopback: true, token },
  });
  const server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1' });
  return {
    url: server.url,
    life,
    lines,
    put: async (path, body, headers = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const init = { method: 'PUT', body: text, headers: { 'content-type': 'application/json', ...headers } };
      const response = await fetch(server.url + path, init);
      return [response.status, (await response.json()) as Record<string, unknown>];
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function ask(world: World, life: Life): Promise<void> {
  world.script.propose(signJob(descriptor));
  await until('anna asks', () => life.owner.jobs().some(({ status }) => status === 'asking'));
}

test('a job is looked at, approved, and approved once more', async () => {
  await using world = await World.create();
  await using served = await serve(world);
  await ask(world, served.life);
  const listed = (await (await fetch(`${served.url}/jobs`)).json()) as { jobs: Record<string, unknown>[] };
  assert.deepEqual(listed.jobs, [
    { job, status: 'asking', records: 12, dropped: 0, updated_at: '2024-01-01T00:00:00.000Z' },
  ]);
  const response = await fetch(`${served.url}/jobs/${job}/request`);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const body: unknown = await response.json();
  const request = jobRequestSchema.parse(body);
  // Nothing is told that the schema does not know, so that its document is complete.
  assert.deepEqual(body, request);
  const yes = { decision: 'approve', job_digest: request.job_digest };
  const [status, view] = await served.put(`/jobs/${job}/consent`, yes);
  const consent = { decision: 'approve', at: '2024-01-01T00:00:00.000Z' };
  assert.deepEqual([status, view.consent], [200, consent]);
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  const [again, same] = await served.put(`/jobs/${job}/consent`, yes);
  assert.deepEqual([again, same.status, same.consent], [200, 'ready', consent]);
  const [conflict, problem] = await served.put(`/jobs/${job}/consent`, { decision: 'refuse' });
  assert.deepEqual([conflict, problem.type], [409, 'urn:sealsum:problem:consent-conflict']);
});

test('what is no decision is refused with the name of its field, and decides nothing', async () => {
  await using world = await World.create();
  await using served = await serve(world);
  await ask(world, served.life);
  const address = `/jobs/${job}/consent`;
  const refusals: readonly [unknown, number, string | undefined][] = [
    [{}, 400, 'decision'],
    [{ decision: 'yes' }, 400, 'decision'],
    [{ decision: 'approve', because: 'x' }, 400, 'because'],
    [{ decision: 'refuse', reason: '' }, 400, 'reason'],
    [{ decision: 'refuse', reason: '   ' }, 400, 'reason'],
    [{ decision: 'refuse', reason: 'x'.repeat(501) }, 400, 'reason'],
    [{ decision: 'refuse', reason: 7 }, 400, 'reason'],
    [{ decision: 'approve', job_digest: 'a' }, 400, 'job_digest'],
    [{ decision: 'approve', job_digest: 'a'.repeat(64) }, 409, 'job_digest'],
    ['{', 400, 'body'],
    ['null', 400, undefined],
  ];
  for (const [body, expected, field] of refusals) {
    const [status, problem] = await served.put(address, body);
    assert.deepEqual([status, problem.field], [expected, field], JSON.stringify(body));
  }
  const text = { 'content-type': 'text/plain' };
  assert.equal((await served.put(address, { decision: 'approve' }, text))[0], 415);
  assert.equal((await served.put(address, { decision: 'approve' }, { origin: 'http://evil.example' }))[0], 403);
  assert.equal((await served.put('/jobs/none/consent', { decision: 'approve' }))[0], 404);
  assert.equal((await fetch(`${served.url}/jobs/none/request`)).status, 404);
  assert.deepEqual(await world.auditTypes(), ['job.asked']);
  assert.equal(served.life.owner.jobs()[0]?.status, 'asking');
});

test('with a token, nobody decides, looks or follows without it', async () => {
  await using world = await World.create();
  const token = 'a'.repeat(43);
  await using served = await serve(world, token);
  await ask(world, served.life);
  assert.equal((await served.put(`/jobs/${job}/consent`, { decision: 'approve' }))[0], 401);
  for (const path of [`/jobs/${job}/request`, '/events'])
    assert.equal((await fetch(served.url + path)).status, 401, path);
  const authorization = `Bearer ${token}`;
  assert.equal((await served.put(`/jobs/${job}/consent`, { decision: 'approve' }, { authorization }))[0], 200);
});

const eventSchema: z.ZodType<OwnerEvent> = z.object({
  id: z.number(),
  type: z.enum(['job.changed', 'ledger.changed', 'datasets.changed', 'connection.changed']),
  job: z.string().exactOptional(),
  status: z.string().exactOptional(),
  connected: z.boolean().exactOptional(),
});

test('events tell of jobs, charges, data sets and the line, and of each thing the newest to who comes back', async () => {
  await using world = await World.create();
  await using served = await serve(world);
  const leaving = new AbortController();
  const heard: OwnerEvent[] = [];
  const follow = async (after?: number): Promise<void> => {
    const events = followEvents({
      url: `${served.url}/events`,
      schema: eventSchema,
      fetch,
      clock: systemClock,
      signal: leaving.signal,
      ...(after === undefined ? {} : { after }),
    });
    for await (const event of events) heard.push(event);
  };
  await until('anna is connected', () => served.life.owner.connected());
  const first = follow(0);
  await until('the line is told of', () => heard.some(({ connected }) => connected === true));
  await ask(world, served.life);
  await served.put(`/jobs/${job}/consent`, { decision: 'approve' });
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  world.script.openRound(signRound(describeRound(descriptor, 1, parameters)));
  await until('the charge is told of', () => heard.some(({ type }) => type === 'ledger.changed'));
  const uploaded = await fetch(`${served.url}/datasets?name=small.csv`, {
    method: 'POST',
    body: 'a,b\n1,2\n',
    headers: { 'content-type': 'text/csv' },
  });
  assert.equal(uploaded.status, 201);
  await until('the data set is told of', () => heard.some(({ type }) => type === 'datasets.changed'));
  const statuses = heard.flatMap(({ status }) => status ?? []);
  for (const each of ['joining', 'asking', 'ready']) assert.ok(statuses.includes(each), `${each}: ${statuses.join()}`);
  assert.deepEqual(
    heard.map(({ id }) => id),
    heard.map(({ id }) => id).sort((left, right) => left - right),
  );
  leaving.abort();
  await first;

  // Of the job only how it stands now.
  const { after, newest } = served.life.owner.events;
  const kept = after(0);
  assert.equal(kept.filter(({ type }) => type === 'job.changed').length, 1);
  assert.equal(kept.find(({ type }) => type === 'job.changed')?.status, 'ready');
  assert.deepEqual(after(newest()), []);
});

test('columns are summarised for its own people, anew where a file is another, and no log or measurement has a value of them', async () => {
  await using world = await World.create('age,city\n40.25,Aarau\n41.5,Bern\n,Bern\n');
  await using served = await serve(world);
  const read = async (query = ''): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${served.url}/datasets/data.csv/summary${query}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  // Who asks at once is told the same.
  const [first, second] = await Promise.all([read(), read()]);
  assert.deepEqual(first, second);
  const { name, records, columns } = first.body;
  assert.deepEqual([first.status, name, records], [200, 'data.csv', 3]);
  assert.deepEqual(columns, [
    {
      name: 'age',
      col_idx: 0,
      count: 2,
      missing: 1,
      values: {
        kind: 'numbers',
        whole: false,
        distinct: 2,
        minimum: 40.25,
        maximum: 41.5,
        mean: 40.875,
        standard_deviation: Math.hypot(0.625, 0.625),
        quartiles: [40.25, 40.25, 41.5],
        histogram: (columns as [{ values: { histogram: object } }])[0].values.histogram,
      },
    },
    {
      name: 'city',
      col_idx: 1,
      count: 3,
      missing: 0,
      values: {
        kind: 'texts',
        distinct: 2,
        most_frequent: [
          { value: 'Bern', count: 2 },
          { value: 'Aarau', count: 1 },
        ],
      },
    },
  ]);
  assert.equal((await read('?header=false')).body.records, 4);
  const metrics = await (await fetch(`${served.url}/metrics`)).text();
  for (const value of ['40.25', '40.875', 'Aarau', 'Bern'])
    assert.ok(![...served.lines, ...world.lines, metrics].some((text) => text.includes(value)), value);

  await writeFile(join(world.folder.path, 'data.csv'), 'age,city\n1,Basel\n');
  assert.equal((await read()).body.records, 1);
  await writeFile(join(world.folder.path, 'data.csv'), 'age,city\n1,Basel,2\n');
  const broken = await read();
  assert.deepEqual([broken.status, broken.body.line], [422, 2]);
  assert.equal((await fetch(`${served.url}/datasets/none.csv/summary`)).status, 404);
  assert.equal((await fetch(`${served.url}/datasets/data.csv/summary?header=x`)).status, 400);
  assert.equal(
    (await fetch(`${served.url}/datasets/data.csv/summary`, { headers: { origin: 'http://evil.example' } })).status,
    403,
  );
});

test('numbers of events grow over restarts, so that nobody who comes back misses any', async () => {
  await using world = await World.create();
  const policy = { ...openPolicy, consent: 'ask' } as const;
  const first = await world.live({ keys, changes: { policy } });
  await ask(world, first);
  const before = first.owner.events.newest();
  await first.stop();
  world.clock.advance(1000);
  const second = await world.live({ keys, changes: { policy } });
  assert.ok(second.owner.events.newest() > before);
  await until('the line is told of', () =>
    second.owner.events.after(before).some(({ type }) => type === 'connection.changed'),
  );
});

test.run();

/** The data owner's interface, for its own people and nobody else. */
import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import { createDataOwnerApp, type DataOwnerAppDependencies } from '../../../parties/data-owner/app.ts';
import { createOwnerMeter, registerOwnerGauges } from '../../../parties/data-owner/metrics.ts';
import { openPolicy } from '../../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { SealsumError } from '../../../src/errors.ts';
import { createLog } from '../../../src/http/log.ts';
import { problemTypes } from '../../../src/http/problem.ts';
import { lanesOf, selectBackend } from '../../../src/paillier/backend.ts';
import { epsilonFromRho } from '../../../src/privacy/accounting/zcdp.ts';
import { createCaps } from '../../../src/privacy/budget.ts';
import { createLedger } from '../../../src/privacy/ledger.ts';
import type { LedgerStatement } from '../../../src/privacy/ledger-statement.ts';
import { addRationals, rational, toNumberAbove } from '../../../src/privacy/rational.ts';
import { textOf } from '../../end-to-end/data.ts';
import { document, type Life, parameters, sample, until, World } from './harness.ts';
import { anna, bert, cora, describe, describeRound, facilitator, signJob, signRound } from './scripted-facilitator.ts';

const test = suite("the data owner's interface");

const descriptor = await describe(document);
const { job, noise } = descriptor;
const keys = createKeyChecks();

interface Served {
  readonly life: Life;
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>;
  readonly json: <T>(path: string) => Promise<T>;
  /** Type and field of a refusal. */
  readonly problem: (path: string, headers?: Record<string, string>) => Promise<[status: number, type: string]>;
}

async function serve(world: World, changes: Partial<DataOwnerAppDependencies> = {}): Promise<Served> {
  const metrics = new Registry();
  const life = await world.live({ keys, changes: { meter: createOwnerMeter(metrics) } });
  const ledgerStore = world.ledgerStore();
  const ledger = createLedger(ledgerStore);
  registerOwnerGauges(metrics, ledger, life.owner);
  const app = createDataOwnerApp({
    owner: anna,
    facilitator: { name: facilitator.name, url: 'http://127.0.0.1:8080' },
    dataOwner: life.owner,
    ledgerStore,
    datasets: world.datasets,
    log: createLog('anna', 'silent'),
    signal: new AbortController().signal,
    storeTrouble: () => Promise.resolve(undefined),
    localAccess: { authorities: () => [], loopback: true },
    metrics,
    ...changes,
  });
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    await app.request(new URL(path, 'http://127.0.0.1:5000'), { headers });
  return {
    life,
    get,
    json: async <T>(path: string) => (await (await get(path)).json()) as T,
    problem: async (path, headers) => {
      const response = await get(path, headers);
      const { type } = (await response.json()) as { type: string };
      return [response.status, type.replace('urn:sealsum:problem:', '')];
    },
  };
}

/** Lets anna contribute to round 1 and keep its receipt. */
async function contribute(world: World): Promise<void> {
  world.script.propose(signJob(descriptor));
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  world.script.openRound(signRound(describeRound(descriptor, 1, parameters)));
  await until('the receipt is kept', async () => (await world.store().receipts(job)).length === 1);
}

test('shows whom it follows, its data set, its jobs and its ledger', async () => {
  await using world = await World.create();
  const { json, life } = await serve(world);
  await until('anna is connected', () => life.owner.connected());
  const idle = {
    owner: 'anna',
    facilitator: 'http://127.0.0.1:8080',
    facilitator_name: 'facilitator',
    connected: true,
  };
  assert.deepEqual(await json('/status'), { ...idle, jobs: {} });
  const { datasets } = await json<{ datasets: Record<string, unknown>[] }>('/datasets');
  assert.deepEqual(
    datasets.map(({ name, path, bytes }) => ({ name, path, bytes })),
    [{ name: 'data.csv', path: `${world.folder.path}/data.csv`, bytes: Buffer.byteLength(textOf(sample)) }],
  );

  await contribute(world);
  const other = { ...(await describe(document, 'other')), quorum: 3 };
  world.script.propose(signJob(other));
  await until('anna has refused', () => world.script.standing(other.job) === 'refused');
  world.script.endJob(job);
  await until('the job is over', () => life.owner.jobs()[0]?.status === 'ended');
  assert.deepEqual(await json('/status'), { ...idle, jobs: { ended: 1, refused: 1 } });
  const { jobs } = await json<{ jobs: Record<string, unknown>[] }>('/jobs');
  const updated_at = '2024-01-01T00:00:00.000Z';
  assert.deepEqual(jobs, [
    { job: 'job', status: 'ended', records: 12, dropped: 0, round: 1, updated_at },
    { job: 'other', status: 'refused', reason: 'the quorum of the job is not that of its model', updated_at },
  ]);
  assert.ok(noise !== null);
  const { numerator, denominator } = noise.rho_per_round;
  const spent = {
    numerator,
    denominator,
    value: toNumberAbove(rational(BigInt(numerator), BigInt(denominator))),
  };
  const nothing = { numerator: '0', denominator: '1', value: 0 };
  const account = { dataset: 'data.csv', unprotected_rounds: 0, left: null };
  const charged = { unit: 'record', neighbours: 'zero-out' };
  assert.deepEqual(await json('/ledger'), {
    spent_rho: spent,
    rounds: 1,
    unprotected_rounds: 0,
    caps: { rho_per_round: null, rho_total: null, epsilon: null, delta: null },
    accounts: [
      { ...account, ...charged, rounds: 1, spent: { rho: spent, epsilon: null } },
      { ...account, unit: 'owner', neighbours: null, rounds: 0, spent: { rho: nothing, epsilon: null } },
    ],
    entries: [{ job: 'job', round: 1, dataset: 'data.csv', rho: spent, ...charged, sampling: 1, at: updated_at }],
  });
});

test('shows what its policy leaves, exactly, and the epsilon of it', async () => {
  await using world = await World.create();
  const caps = createCaps({ rhoTotal: 0.75, epsilon: 10, delta: 1e-6 });
  const { json } = await serve(world, { policy: { ...openPolicy, caps, units: ['record'] } });
  await contribute(world);
  const { accounts, caps: shown } = await json<LedgerStatement>('/ledger');
  assert.ok(noise !== null);
  const spent = rational(BigInt(noise.rho_per_round.numerator), BigInt(noise.rho_per_round.denominator));
  const [account] = accounts;
  assert.ok(account !== undefined && accounts.length === 1 && account.left !== null);
  const left = account.left.rho;
  assert.deepEqual(addRationals(rational(BigInt(left.numerator), BigInt(left.denominator)), spent), rational(3n, 4n));
  assert.deepEqual(account.spent.epsilon, epsilonFromRho(account.spent.rho.value, 1e-6).epsilon);
  assert.deepEqual(account.left.epsilon, epsilonFromRho(left.value, 1e-6).epsilon);
  assert.deepEqual([shown.rho_total?.value, shown.rho_per_round, shown.epsilon, shown.delta], [0.75, null, 10, 1e-6]);
  const { paths } = await json<{ paths: Record<string, { get: { description: string } }> }>('/openapi.json');
  assert.match(paths['/ledger']?.get.description ?? '', /one entry for each data set and unit/);
});

test('shows receipts, and whether a manifest that it fetches includes the contribution', async () => {
  await using world = await World.create();
  const { json, problem, life } = await serve(world);
  await contribute(world);
  const receipts = await life.owner.receipts(job);
  assert.equal(receipts.length, 1);
  assert.deepEqual(await json(`/jobs/${job}/receipts`), { receipts });
  assert.deepEqual(await problem(`/jobs/${job}/rounds/1/manifest`), [409, 'round-open']);
  const manifest = world.script.closeRound(job, 1);
  assert.deepEqual(await json(`/jobs/${job}/rounds/1/manifest`), { manifest, receipt: receipts[0], included: true });

  world.script.openRound(signRound(describeRound(descriptor, 2, parameters, { roster: [bert, cora] })));
  world.script.closeRound(job, 2);
  const second = await json<Record<string, unknown>>(`/jobs/${job}/rounds/2/manifest`);
  assert.deepEqual([second.receipt, second.included], [null, false]);
  assert.equal(second.reason, 'no receipt of round 2 of job job is kept here');

  assert.deepEqual(await problem('/jobs/none/receipts'), [404, 'job-unknown']);
  assert.deepEqual(await problem('/jobs/none/rounds/1/manifest'), [404, 'job-unknown']);
  assert.deepEqual(await problem(`/jobs/${job}/rounds/9/manifest`), [404, 'round-unknown']);
  assert.deepEqual(await problem(`/jobs/${job}/rounds/01/manifest`), [400, 'message-invalid']);
  assert.deepEqual(await problem('/jobs/..%2f/receipts'), [400, 'message-invalid']);
  world.script.tampering.before = () => {
    throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  assert.deepEqual(await problem(`/jobs/${job}/rounds/1/manifest`), [503, 'facilitator-unreachable']);
});

test('is ready when its store and its line to the facilitator are, and says what is not', async () => {
  await using world = await World.create();
  let trouble: string | undefined = 'the store does not answer';
  const stop = new AbortController();
  const { get, life } = await serve(world, { storeTrouble: () => Promise.resolve(trouble), signal: stop.signal });
  const reason = async (): Promise<unknown> => {
    const response = await get('/readyz');
    return [response.status, ((await response.json()) as { reason?: string }).reason];
  };
  await until('anna is connected', () => life.owner.connected());
  assert.deepEqual(await reason(), [503, 'the store does not answer']);
  trouble = undefined;
  assert.deepEqual(await reason(), [200, undefined]);
  let down = true;
  world.script.tampering.before = () => {
    if (down) throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  world.script.breakLines();
  await until('the line is broken', () => !life.owner.connected());
  assert.deepEqual(await reason(), [503, 'not connected to the facilitator']);
  down = false;
  await until('anna is connected', () => life.owner.connected());
  assert.deepEqual(await reason(), [200, undefined]);
  stop.abort();
  assert.deepEqual(await reason(), [503, 'stopping']);
});

test('is for the pages and programs of this machine, or for those who have the token', async () => {
  await using world = await World.create();
  const open = await serve(world);
  const rebound = await open.get('http://evil.example/jobs');
  assert.equal(rebound.status, 403);
  assert.deepEqual(await open.problem('/ledger', { origin: 'http://evil.example' }), [403, 'role-forbidden']);
  await open.life.stop();

  const token = 'a'.repeat(43);
  const guarded = await serve(world, { localAccess: { authorities: () => [], loopback: true, token } });
  for (const path of ['/status', '/jobs', '/ledger', '/datasets', '/metrics', `/jobs/${job}/receipts`]) {
    assert.deepEqual(await guarded.problem(path), [401, 'signature-missing'], path);
    const wrong = await guarded.problem(path, { authorization: `Bearer ${'b'.repeat(43)}` });
    assert.deepEqual(wrong, [401, 'signature-missing'], path);
  }
  assert.equal((await guarded.get('/status', { authorization: `Bearer ${token}` })).status, 200);
  assert.equal((await guarded.get('/healthz')).status, 200);
});

test('counts contributions, bytes, seconds, jobs, the queue and the ledger', async () => {
  await using world = await World.create();
  const { get, life } = await serve(world);
  await contribute(world);
  await until('nothing is under way', () => life.owner.queued() === 0);
  let text = await (await get('/metrics')).text();
  const value = (name: string): number => {
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    assert.ok(line !== undefined, `there is no ${name}`);
    return Number(line.slice(name.length + 1));
  };
  assert.equal(value('sealsum_contributions_total'), 1);
  assert.equal(value('sealsum_contribution_bytes_total'), world.script.sent[0]?.bytes.length);
  // What is computed ahead for round 2: for as many ciphertexts of 512 bytes as a contribution has, in batches of the backend's.
  const lanes = lanesOf(selectBackend());
  const ahead = Math.ceil(descriptor.plan.ciphertexts / lanes) * lanes;
  await until('all is ready for the next round', async () => {
    text = await (await get('/metrics')).text();
    return value('sealsum_randomisers_ready') === ahead;
  });
  assert.equal(value('sealsum_randomisers_bytes'), 512 * ahead);
  assert.equal(value('sealsum_randomisers_total'), ahead);
  assert.equal(value('sealsum_jobs{status="ready"}'), 1);
  assert.equal(value('sealsum_queue_length'), 0);
  assert.equal(value('sealsum_connected'), 1);
  assert.equal(value('sealsum_ledger_rounds{protected="yes"}'), 1);
  assert.equal(value('sealsum_ledger_rounds{protected="no"}'), 0);
  assert.ok(noise !== null);
  const exact = Number(noise.rho_per_round.numerator) / Number(noise.rho_per_round.denominator);
  const told = value('sealsum_privacy_spent_rho');
  assert.ok(told >= exact && told < exact * (1 + 1e-12));
  assert.match(text, /^sealsum_crypto_seconds_total\{operation="contribute"\} /m);
});

test('describes itself, and refuses what it does not know as a problem', async () => {
  await using world = await World.create();
  const { json, problem } = await serve(world);
  const { paths } = await json<{ paths: Record<string, object> }>('/openapi.json');
  assert.deepEqual(Object.keys(paths).sort(), [
    '/datasets',
    '/datasets/{name}',
    '/datasets/{name}/summary',
    '/events',
    '/jobs',
    '/jobs/{job}/consent',
    '/jobs/{job}/receipts',
    '/jobs/{job}/request',
    '/jobs/{job}/rounds/{round}/manifest',
    '/ledger',
    '/status',
  ]);
  assert.deepEqual(await problem('/records'), [404, 'route-unknown']);
});

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: { readonly Problem: { readonly properties: { readonly type: { readonly enum: string[] } } } };
    readonly securitySchemes?: object;
  };
  readonly security?: readonly object[];
}

test('its description says how everything is refused, what may be left out, and that a token is asked for', async () => {
  await using world = await World.create();
  const open = await serve(world);
  const { paths, components, security } = await open.json<Described>('/openapi.json');
  for (const [path, operations] of Object.entries(paths))
    for (const [method, { responses }] of Object.entries(operations))
      assert.match(
        JSON.stringify(responses.default?.content?.['application/problem+json']?.schema),
        /"#\/components\/schemas\/Problem"/,
        `${method} ${path}`,
      );
  assert.deepEqual(
    components.schemas.Problem.properties.type.enum,
    problemTypes.map((type) => `urn:sealsum:problem:${type}`),
  );
  const jobs = paths['/jobs']?.get?.responses['200']?.content?.['application/json']?.schema;
  const { items } = (jobs as { properties: { jobs: { items: { required: string[] } } } }).properties.jobs;
  assert.deepEqual(items.required, ['job', 'status', 'updated_at']);
  assert.equal(security, undefined);
  await open.life.stop();

  const guarded = await serve(world, { localAccess: { authorities: () => [], loopback: true, token: 'a'.repeat(43) } });
  const asking = await guarded.json<Described>('/openapi.json');
  assert.deepEqual(asking.security, [{ token: [] }]);
  assert.deepEqual(Object.keys(asking.components.securitySchemes ?? {}), ['token']);
});

test.run();

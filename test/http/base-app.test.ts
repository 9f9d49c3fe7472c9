/** What every party's app has, asked of a small app of its own and of the facilitator's. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { HTTPException } from 'hono/http-exception';
import { suite } from 'uvu';
import { createFacilitatorApp } from '../../parties/facilitator/app.ts';
import { createFacilitator } from '../../parties/facilitator/service.ts';
import { SealsumError } from '../../src/errors.ts';
import { authenticate } from '../../src/http/authentication.ts';
import { createBaseApp } from '../../src/http/base-app.ts';
import { createLog } from '../../src/http/log.ts';
import { requireMediaType } from '../../src/http/request-body.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createTestClock } from '../support/clock.ts';
import { createMemoryNonceStore } from './memory-nonce-store.ts';
import { known } from './request-parties.ts';

const test = suite('base app');

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

interface TestApp {
  readonly app: ReturnType<typeof createBaseApp>;
  readonly lines: string[];
}

function sink(lines: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString('utf8'));
      done();
    },
  });
}

function build(notReady: () => Promise<string | undefined> = () => Promise.resolve(undefined)): TestApp {
  const lines: string[] = [];
  const log = createLog('tester', 'trace', sink(lines));
  const app = createBaseApp({ party: 'tester', description: 'For tests.', log, bodyLimit: 1000, notReady });
  app.get('/fails/:how', (context) => {
    const how = context.req.param('how');
    if (how === 'ours') throw new SealsumError('data_invalid', 'the column is wrong', { field: 'age', line: 7 });
    if (how === 'teapot') throw new HTTPException(418, { message: 'short and stout' });
    if (how === 'framework') throw new HTTPException(502, { message: 'secret-1' });
    throw new Error('secret-2', { cause: new Error('secret-3') });
  });
  app.post('/echo', async (context) => {
    requireMediaType(context.req.header('content-type'), 'application/json');
    return context.json(await context.req.json());
  });
  return { app, lines };
}

async function facilitatorApp(
  signal: AbortSignal = new AbortController().signal,
): Promise<ReturnType<typeof createFacilitatorApp>> {
  const clock = createTestClock();
  const log = createLog('facilitator', 'silent');
  const identity = createIdentity('facilitator' as PartyId, 'facilitator', new Uint8Array(32).fill(9));
  const database = await openDatabase(':memory:', { role: 'facilitator' });
  const store = createFacilitatorStore(database, createAuditLog(identity, clock));
  const facilitator = createFacilitator({ identity, parties: () => known, store, clock, log });
  const nonces = createMemoryNonceStore();
  const authentication = authenticate({ parties: () => known, nonces, clock, authorities: () => ['localhost'] });
  return createFacilitatorApp({ facilitator, authentication, clock, log, signal });
}

test('/healthz answers, and /readyz says what is not ready', async () => {
  const { app } = build();
  const health = await app.request('/healthz');
  assert.deepEqual([health.status, await health.json()], [200, { status: 'ok' }]);
  const ready = await app.request('/readyz');
  assert.deepEqual([ready.status, await ready.json()], [200, { status: 'ready' }]);
  const { app: other } = build(() => Promise.resolve('the store is opening'));
  const notReady = await other.request('/readyz');
  assert.deepEqual(
    [notReady.status, await notReady.json()],
    [503, { status: 'not ready', reason: 'the store is opening' }],
  );
});

test('a facilitator that stops says that it is not ready', async () => {
  const app = await facilitatorApp(AbortSignal.abort());
  assert.equal((await app.request('/readyz')).status, 503);
  assert.equal((await app.request('/healthz')).status, 200);
});

test('/metrics counts requests by route, and no address that somebody makes up adds a line', async () => {
  const { app } = build();
  await app.request('/healthz');
  await app.request('/fails/ours');
  const lines = async (): Promise<string[]> => (await (await app.request('/metrics')).text()).split('\n');
  const first = await lines();
  assert.ok(first.some((line) => line.startsWith('process_cpu_user_seconds_total ')));
  assert.ok(first.includes('http_requests_total{method="GET",route="/healthz",status="200",ok="true"} 1'));
  assert.ok(first.includes('http_requests_total{method="GET",route="/fails/:how",status="422",ok="false"} 1'));
  const series = (all: string[]): number => all.filter((line) => line.startsWith('http_requests_total')).length;
  await app.request('/nowhere');
  const before = series(await lines());
  for (let index = 0; index < 50; index++) {
    await app.request(`/nowhere/${index}?a=${index}`);
    await app.request(`/fails/${index}`);
    await app.request(`/docs/${index}`);
  }
  const after = await lines();
  assert.ok(series(after) - before <= 3, after.filter((line) => line.includes('requests_total')).join('\n'));
});

test('errors are problems; of those not meant for others only the log knows more', async () => {
  const { app, lines } = build();
  const ask = async (path: string): Promise<readonly [number, unknown]> => {
    const response = await app.request(path);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    return [response.status, await response.json()];
  };
  assert.deepEqual(await ask('/fails/ours'), [
    422,
    {
      type: 'urn:sealsum:problem:data-invalid',
      title: 'The data do not fit the model',
      status: 422,
      detail: 'the column is wrong',
      field: 'age',
      line: 7,
    },
  ]);
  assert.equal((await ask('/fails/teapot'))[0], 400);
  assert.ok(!lines.some((line) => line.includes('"level":"error"')));
  for (const path of ['/fails/plainly', '/fails/framework']) {
    const [status, problem] = await ask(path);
    assert.equal(status, 500);
    assert.ok(!JSON.stringify(problem).includes('secret'));
  }
  const logged = lines.filter((line) => line.includes('"level":"error"'));
  assert.equal(logged.length, 2);
  assert.ok(logged[0]?.includes('secret-2'));
  const [status, problem] = await ask('/no/such/place');
  assert.equal(status, 404);
  assert.deepEqual((problem as { detail: string }).detail, 'there is no GET /no/such/place; see /docs');
});

test('a request is one line of the log, without its query, headers or body', async () => {
  const { app, lines } = build();
  await app.request('/echo?token=secret-4', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer secret-5' },
    body: JSON.stringify({ value: 'secret-6' }),
  });
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.deepEqual(
    [line.level, line.party, line.method, line.path, line.status, line.msg],
    ['debug', 'tester', 'POST', '/echo', 200, 'request'],
  );
  assert.ok(!lines[0]?.includes('secret'));
});

test('every answer has a name: that of its sender, when it is one, or one of its own', async () => {
  const { app, lines } = build();
  const named = async (path: string, name?: string): Promise<string> => {
    const response = await app.request(path, name === undefined ? {} : { headers: { 'x-request-id': name } });
    return response.headers.get('x-request-id') ?? '';
  };
  for (const name of ['a', 'Ab-9_', 'x'.repeat(64)])
    for (const path of ['/healthz', '/fails/ours', '/nowhere', '/docs']) assert.equal(await named(path, name), name);
  const own = new Set<string>();
  for (const name of [undefined, '', 'x'.repeat(65), 'with space', 'a,b', 'ü', '<script>']) {
    const given = await named('/fails/plainly', name);
    assert.match(given, /^[A-Za-z0-9_-]{16}$/);
    own.add(given);
  }
  assert.equal(own.size, 7);
  const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(logged.every((line) => typeof line.request_id === 'string'));
  // What failed is found by the name that its sender was given.
  const failed = logged.filter((line) => line.level === 'error').map((line) => line.request_id);
  assert.deepEqual(new Set(failed), own);
});

test('the log says of which job and round a request is', async () => {
  const { app, lines } = build();
  const logged = async (path: string): Promise<readonly unknown[]> => {
    await app.request(path);
    const line = JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
    return [line.job, line.round];
  };
  assert.deepEqual(await logged('/jobs/diabetes/rounds/12/contributions/anna'), ['diabetes', 12]);
  assert.deepEqual(await logged('/jobs/diabetes/rounds/12'), ['diabetes', 12]);
  assert.deepEqual(await logged('/jobs/diabetes/rounds/1x'), ['diabetes', undefined]);
  assert.deepEqual(await logged('/jobs/diabetes'), ['diabetes', undefined]);
  assert.deepEqual(await logged('/jobs'), [undefined, undefined]);
  assert.deepEqual(await logged('/models/jobs/a'), [undefined, undefined]);
});

test('every answer says that it is no page to be framed, guessed at or kept', async () => {
  const { app } = build();
  for (const path of ['/healthz', '/fails/ours', '/fails/plainly', '/nowhere', '/docs', '/metrics', '/openapi.json']) {
    const { headers } = await app.request(path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('referrer-policy'), 'no-referrer', path);
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path);
    assert.equal(headers.get('cache-control'), /^\/(docs|metrics)/.test(path) ? null : 'no-store', path);
  }
});

test('what is a matter of time says when to come back', async () => {
  const { app } = build();
  app.get('/busy/:code/:seconds', (context) => {
    const { code, seconds } = context.req.param();
    const details = seconds === 'none' ? {} : { retryAfter: Number(seconds) };
    throw new SealsumError(code === '429' ? 'too_many_requests' : 'overloaded', 'busy', details);
  });
  for (const [path, expected] of [
    ['/busy/429/7', '7'],
    ['/busy/503/30', '30'],
    ['/busy/503/none', '1'],
    ['/fails/ours', null],
    ['/fails/plainly', null],
  ] as const)
    assert.equal((await app.request(path)).headers.get('retry-after'), expected, path);
});

test('what may slip into the log is redacted', () => {
  const lines: string[] = [];
  const log = createLog('tester', 'info', sink(lines));
  const secrets = { parameters: ['secret-7'], private_key: { p: 'secret-8' }, key: { p: 'secret-9', q: 'secret-10' } };
  log.info({ ...secrets, round: secrets, headers: { authorization: 'secret-11' } }, 'careless');
  log.debug('below the level');
  assert.equal(lines.length, 1);
  assert.ok(!lines[0]?.includes('secret'));
});

test('a body beyond the limit is refused, whether or not it says how long it is', async () => {
  const { app } = build();
  const send = (
    body: RequestInit['body'],
    headers: Readonly<Record<string, string>> = {},
  ): Response | Promise<Response> =>
    app.request('/echo', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: body ?? null,
      duplex: 'half',
    });
  const exactly = JSON.stringify('x'.repeat(998));
  assert.equal((await send(exactly)).status, 200);
  assert.equal((await send(exactly, { 'content-length': '1000' })).status, 200);
  assert.equal((await send(`${exactly} `)).status, 413);
  assert.equal((await send(`${exactly} `, { 'content-length': '1001' })).status, 413);
  const stream = new ReadableStream({
    start: (controller) => {
      for (let index = 0; index < 11; index++) controller.enqueue(new Uint8Array(100));
      controller.close();
    },
  });
  assert.equal((await send(stream)).status, 413);
});

test('a media type is compared without its parameters and case', () => {
  for (const header of [
    'application/json',
    'Application/JSON',
    ' application/json ; charset=utf-8',
    'application/json;',
  ])
    requireMediaType(header, 'application/json');
  for (const header of [undefined, '', 'application/jsonp', 'text/json', 'application/json, text/plain'])
    assert.throws(
      () => {
        requireMediaType(header, 'application/json');
      },
      { code: 'media_type_unsupported', field: 'content-type' },
    );
});

/** The facilitator's interface as the design has it, and what the parties need beside it. */
const design = [
  'post /jobs',
  'get /jobs',
  'get /jobs/{job}',
  'delete /jobs/{job}',
  'put /jobs/{job}/owners/{owner}',
  'put /jobs/{job}/rounds/{round}',
  'get /jobs/{job}/rounds/{round}',
  'put /jobs/{job}/rounds/{round}/contributions/{owner}',
  'put /jobs/{job}/rounds/{round}/reports/{facilitator}',
  'get /jobs/{job}/rounds/{round}/aggregate',
  'get /jobs/{job}/events',
  'get /events',
  'get /owners',
];

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { schema: object }>>;
  };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
}

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

async function openApi(): Promise<OpenApi> {
  const response = await (await facilitatorApp()).request('/openapi.json');
  assert.equal(response.status, 200);
  return (await response.json()) as OpenApi;
}

test('/openapi.json is OpenAPI 3.1 and has every route, with its parameters and its refusals', async () => {
  const document = await openApi();
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual([document.info.title, document.info.version], ['sealsum facilitator', version]);
  const found = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  );
  assert.deepEqual(new Set(found), new Set(design));
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method} ${path}`;
      assert.ok((operation.summary ?? '').length > 5, where);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((each) => each[1]);
      const declared = (operation.parameters ?? []).filter((each) => each.in === 'path');
      assert.deepEqual(new Set(declared.map((each) => each.name)), new Set(inPath), where);
      assert.ok(
        declared.every((each) => each.required === true && typeof each.schema === 'object'),
        where,
      );
      assert.ok(
        Object.keys(operation.responses).every((status) => /^([2-5][0-9]{2}|default)$/.test(status)),
        where,
      );
      assert.ok(
        Object.keys(operation.responses).some((status) => status.startsWith('2')),
        where,
      );
      assert.ok(
        Object.values(operation.responses).every((each) => each.description.length > 0),
        where,
      );
      // What can be refused says how.
      if (inPath.length > 0 || operation.requestBody !== undefined)
        assert.ok('application/problem+json' in (operation.responses.default?.content ?? {}), where);
      assert.equal(operation.requestBody?.required, method === 'put' || method === 'post' ? true : undefined, where);
    }
});

test('/openapi.json names as required what is, and as optional what may be left out', async () => {
  const { paths } = await openApi();
  interface ObjectSchema {
    readonly required: string[];
    readonly properties: Readonly<Record<string, ObjectSchema & { readonly type: string }>>;
  }
  const signed = paths['/jobs']?.post?.requestBody?.content['application/json']?.schema as ObjectSchema;
  assert.deepEqual(signed.required, ['descriptor', 'signature']);
  assert.deepEqual(signed.properties.signature?.required, ['party', 'key', 'value']);
  const job = signed.properties.descriptor;
  assert.ok(job !== undefined);
  assert.deepEqual(new Set([...job.required, 'closing_plan', 'tree']), new Set(Object.keys(job.properties)));
  assert.ok(!job.required.includes('tree') && !job.required.includes('closing_plan'));
  const key = job.properties.public_key;
  assert.deepEqual(key?.required, ['kty', 'alg', 'n']);
  assert.deepEqual(Object.keys(key.properties), ['kty', 'alg', 'n', 'key_ops', 'kid']);
  assert.equal(job.properties.roster?.type, 'array');
  const round = paths['/jobs/{job}/rounds/{round}']?.get;
  assert.deepEqual(round?.parameters?.find((each) => each.name === 'round')?.schema, { type: 'integer', minimum: 1 });
  const answers = (round.responses['200']?.content ?? {}) as Record<string, { schema: { required: string[] } }>;
  const required = answers['application/json']?.schema.required ?? [];
  assert.ok(required.includes('status'));
  for (const field of ['signed', 'reason', 'manifest']) assert.ok(!required.includes(field), field);
});

test('/openapi.json refers to nothing that is not in it', async () => {
  const document = await openApi();
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map((each) => each[1] ?? '');
  for (const reference of references) {
    assert.ok(reference.startsWith('#/'));
    const target = reference
      .slice(2)
      .split('/')
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
    assert.notEqual(target, undefined, reference);
  }
});

test('/docs is served from disk under a policy that lets nothing come from elsewhere', async () => {
  const { app } = build();
  const page = await app.request('/docs');
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  const policy = (page.headers.get('content-security-policy') ?? '').split('; ');
  assert.ok(policy.includes("default-src 'none'"));
  for (const directive of policy) {
    const [name, ...sources] = directive.split(' ');
    for (const source of sources)
      assert.ok(["'none'", "'self'", 'data:', "'unsafe-inline'"].includes(source), `${name ?? ''} ${source}`);
    assert.ok(name === 'style-src' || !sources.includes("'unsafe-inline'"), directive);
    assert.ok(name === 'img-src' || !sources.includes('data:'), directive);
  }
  const html = await page.text();
  const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map((each) => each[1] ?? '');
  assert.deepEqual(links, ['docs/swagger-ui.css', 'docs/swagger-ui-bundle.js', 'docs/start.js']);
  assert.ok(!/https?:|\/\//.test(html.replace('<!doctype html>', '')));
  const start = await app.request('/docs/start.js');
  assert.match(start.headers.get('content-type') ?? '', /^text\/javascript/);
  // The path is relative: it holds behind a prefix too. Without the null, Swagger UI asks a validator on the internet.
  assert.equal(await start.text(), "SwaggerUIBundle({ url: 'openapi.json', dom_id: '#page', validatorUrl: null });");
  const folder = createRequire(import.meta.url)
    .resolve('swagger-ui-dist/package.json')
    .replace(/package\.json$/, '');
  for (const [file, type] of [
    ['swagger-ui.css', /^text\/css/],
    ['swagger-ui-bundle.js', /^text\/javascript/],
  ] as const) {
    const response = await app.request(`/docs/${file}`);
    assert.match(response.headers.get('content-type') ?? '', type);
    const served = createHash('sha256')
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest('hex');
    assert.equal(
      served,
      createHash('sha256')
        .update(readFileSync(folder + file))
        .digest('hex'),
    );
  }
  for (const path of [
    '/docs/package.json',
    '/docs/..%2Fpackage.json',
    '/docs/%2e%2e%2fpackage.json',
    '/docs/constructor',
    '/docs/__proto__',
  ])
    assert.equal((await app.request(path)).status, 404, path);
});

test.run();

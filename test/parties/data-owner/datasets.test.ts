/** The data sets of an owner: uploaded, chosen by jobs, held while they run, replaced and removed; over HTTP and across restarts. */
import assert from 'node:assert/strict';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import { createDataOwnerApp } from '../../../parties/data-owner/app.ts';
import { type Datasets, openDatasets } from '../../../parties/data-owner/datasets.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { SealsumError } from '../../../src/errors.ts';
import { createLog } from '../../../src/http/log.ts';
import type { JobId } from '../../../src/protocol/identifiers.ts';
import { textOf } from '../../end-to-end/data.ts';
import { document, type Life, sample, until, World } from './harness.ts';
import { anna, describe, facilitator, signJob } from './scripted-facilitator.ts';
import { temporaryFolder } from './temporary-folder.ts';

const test = suite('data sets');

const never = new AbortController().signal;
const csv = 'x,y\n1,2\n3,4\n';
const [job, other] = ['job' as JobId, 'other' as JobId];

function add(datasets: Datasets, name: string, text: string | Uint8Array, replace = false) {
  return datasets.add({ name, content: Readable.from([Buffer.from(text)]), replace }, never);
}

async function refusal(work: () => unknown): Promise<SealsumError> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return error;
  }
  throw new Error('nothing was refused');
}

test('what is uploaded is whole, private, and there after a restart', async () => {
  await using folder = await temporaryFolder();
  const place = join(folder.path, 'uploads');
  const datasets = await openDatasets({ folder: place });
  assert.deepEqual(await datasets.views(), []);
  const { created, view } = await add(datasets, 'trial.csv', csv);
  assert.ok(created);
  assert.deepEqual([view.name, view.bytes, view.format], ['trial.csv', csv.length, 'text']);
  assert.equal((await stat(view.path)).mode & 0o777, 0o600);
  assert.equal((await stat(place)).mode & 0o777, 0o700);
  assert.equal((await add(datasets, 'trial.csv', csv)).created, false);
  await add(datasets, 'a.csv', csv);

  // What a process that died was receiving is not a data set.
  await writeFile(join(place, '.upload-half'), 'x,y\n1,');
  const again = await openDatasets({ folder: place });
  assert.deepEqual(again.names(), ['a.csv', 'trial.csv']);
  assert.deepEqual((await readdir(place)).sort(), ['a.csv', 'trial.csv']);
});

test('what is no table leaves nothing behind', async () => {
  await using folder = await temporaryFolder();
  const datasets = await openDatasets({ folder: folder.path });
  const broken = async function* () {
    yield Buffer.from('x,y\n1,2\n');
    await Promise.resolve();
    throw new SealsumError('body_too_slow', 'the body arrives too slowly');
  };
  const cases: [string, string | undefined, () => unknown][] = [
    ['data_invalid', undefined, () => add(datasets, 'a.csv', 'x,y\n1,2,3\n')],
    ['data_invalid', undefined, () => add(datasets, 'a.csv', Buffer.from([0xff, 0xfe, 0]))],
    ['data_invalid', undefined, () => add(datasets, 'a.csv', 'PAR1 and no more')],
    ['data_invalid', 'x', () => add(datasets, 'a.jsonl', '{"x":{"y":1}}\n')],
    ['body_too_slow', undefined, () => datasets.add({ name: 'a.csv', content: broken(), replace: false }, never)],
    ['message_invalid', 'name', () => add(datasets, '../a.csv', csv)],
    ['message_invalid', 'name', () => add(datasets, '.upload-x', csv)],
    ['message_invalid', 'name', () => add(datasets, 'a'.repeat(101), csv)],
  ];
  for (const [code, field, work] of cases) {
    const error = await refusal(work);
    assert.deepEqual([error.code, error.field], [code, field]);
  }
  assert.deepEqual(await readdir(folder.path), []);
  const file = await folder.write('file', '');
  const nowhere = await refusal(async () => add(await openDatasets({ folder: join(file, 'x') }), 'a.csv', csv));
  assert.deepEqual([nowhere.code, nowhere.field], ['config_invalid', 'datasets']);
});

test('a job gets what it names, or the one of the configuration, or the only one, or is told what to do', async () => {
  await using folder = await temporaryFolder();
  const place = join(folder.path, 'uploads');
  const file = await folder.write('data.csv', csv);
  const datasets = await openDatasets({ folder: place });
  assert.match((await refusal(() => datasets.hold(job, undefined))).message, /no data set; upload one/);
  await add(datasets, 'one.csv', csv);
  assert.equal(datasets.hold(job, undefined).name, 'one.csv');
  datasets.letGo(job);
  await add(datasets, 'two.csv', csv);
  const several = await refusal(() => datasets.hold(job, undefined));
  assert.deepEqual([several.code, several.field], ['dataset_unknown', 'data_props.dataset']);
  // Others are told of it: no name of a data set is in it.
  assert.doesNotMatch(several.message, /one\.csv|two\.csv/);
  assert.equal(datasets.hold(job, 'two.csv').name, 'two.csv');
  assert.equal((await refusal(() => datasets.hold(job, 'three.csv'))).code, 'dataset_unknown');

  const configured = await openDatasets({ file, folder: place });
  assert.deepEqual(configured.names(), ['data.csv', 'one.csv', 'two.csv']);
  assert.equal(configured.hold(job, undefined).name, 'data.csv');
  assert.equal(configured.hold(job, 'one.csv').name, 'one.csv');
});

test('what a job computes on stays as it is until the job lets go', async () => {
  await using folder = await temporaryFolder();
  const file = await folder.write('data.csv', csv);
  const datasets = await openDatasets({ file, folder: join(folder.path, 'uploads') });
  await add(datasets, 'one.csv', csv);
  const changed = `${csv}5,6\n`;
  const conflicts = async (work: () => unknown, message: RegExp): Promise<void> => {
    const error = await refusal(work);
    assert.deepEqual([error.code, error.field], ['dataset_conflict', 'name']);
    assert.match(error.message, message);
  };
  await conflicts(() => add(datasets, 'one.csv', changed), /replace=true/);
  datasets.hold(job, 'one.csv');
  datasets.hold(other, 'one.csv');
  await conflicts(() => add(datasets, 'one.csv', changed, true), /job job computes on one\.csv/);
  datasets.letGo(job);
  await conflicts(() => datasets.remove('one.csv'), /job other computes on one\.csv/);
  assert.equal((await add(datasets, 'one.csv', csv, true)).created, false, 'the same again is no change');
  datasets.letGo(other);
  assert.equal((await add(datasets, 'one.csv', changed, true)).created, false);
  assert.equal((await datasets.named('one.csv').describe(true, never)).records, 3);
  await datasets.remove('one.csv');
  assert.deepEqual(datasets.names(), ['data.csv']);
  await conflicts(() => add(datasets, 'data.csv', csv, true), /config\.toml names/);
  await conflicts(() => datasets.remove('data.csv'), /config\.toml names/);
  assert.equal((await refusal(() => datasets.remove('none.csv'))).code, 'dataset_unknown');
});

test('a second data set waits where a job has taken the only one without naming it', async () => {
  await using folder = await temporaryFolder();
  const datasets = await openDatasets({ folder: folder.path });
  await add(datasets, 'one.csv', csv);
  datasets.hold(job, undefined);
  assert.match((await refusal(() => add(datasets, 'two.csv', csv))).message, /job job computes on the only data set/);
  datasets.letGo(job);
  datasets.hold(job, 'one.csv');
  assert.ok((await add(datasets, 'two.csv', csv)).created);
});

test('of many uploads of one name at once one is kept', async () => {
  await using folder = await temporaryFolder();
  const datasets = await openDatasets({ folder: folder.path });
  const texts = Array.from({ length: 8 }, (_, index) => `${csv}${index},${index}\n`);
  const results = await Promise.allSettled(texts.map((text) => add(datasets, 'one.csv', text)));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.deepEqual(await readdir(folder.path), ['one.csv']);
});

interface Served {
  readonly life: Life;
  readonly ask: (method: string, path: string, body?: string | Uint8Array, type?: string) => Promise<Response>;
}

async function serve(world: World): Promise<Served> {
  const life = await world.live({ keys: createKeyChecks() });
  const app = createDataOwnerApp({
    owner: anna,
    facilitator: { name: facilitator.name, url: 'http://127.0.0.1:8080' },
    dataOwner: life.owner,
    ledgerStore: world.ledgerStore(),
    datasets: world.datasets,
    log: createLog('anna', 'silent'),
    signal: never,
    storeTrouble: () => Promise.resolve(undefined),
    localAccess: { authorities: () => [], loopback: true },
    bodyLimit: 100_000,
  });
  const ask = async (method: string, path: string, body?: string | Uint8Array, type = 'text/csv'): Promise<Response> =>
    await app.request(new URL(path, 'http://127.0.0.1:5000'), {
      method,
      ...(body === undefined ? {} : { body: Buffer.from(body), headers: { 'content-type': type } }),
    });
  return { life, ask };
}

async function problem(response: Response): Promise<[number, string, string?]> {
  const { type, field } = (await response.json()) as { type: string; field?: string };
  return [response.status, type.replace('urn:sealsum:problem:', ''), ...(field === undefined ? [] : [field])] as never;
}

test('over HTTP: uploaded, described, chosen by a job, kept from its removal, removed', async () => {
  await using world = await World.create();
  const { ask, life } = await serve(world);
  const text = textOf(sample);
  const response = await ask('POST', '/datasets?name=trial.csv', text);
  assert.deepEqual([response.status, response.headers.get('location')], [201, '/datasets/trial.csv']);
  const view = (await response.json()) as Record<string, unknown>;
  assert.deepEqual([view.name, view.bytes, view.format], ['trial.csv', text.length, 'text']);
  assert.equal((await ask('POST', '/datasets?name=trial.csv', text)).status, 200);

  const table = parquetWriteBuffer({
    columnData: [
      { name: 'age', data: [1, 2, null], type: 'INT32', nullable: true },
      { name: 'group', data: ['b', 'a', 'b'], type: 'STRING' },
    ],
  });
  const parquet = 'application/vnd.apache.parquet';
  assert.equal((await ask('POST', '/datasets?name=ages.parquet', new Uint8Array(table), parquet)).status, 201);
  const { records, format, columns } = (await (await ask('GET', '/datasets/ages.parquet')).json()) as Record<
    string,
    unknown
  >;
  assert.deepEqual([records, format], [3, 'parquet']);
  assert.deepEqual(columns, [
    { name: 'age', col_idx: 0, missing: 1, values: { kind: 'numbers', whole: true, least: 1, greatest: 2 } },
    { name: 'group', col_idx: 1, missing: 0, values: { kind: 'texts', distinct: 2, levels: ['a', 'b'] } },
  ]);
  for (const [name, type] of [
    ['ages.jsonl', 'application/jsonl'],
    ['ages.ndjson', 'application/x-ndjson; charset=utf-8'],
  ] as const) {
    const lines = '{"age":1,"group":"b"}\r\n{"group":"a","age":2}\n{"age":null,"group":"b"}';
    assert.equal((await ask('POST', `/datasets?name=${name}`, lines, type)).status, 201);
    const described = (await (await ask('GET', `/datasets/${name}`)).json()) as Record<string, unknown>;
    assert.deepEqual([described.format, described.records, described.columns], ['json-lines', 3, columns]);
    assert.equal((await ask('DELETE', `/datasets/${name}`)).status, 204);
  }
  const { datasets } = (await (await ask('GET', '/datasets')).json()) as { datasets: { name: string }[] };
  assert.deepEqual(
    datasets.map(({ name }) => name),
    ['data.csv', 'ages.parquet', 'trial.csv'],
  );

  await until('anna is connected', () => life.owner.connected());
  const { data_props } = document as { data_props: object };
  const naming = (dataset: string): object => ({ ...document, data_props: { ...data_props, dataset } });
  const descriptor = await describe(naming('trial.csv'), 'named');
  world.script.propose(signJob(descriptor));
  await until('anna is ready', () => world.script.standing(descriptor.job) === 'ready');
  assert.deepEqual(await problem(await ask('DELETE', '/datasets/trial.csv')), [409, 'dataset-conflict', 'name']);
  const unknown = await describe(naming('none.csv'), 'unknown');
  world.script.propose(signJob(unknown));
  await until('anna has refused', () => world.script.standing(unknown.job) === 'refused');
  assert.match(
    life.owner.jobs().find(({ job: name }) => name === unknown.job)?.reason ?? '',
    /this owner has no data set none\.csv/,
  );
  world.script.endJob(descriptor.job);
  await until('the job is over', () => life.owner.jobs().some(({ status }) => status === 'ended'));
  assert.equal((await ask('DELETE', '/datasets/trial.csv')).status, 204);
  const { accounts } = (await (await ask('GET', '/ledger')).json()) as { accounts: { dataset: string }[] };
  assert.deepEqual([...new Set(accounts.map(({ dataset }) => dataset))].sort(), ['ages.parquet', 'data.csv']);
});

test('over HTTP: what cannot be is refused with what to do', async () => {
  await using world = await World.create();
  const { ask } = await serve(world);
  assert.deepEqual(await problem(await ask('POST', '/datasets?name=a.csv', '{}', 'application/json')), [
    415,
    'media-type-unsupported',
    'content-type',
  ]);
  assert.deepEqual(await problem(await ask('POST', '/datasets', csv)), [400, 'message-invalid', 'name']);
  assert.deepEqual(await problem(await ask('POST', '/datasets?name=a.csv&replace=maybe', csv)), [
    400,
    'message-invalid',
    'replace',
  ]);
  assert.deepEqual(await problem(await ask('POST', '/datasets?name=a%2Fb.csv', csv)), [400, 'message-invalid', 'name']);
  assert.deepEqual(await problem(await ask('POST', '/datasets?name=a.csv', 'x,y\n1\n')), [422, 'data-invalid']);
  assert.deepEqual(await problem(await ask('POST', '/datasets?name=a.csv', 'x'.repeat(100_001))), [
    413,
    'body-too-large',
  ]);
  assert.deepEqual((await problem(await ask('GET', '/datasets/a.csv'))).slice(0, 2), [404, 'dataset-unknown']);
  assert.deepEqual((await problem(await ask('DELETE', '/datasets/a.csv'))).slice(0, 2), [404, 'dataset-unknown']);
  assert.deepEqual(await problem(await ask('GET', '/datasets/data.csv?header=perhaps')), [
    400,
    'message-invalid',
    'header',
  ]);
});

test.run();

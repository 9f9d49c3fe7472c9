/** A query of a real PostgreSQL as a data set: read when a job is accepted, the same in all of its rounds, gone with it. */
import assert from 'node:assert/strict';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import { type Datasets, openDatasets } from '../../../parties/data-owner/datasets.ts';
import { openPolicy } from '../../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { SealsumError } from '../../../src/errors.ts';
import { compileFeatures, type Records } from '../../../src/learning/features.ts';
import { type Model, parseModel } from '../../../src/learning/model.ts';
import type { PostgresQuery } from '../../../src/learning/postgres-query.ts';
import type { JobId } from '../../../src/protocol/identifiers.ts';
import { inPostgres, onEach, postgres, postgresUrl } from '../../storage/places.ts';
import { document, sample, until, World } from './harness.ts';
import { describe, signJob } from './scripted-facilitator.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';

const test = suite('queries as data sets');

const never = new AbortController().signal;
const [job, other] = ['job' as JobId, 'other' as JobId];

interface Stage {
  readonly schema: string;
  readonly folder: TemporaryFolder;
  /** Where uploads go and what was kept for jobs. */
  readonly place: string;
  readonly query: PostgresQuery;
  readonly open: (query?: PostgresQuery) => Promise<Datasets>;
}

function onPostgres(name: string, body: (stage: Stage) => Promise<void>): void {
  onEach(
    test,
    'queries as data sets',
    name,
    async ({ location }) => {
      const schema = new URL(location).searchParams.get('schema') ?? '';
      await inPostgres(`create schema ${schema}`);
      await inPostgres(`create table ${schema}.stays (x float8, y float8, kind text)`);
      await inPostgres(`insert into ${schema}.stays values (1, 2, 'a'), (3, 4, null), (5, 6, 'b')`);
      await using folder = await temporaryFolder();
      const query = {
        name: 'stays',
        url: postgresUrl,
        query: `select x, y, kind from ${schema}.stays order by x`,
        timeoutSeconds: 30,
      };
      const place = join(folder.path, 'datasets');
      await body({
        schema,
        folder,
        place,
        query,
        open: (given = query) => openDatasets({ queries: [given], folder: place }),
      });
    },
    [postgres],
  );
}

const model: Model = parseModel({
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    features: [
      { name: 'x', type: 'continuous', range: [0, 10] },
      { name: 'kind', type: 'nominal', levels: ['a', 'b'], missing: 'a' },
    ],
    target: { name: 'y', range: [0, 10] },
  },
});

function recordsOf(datasets: Datasets, name: JobId, signal = never): Promise<Records> {
  return datasets.hold(name, undefined).records(model, compileFeatures(model), signal);
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

function makeSample(schema: string): Promise<unknown> {
  const columns = sample.header.split(',').map((name) => `"${name}" text`);
  return inPostgres(`create table ${schema}.sample (${columns.join(', ')})`);
}

/** Once more, if it is filled. */
async function fillSample(schema: string): Promise<void> {
  for (const row of sample.rows) {
    const cells = row.split(',');
    const marks = cells.map((_, index) => `$${index + 1}`).join(', ');
    await inPostgres(`insert into ${schema}.sample values (${marks})`, cells);
  }
}

onPostgres(
  'a job keeps the records it was accepted with, after a restart too, and another job gets those of now',
  async ({ schema, open, place }) => {
    const datasets = await open();
    const first = await recordsOf(datasets, job);
    assert.deepEqual([first.count, [...first.y]], [3, [-0.6, -0.2, 0.2]]);
    assert.deepEqual([...first.lines], [1, 2, 3]);
    await inPostgres(`insert into ${schema}.stays values (7, 8, 'b')`);
    assert.deepEqual(await recordsOf(datasets, job), first);
    assert.equal((await recordsOf(datasets, other)).count, 4);

    const [file = '', ...others] = (await readdir(place)).filter((name) => name.includes('@stays'));
    assert.equal(others.length, 1);
    assert.equal((await stat(join(place, file))).mode & 0o777, 0o600);
    assert.equal((await stat(place)).mode & 0o777, 0o700);
    const again = await open();
    assert.deepEqual(await recordsOf(again, job), first);
    again.letGo(job);
    again.letGo(other);
    assert.equal((await recordsOf(again, job)).count, 4);
    again.letGo(job);
    await until('nothing is kept', async () => (await readdir(place)).length === 0);
  },
);

onPostgres(
  'what does not fit is told by row and column, and others hear of columns of the model alone',
  async ({ schema, open, query }) => {
    await inPostgres(`insert into ${schema}.stays values (70, 8, 'b')`);
    const range = await refusal(async () => recordsOf(await open(), 'job-1' as JobId));
    assert.deepEqual([range.code, range.line, range.field], ['data_invalid', 4, 'x']);
    assert.match(range.message, /^row 4, x: expected a number within \[0, 10\]/);
    assert.doesNotMatch(range.message, /70/);
    const lacking = { ...query, query: `select y from ${schema}.stays` };
    assert.match(
      (await refusal(async () => recordsOf(await open(lacking), 'job-2' as JobId))).message,
      /^x: the header has no such/,
    );
    const lists = { ...query, query: `select x, y, kind, array[1] as private_column from ${schema}.stays` };
    const unfit = await refusal(async () => recordsOf(await open(lists), 'job-3' as JobId));
    assert.deepEqual([unfit.code, unfit.field], ['data_invalid', undefined]);
    assert.match(unfit.message, /private_column/);
    const none = { ...query, query: `select x, y, kind from ${schema}.stays where x > 100` };
    assert.match(
      (await refusal(async () => recordsOf(await open(none), 'job-4' as JobId))).message,
      /the query gives no row/,
    );
  },
);

onPostgres('what fails leaves nothing behind, and reading ends when it is told to', async ({ open, query, place }) => {
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort();
  }, 200);
  const slow = { ...query, query: 'select 1 as x, 2 as y, null as kind from pg_sleep(60)' };
  assert.equal((await refusal(async () => recordsOf(await open(slow), job, stop.signal))).code, 'aborted');
  const wrong = { ...query, query: 'select no_such_column' };
  assert.equal((await refusal(async () => recordsOf(await open(wrong), job))).code, 'data_invalid');
  assert.deepEqual(await readdir(place), []);
});

onPostgres(
  'its own people see it beside the files, without the password, and what stands in it',
  async ({ folder, open, query, place }) => {
    const url = new URL(postgresUrl);
    url.password = 'secret';
    const datasets = await open({ ...query, url: url.href });
    url.password = '';
    assert.deepEqual(await datasets.views(), [{ name: 'stays', path: url.href, format: 'query' }]);
    const { records, columns, format } = await datasets.named('stays').describe(false, never);
    assert.deepEqual([records, format], [3, 'query']);
    assert.deepEqual(columns, [
      { name: 'x', col_idx: 0, missing: 0, values: { kind: 'numbers', whole: true, least: 1, greatest: 5 } },
      { name: 'y', col_idx: 1, missing: 0, values: { kind: 'numbers', whole: true, least: 2, greatest: 6 } },
      { name: 'kind', col_idx: 2, missing: 1, values: { kind: 'texts', distinct: 2, levels: ['a', 'b'] } },
    ]);
    // Nothing of it goes to the disk.
    await assert.rejects(readdir(place), { code: 'ENOENT' });
    const content = (async function* () {
      await Promise.resolve();
      yield Buffer.from('x,y\n1,2\n');
    })();
    const taken = await refusal(() => datasets.add({ name: 'stays', content, replace: true }, never));
    assert.deepEqual([taken.code, taken.field], ['dataset_conflict', 'name']);
    assert.match(taken.message, /is a query that config\.toml names/);
    assert.equal((await refusal(() => datasets.remove('stays'))).code, 'dataset_conflict');
    // A file that was uploaded before the query had its name stays where it is, and is not taken for it.
    await mkdir(place);
    await writeFile(join(place, 'stays'), 'x,y\n1,2\n');
    assert.equal((await open()).named('stays').name, 'stays');
    const file = await folder.write('data.csv', 'x,y\n1,2\n');
    assert.deepEqual((await openDatasets({ file, queries: [query], folder: place })).names(), ['data.csv', 'stays']);
  },
);

onPostgres(
  'an owner trains on it, charges its name, and lets go of what it kept when the job is over',
  async ({ schema, place, open, query }) => {
    await makeSample(schema);
    await fillSample(schema);
    await using world = await World.create();
    const datasets = await open({ ...query, query: `select * from ${schema}.sample` });
    const life = await world.live({ keys: createKeyChecks(), changes: { datasets } });
    await until('anna is connected', () => life.owner.connected());
    const descriptor = await describe(document, 'queried');
    world.script.propose(signJob(descriptor));
    await until('anna is ready', () => world.script.standing(descriptor.job) === 'ready');
    assert.equal(life.owner.jobs()[0]?.records, sample.rows.length);
    assert.deepEqual(await readdir(place), ['.query-queried@stays']);
    await life.stop();

    // It is over while nobody of anna's looks.
    world.script.endJob(descriptor.job);
    const next = await world.live({ keys: createKeyChecks(), changes: { datasets: await open() } });
    await until('the job is over', () => next.owner.jobs().some(({ status }) => status === 'ended'));
    await until('nothing is kept', async () => (await readdir(place)).length === 0);
  },
);

onPostgres('what a process that died has kept for nobody goes when the next one starts', async ({ place, open }) => {
  await recordsOf(await open(), job);
  const datasets = await open();
  await datasets.keepOnly(new Set([job]));
  assert.deepEqual(await readdir(place), ['.query-job@stays']);
  await using world = await World.create();
  // It died before it had kept anything of the job.
  await world.live({ keys: createKeyChecks(), changes: { datasets } });
  assert.deepEqual(await readdir(place), []);
});

onPostgres(
  'another job under the name of one that waits gets rows of its own time',
  async ({ schema, open, query }) => {
    await makeSample(schema);
    await fillSample(schema);
    await using world = await World.create();
    const datasets = await open({ ...query, query: `select * from ${schema}.sample` });
    const policy = { ...openPolicy, consent: 'ask' } as const;
    const life = await world.live({ keys: createKeyChecks(), changes: { datasets, policy } });
    const first = await describe(document, 'queried');
    world.script.propose(signJob(first));
    const waits = (count: number): boolean =>
      life.owner.jobs().some(({ status, records }) => status === 'asking' && records === count);
    await until('anna asks', () => waits(sample.rows.length));
    await fillSample(schema);
    const other = await describe({ ...document, privacy: { rho: 0.25 } }, 'queried');
    world.script.tampering.job = (view) => ({ ...view, ...signJob(other) });
    await life.owner.decide(first.job, { decision: 'approve' });
    await until('anna asks anew', () => waits(2 * sample.rows.length));
  },
);

onPostgres('while the database does not answer, a job waits', async ({ open, query }) => {
  await using world = await World.create();
  const datasets = await open({ ...query, url: 'postgres://reader@127.0.0.1:1/ward' });
  const life = await world.live({ keys: createKeyChecks(), changes: { datasets } });
  await until('anna is connected', () => life.owner.connected());
  const descriptor = await describe(document, 'waiting');
  world.script.propose(signJob(descriptor));
  await until('it was tried', () =>
    world.lines.some((line) => line.includes('a step of the job failed; trying again')),
  );
  assert.equal(world.script.standing(descriptor.job), 'invited');
});

test.run();

/** The parties as processes: how they are started, told what to do, and ended. */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import type { ModelView, PredictionView } from '../../parties/model-owner/views.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { Folder, getJson, patience, postJson } from '../end-to-end/parties.ts';
import { until as untilWithin } from '../support/until.ts';
import { type RunningScript, runScript, startScript } from './processes.ts';

interface Context {
  folder: Folder;
}

const test = suite<Context>('the parties as processes');

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const sample = linearSample(30);
const facilitator = 'scripts/run_facilitator.sh';
const dataOwner = 'scripts/run_data_owner.sh';
const modelOwner = 'scripts/run_model_owner.sh';

test.before(async (context) => {
  context.folder = await Folder.create();
  const [first = '', second = ''] = dealtOut(sample, 2);
  await context.folder.write('north.csv', first);
  await context.folder.write('south.csv', second);
});

test.after(async ({ folder }) => {
  await folder[Symbol.asyncDispose]();
});

/** Where a party says that it listens. */
async function urlOf(script: RunningScript, party: string): Promise<string> {
  const line = new RegExp(`^sealsum ${party} listens at (http://127\\.0\\.0\\.1:[0-9]+)$`, 'm');
  return line.exec(await script.printed(line))?.[1] ?? '';
}

test('all of them, by options and by environment: train with curl, and end in silence', async ({ folder }) => {
  await using first = startScript(facilitator, [], { env: { SEALSUM_PORT: '0' } });
  const url = await urlOf(first, 'facilitator');
  const north = [...'--port 0 --name north --facilitator'.split(' '), url, '--data', `${folder.path}/north.csv`];
  await using second = startScript(dataOwner, north);
  await using third = startScript(dataOwner, ['--port', '0'], {
    env: { SEALSUM_OWNER: 'south', SEALSUM_DATA: `${folder.path}/south.csv`, SEALSUM_FACILITATOR: url },
  });
  await using fourth = startScript(modelOwner, ['--port', '0', '--facilitator', `${url}/`], {
    env: { SEALSUM_EVALUATION_DATA: `${folder.path}/north.csv`, SEALSUM_OWNERS: 'north, south' },
  });
  await Promise.all([urlOf(second, 'data owner'), urlOf(third, 'data owner')]);
  const models = await urlOf(fourth, 'model owner');
  const response = await postJson(`${models}/models`, { ...sample.document, encryption: { key_bits: 2048 } });
  assert.equal(response.status, 202);
  const { id } = (await response.json()) as ModelView;
  await (await fetch(`${models}/models/${id}/events`)).text();
  const prediction = await getJson<PredictionView>(`${models}/prediction`);
  assert.equal(prediction.predictions.length, 15);
  assert.ok(prediction.cost < 10);

  const parties = { facilitator: first, 'data owner': third, 'model owner': fourth };
  second.kill();
  const { code, output, complaint } = await second.ended;
  assert.deepEqual([code, complaint], [0, '']);
  assert.match(output, /^sealsum data owner listens at http:\S+\nsealsum data owner has stopped\n$/);
  for (const [name, script] of Object.entries(parties).reverse()) {
    script.pressControlC();
    const ended = await script.ended;
    assert.deepEqual([ended.code, ended.complaint], [0, ''], name);
    assert.ok(ended.output.endsWith(`sealsum ${name} has stopped\n`));
    assert.deepEqual(await script.survivors(), []);
  }
});

test('a data owner that starts before its facilitator says so, goes on trying, and ends when asked', async ({
  folder,
}) => {
  const args = [
    ...'--port 0 --name north --facilitator http://127.0.0.1:9 --data'.split(' '),
    `${folder.path}/north.csv`,
  ];
  await using owner = startScript(dataOwner, args);
  const url = await urlOf(owner, 'data owner');
  const ready = await fetch(`${url}/readyz`);
  assert.equal(ready.status, 503);
  await ready.text();
  const { connected } = await getJson<{ connected: boolean }>(`${url}/status`);
  assert.equal(connected, false);
  owner.pressControlC();
  const { code, complaint } = await owner.ended;
  assert.match(complaint, /no line to the facilitator; trying again/);
  // Once, however often it tried.
  assert.equal(complaint.split('\n').filter((line) => line !== '').length, 1);
  assert.equal(code, 0);
  assert.deepEqual(await owner.survivors(), []);
});

test('a data owner that is sent to another party ends with one line that says so', async ({ folder }) => {
  await using wrong = startScript(modelOwner, ['--port', '0']);
  const url = await urlOf(wrong, 'model owner');
  const args = ['--port', '0', '--name', 'north', '--facilitator', url, '--data', `${folder.path}/north.csv`];
  const { code, complaint } = await runScript(dataOwner, [...args, '--log-level', 'silent']);
  assert.equal(code, 1);
  assert.match(
    complaint,
    /^sealsum data owner: http:\S+ does not take this owner: there is no GET \/events; see \/docs\n$/,
  );
});

test('a wrong option, a taken port, a missing file: one clear line, and a code that is not zero', async ({
  folder,
}) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const data = ['--data', `${folder.path}/north.csv`];
  const wrong: readonly (readonly [
    script: string,
    args: readonly string[],
    says: RegExp,
    env?: Record<string, string>,
  ])[] = [
    [
      facilitator,
      ['--port', String(port)],
      /cannot listen on 127\.0\.0\.1:\d+: the port is taken; choose another with --port/,
    ],
    [
      facilitator,
      ['--port', '70000'],
      /'--port <number>' argument '70000' is invalid\. expected a number from 0 to 65535/,
    ],
    [facilitator, ['--port', '8o8o'], /expected a number from 0 to 65535/],
    [facilitator, [], /'--port <number>' value 'many' from env 'SEALSUM_PORT' is invalid/, { SEALSUM_PORT: 'many' }],
    [facilitator, ['--prot', '1'], /unknown option '--prot' \(Did you mean --port\?\)/],
    [facilitator, ['8080'], /too many arguments/],
    [facilitator, ['--log-level', 'loud'], /Allowed choices are trace, debug, info, warn, error, silent/],
    [facilitator, ['--host', '203.0.113.1'], /cannot listen on 203\.0\.113\.1:8080/],
    [dataOwner, ['--name', 'north'], /required option '--data <file>' not specified/],
    [dataOwner, data, /required option '--name <owner>' not specified/],
    [dataOwner, ['--name', 'north', '--data', '/nowhere.csv'], /the data file \/nowhere\.csv cannot be read/],
    [dataOwner, ['--name', 'north', '--data', folder.path], /is not a file/],
    [dataOwner, ['--name', 'no/rth', ...data], /--name: expected 1 to 63 letters/],
    [dataOwner, ['--name', 'north', ...data, '--facilitator', 'localhost:8080'], /expected a URL such as http:/],
    [dataOwner, ['--name', 'north', ...data, '--port', String(port)], /the port is taken/],
    [modelOwner, ['--data', '/nowhere.csv'], /the data file \/nowhere\.csv cannot be read/],
    [modelOwner, ['--owners', 'north,,south'], /--owners: expected 1 to 63 letters/],
    [modelOwner, ['--owners', 'north,south,north'], /--owners: north is named twice/],
    [modelOwner, ['--facilitator', 'ftp://example.org'], /expected a URL such as http:/],
  ];
  try {
    for (const [script, args, says, env] of wrong) {
      const { code, output, complaint } = await runScript(script, args, env === undefined ? {} : { env });
      assert.equal(code, 1, args.join(' '));
      assert.equal(output, '');
      assert.match(complaint, says);
      assert.match(complaint, /^sealsum (facilitator|data owner|model owner): [^\n]+\n$/);
    }
  } finally {
    taken.close();
  }
});

test('--help names every option with its variable and default; --version is the version', async () => {
  const { code, output, complaint } = await runScript(dataOwner, ['--help']);
  assert.deepEqual([code, complaint], [0, '']);
  for (const name of ['PORT', 'HOST', 'LOG_LEVEL', 'FACILITATOR', 'OWNER', 'DATA'])
    assert.ok(output.includes(`SEALSUM_${name}`), name);
  assert.match((await runScript(modelOwner, ['--version'])).output, /^\d+\.\d+\.\d+\n$/);
});

test('an interrupt in the middle of a training ends the model owner, and the owners hear of it', async ({ folder }) => {
  await using first = startScript(facilitator, ['--port', '0']);
  const url = await urlOf(first, 'facilitator');
  const owner = (name: string): RunningScript =>
    startScript(dataOwner, [
      '--port',
      '0',
      '--name',
      name,
      '--facilitator',
      url,
      '--data',
      `${folder.path}/${name}.csv`,
    ]);
  await using north = owner('north');
  await using south = owner('south');
  const [northUrl] = await Promise.all([urlOf(north, 'data owner'), urlOf(south, 'data owner')]);
  await using models = startScript(modelOwner, ['--port', '0', '--facilitator', url, '--owners', 'north,south']);
  const modelsUrl = await urlOf(models, 'model owner');
  const training = { solver: 'gradient', rounds: 100_000 };
  await postJson(`${modelsUrl}/models`, { ...sample.document, training, encryption: { key_bits: 2048 } });
  interface Job {
    readonly status: string;
    readonly round?: number;
  }
  const job = async (): Promise<Job | undefined> => (await getJson<{ jobs: Job[] }>(`${northUrl}/jobs`)).jobs[0];
  await until('a first round', async () => ((await job())?.round ?? 0) > 0);
  models.pressControlC();
  const { code, complaint } = await models.ended;
  assert.deepEqual([code, complaint], [0, '']);
  await until('the end of the job', async () => (await job())?.status === 'ended');
  assert.equal((await getJson<{ jobs: Job[] }>(`${url}/jobs`)).jobs[0]?.status, 'cancelled');
});

test.run();

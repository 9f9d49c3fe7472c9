/** The parties as processes: how they are started, told what to do, and ended. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { suite } from 'uvu';
import type { ModelView, PredictionView } from '../../parties/model-owner/views.ts';
import { getJson, over, patience, postJson } from '../end-to-end/parties.ts';
import { until as untilWithin } from '../support/until.ts';
import { type RunningScript, runScript, startScript } from './processes.ts';
import {
  configOf,
  dataOwner,
  enter,
  facilitator,
  leave,
  modelOwner,
  type ProjectContext,
  sample,
  start,
} from './trial-project.ts';

const test = suite<ProjectContext>('the parties as processes');

test.before(enter);
test.after(leave);

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

/** Where a party says that it listens. */
async function urlOf(script: RunningScript, party: string): Promise<string> {
  const line = new RegExp(`^sealsum ${party} listens at (http://127\\.0\\.0\\.1:[0-9]+)$`, 'm');
  return line.exec(await script.printed(line))?.[1] ?? '';
}

test('all of them, by options, by environment and from their folder: train with curl, and end in silence', async ({
  folder,
}) => {
  await using first = startScript(facilitator, [], {
    env: { SEALSUM_CONFIG: configOf(folder, 'facilitator'), SEALSUM_PORT: '0', SEALSUM_STORE: ':memory:' },
  });
  const url = await urlOf(first, 'facilitator');
  await using second = start(dataOwner, folder, 'north', '--facilitator', url);
  const elsewhere = await folder.write('elsewhere.csv', await readFile(`${folder.path}/south/data.csv`, 'utf8'));
  await using third = startScript(dataOwner, ['--data', 'elsewhere.csv', '--config', 'south/config.toml'], {
    cwd: dirname(elsewhere),
    env: { SEALSUM_FACILITATOR: `${url}/`, SEALSUM_STORE: ':memory:', SEALSUM_OWNER: 'south' },
  });
  // Without --config it is the config.toml of the folder.
  await using fourth = startScript(modelOwner, ['--facilitator', url], {
    cwd: `${folder.path}/model-owner`,
    env: { SEALSUM_EVALUATION_DATA: '../north/data.csv', SEALSUM_OWNERS: 'north, south', SEALSUM_STORE: ':memory:' },
  });
  await Promise.all([urlOf(second, 'data owner'), urlOf(third, 'data owner')]);
  const models = await urlOf(fourth, 'model owner');
  const response = await postJson(`${models}/models`, { ...sample.document, encryption: { key_bits: 2048 } });
  assert.equal(response.status, 202);
  const { id } = (await response.json()) as ModelView;
  assert.equal((await over({ url: models }, id)).status, 'finished');
  const prediction = await getJson<PredictionView>(`${models}/prediction`);
  assert.equal(prediction.predictions.length, 15);
  assert.ok((prediction.cost ?? 0) < 10);

  const parties = { facilitator: first, 'data owner': third, 'model owner': fourth };
  second.kill();
  const { code, output, complaint } = await second.ended;
  assert.deepEqual([code, complaint], [0, '']);
  assert.match(
    output,
    /^sealsum data owner listens at http:\S+\nDashboard: http:\S+\/ui\/#login=[\w-]{43}\nsealsum data owner has stopped\n$/,
  );
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
  await using owner = start(dataOwner, folder, 'north', '--facilitator', 'http://127.0.0.1:9');
  const url = await urlOf(owner, 'data owner');
  const ready = await fetch(`${url}/readyz`);
  assert.equal(ready.status, 503);
  await ready.text();
  const { connected } = await getJson<{ connected: boolean }>(`${url}/status`);
  assert.equal(connected, false);
  await owner.complained(/no line to the facilitator/);
  owner.pressControlC();
  const { code, complaint } = await owner.ended;
  assert.match(complaint, /no line to the facilitator; trying again/);
  // Once, however often it tried.
  assert.equal(complaint.split('\n').filter((line) => line !== '').length, 1);
  assert.equal(code, 0);
  assert.deepEqual(await owner.survivors(), []);
});

test('a data owner that is sent to another party ends with one line that says so', async ({ folder }) => {
  await using wrong = start(modelOwner, folder, 'model-owner', '--facilitator', 'http://127.0.0.1:9');
  const url = await urlOf(wrong, 'model owner');
  const args = ['--config', configOf(folder, 'north'), '--store', ':memory:', '--facilitator', url];
  const { code, complaint } = await runScript(dataOwner, [...args, '--log-level', 'silent']);
  assert.equal(code, 1);
  assert.match(
    complaint,
    /^sealsum data owner: http:\S+ does not take this owner: there is no GET \/\S+; see \/docs\n$/,
  );
});

test('an interrupt parks a training, and it goes on when the model owner is started again', async ({ folder }) => {
  await using first = start(facilitator, folder, 'facilitator');
  const url = await urlOf(first, 'facilitator');
  await using north = start(dataOwner, folder, 'north', '--facilitator', url);
  await using south = start(dataOwner, folder, 'south', '--facilitator', url);
  const [northUrl] = await Promise.all([urlOf(north, 'data owner'), urlOf(south, 'data owner')]);
  const startModels = (): RunningScript =>
    start(modelOwner, folder, 'model-owner', '--facilitator', url, '--store', `${folder.path}/models.sqlite`);
  const updatesAt = async (models: string): Promise<number> => {
    const { models: all } = await getJson<{ models: readonly ModelView[] }>(`${models}/models`);
    return all[0]?.updates ?? 0;
  };
  await using models = startModels();
  const modelsUrl = await urlOf(models, 'model owner');
  const training = { solver: 'gradient', rounds: 100_000 };
  await postJson(`${modelsUrl}/models`, { ...sample.document, training, encryption: { key_bits: 2048 } });
  await until('an update', async () => (await updatesAt(modelsUrl)) > 0);
  const before = await updatesAt(modelsUrl);
  models.pressControlC();
  const { code, complaint } = await models.ended;
  assert.deepEqual([code, complaint], [0, '']);

  await using again = startModels();
  const againUrl = await urlOf(again, 'model owner');
  assert.ok((await updatesAt(againUrl)) >= before);
  const parked = await updatesAt(againUrl);
  await until('another update', async () => (await updatesAt(againUrl)) > parked);
  const { models: all } = await getJson<{ models: readonly ModelView[] }>(`${againUrl}/models`);
  assert.deepEqual(
    all.map(({ status }) => status),
    ['training'],
  );
  interface Job {
    readonly status: string;
  }
  const jobs = async (): Promise<Job[]> => (await getJson<{ jobs: Job[] }>(`${northUrl}/jobs`)).jobs;
  assert.equal((await jobs())[0]?.status, 'ready');
  await fetch(`${againUrl}/models/${all[0]?.id ?? ''}`, { method: 'DELETE' });
  await until('the owners to hear of the end', async () => (await jobs())[0]?.status === 'ended');
});

test.run();

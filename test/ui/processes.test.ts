/** Real processes: the links that they print, a whole training from the form to the predictions, and a party killed and back. */
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { suite } from 'uvu';
import { configOf, enter, leave, type ProjectContext, sample } from '../scripts/trial-project.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import { until } from '../support/until.ts';
import { type PartyProcess, startProcess } from './process.ts';
import { openWindow, patience } from './window.ts';

interface Context extends ProjectContext {
  browser: Browser;
  facilitator: PartyProcess;
}

const subject = 'dashboards of processes';
const test = suite<Context>(subject);

test.before(enter);
const [facilitatorMain, ownerMain, modelOwnerMain] = ['facilitator', 'data-owner', 'model-owner'].map(
  (party) => `parties/${party}/main.ts`,
) as [string, string, string];

test.before(async (context) => {
  const config = configOf(context.folder, 'facilitator');
  [context.browser, context.facilitator] = await Promise.all([
    launchChromium(),
    startProcess(facilitatorMain, ['--config', config]),
  ]);
});
test.after(async ({ browser, facilitator }) => {
  await browser.close();
  await facilitator[Symbol.asyncDispose]();
});
test.after(leave);

test('a training from the form to the predictions, through the death of the model owner, on one page that stays open', async ({
  folder,
  browser,
  facilitator,
}) => {
  const start = (main: string, party: string, ...more: readonly string[]): Promise<PartyProcess> =>
    startProcess(main, ['--config', configOf(folder, party), ...more]);
  const line = ['--facilitator', facilitator.url];
  const starting = [start(ownerMain, 'north', ...line), start(ownerMain, 'south', ...line)] as const;
  await using north = await starting[0];
  await using south = await starting[1];
  assert.notEqual(north.link(), south.link());
  let modelOwner = await start(modelOwnerMain, 'model-owner', ...line);
  const { url } = modelOwner;
  try {
    const link = modelOwner.link();
    await using window = await openWindow(browser, link);
    const { page } = window;
    const log = modelOwner.output().replaceAll(link, '');
    assert.doesNotMatch(log, new RegExp(link.split('=')[1] ?? 'none'), 'the token is printed once and not logged');

    await page.getByRole('link', { name: 'Start a training' }).click();
    const [age, visits, ward = ''] = sample.rows[0]?.split(',') ?? [];
    const model = {
      ...sample.document,
      name: 'from the form',
      encryption: { key_bits: 2048 },
      training: { solver: 'gradient', rounds: 150, learning_rate: 0.1 },
      evaluation: { rows: [[Number(age), Number(visits), ward]] },
    };
    await page.getByLabel('model.json').fill(JSON.stringify(model));
    await page.getByText(/can be trained: Linear regression/).waitFor();
    await page.getByRole('button', { name: 'Start the training' }).click();
    await page.getByRole('heading', { name: 'from the form', level: 1 }).waitFor();
    const updates = async (): Promise<number> => Number(await page.locator('#progress').getAttribute('value'));
    await until('some rounds', async () => (await updates()) >= 3, patience);

    modelOwner.signal('SIGKILL');
    await modelOwner.gone;
    await page.getByText('Connection lost, trying again').waitFor();
    await page.getByRole('heading', { name: 'from the form', level: 1 }).waitFor();
    modelOwner = await start(modelOwnerMain, 'model-owner', ...line, '--port', new URL(url).port);
    await page.getByText('Connection lost, trying again').waitFor({ state: 'detached' });
    // Nobody had to sign in again, and the training goes on by itself.
    await page.getByText('Finished').waitFor({ timeout: 6 * patience });
    await page.getByText('150 of 150').waitFor();
    const prediction = await page.getByRole('region', { name: 'Predictions' }).getByRole('row').nth(1).innerText();
    const target = Number(sample.rows[0]?.split(',')[3]);
    assert.ok(Math.abs(Number(prediction.split('\t')[1]) - target) < 15, prediction);
    await page.getByRole('img', { name: /^Mean squared error by round: .* over 151 rounds/ }).waitFor();
    const sessions = `${folder.path}/model-owner/state.sessions.json`;
    assert.equal((await stat(sessions)).mode & 0o777, 0o600);
    assert.match(await readFile(sessions, 'utf8'), /"sealsum dashboard sessions"/);
  } finally {
    await modelOwner[Symbol.asyncDispose]();
  }
});

test('SIGUSR2 prints another link, which voids the one before', async ({ browser, facilitator: party }) => {
  const first = party.link();
  party.signal('SIGUSR2');
  await until('another link', () => party.link() !== first, patience);
  await using old = await openWindow(browser, first);
  await old.page.getByRole('alert').waitFor();
  await using newer = await openWindow(browser, party.link());
  await newer.page.getByRole('heading', { name: 'Jobs' }).waitFor();
});

runInChromium(subject, test);

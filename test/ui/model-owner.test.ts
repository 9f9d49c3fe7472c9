/** The model owner's pages, in a real browser upon a real consortium. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import type { Dashboard } from '../../src/http/dashboard/serve.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { dealtOut, linearSample, logisticSample } from '../end-to-end/data.ts';
import { oneKey } from '../end-to-end/keys.ts';
import { type Consortium, startConsortium, trainOver } from '../end-to-end/parties.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import { createTestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';
import { createTestDashboard, linkOf } from './dashboards.ts';
import { assertLooksAsKept, freeze, frozenName } from './screenshots.ts';
import { assertAccessible, assertFits, openWindow, patience, views, type Window } from './window.ts';

const subject = "a model owner's pages";
const test = suite(subject);

const sample = linearSample(60);
/** The same with a column that is called as one of the page's is. */
const withColumn = {
  ...sample,
  header: `${sample.header},Column`,
  rows: sample.rows.map((row, index) => `${row},${index % 7}`),
};
const encryption = { key_bits: 2048 };
const rows = sample.rows.slice(0, 40).map((row) => {
  const [age, visits, ward = ''] = row.split(',');
  return [Number(age), Number(visits), ward];
});
const document = { ...sample.document, name: 'days in hospital', encryption, evaluation: { rows } };
const byGradient = { solver: 'gradient', rounds: 12, learning_rate: 0.1 };

let browser: Browser;
let stage: Consortium;
let dashboard: Dashboard;
let exact: ModelView;
let descended: ModelView;

test.before(async () => {
  browser = await launchChromium();
  stage = await startConsortium({
    newKey: await oneKey(),
    data: dealtOut(withColumn, 3),
    dashboardOf: (party) => {
      if (party.role !== 'model-owner') return undefined;
      dashboard = createTestDashboard(party);
      return dashboard;
    },
  });
  exact = await trainOver(stage.modelOwner, document);
  descended = await trainOver(stage.modelOwner, {
    ...document,
    name: 'by gradient',
    training: byGradient,
    privacy: { epsilon: 8, delta: 1e-6, clip: 1 },
  });
});

test.after(async () => {
  await browser.close();
  await stage[Symbol.asyncDispose]();
});

const urlOf = (hash: string): string => `${stage.modelOwner.url}/ui/${hash}`;

async function open(hash: string, options = views.light, before?: (page: Page) => Promise<void>): Promise<Window> {
  const window = await openWindow(browser, linkOf(dashboard, stage.modelOwner.url), options, before);
  await window.page.getByRole('navigation').first().waitFor();
  await window.page.goto(urlOf(hash));
  return window;
}

/** Whatever the page reads has arrived. */
async function settled(page: Page): Promise<void> {
  await page.getByText('Reading …').first().waitFor({ state: 'detached' });
  await page.waitForLoadState('load');
}

test('every page: nothing for axe, nothing beyond its sides, and as it is kept; in light, in the dark and on a phone', async () => {
  const frozen = (page: Page): Promise<void> => freeze(page, [exact.id, descended.id]);
  for (const [view, options] of Object.entries(views)) {
    await using window = await open('#/models', options, frozen);
    const { page } = window;
    for (const [name, hash, seen] of [
      ['models', '#/models', 'days in hospital'],
      ['model', `#/models/${frozenName(1)}`, 'Privacy spent and left'],
      ['new-training', '#/new', 'Start the training'],
    ] as const) {
      await page.goto(urlOf(hash));
      await page.getByText(seen).first().waitFor();
      await settled(page);
      if (name === 'model') {
        await page.getByRole('region', { name: 'Coefficients' }).waitFor();
        await page.getByRole('region', { name: 'Predictions' }).waitFor();
        await page.getByRole('region', { name: 'Rounds' }).waitFor();
      }
      await assertAccessible(page, `${name}, ${view}`);
      await assertFits(page, `${name}, ${view}`);
      // What noise makes of a curve is another one every time.
      if (name !== 'model') await assertLooksAsKept(page, `model-owner-${name}-${view}`);
    }
  }
  await using window = await open(`#/models/${frozenName(0)}`, views.light, frozen);
  await window.page.getByRole('region', { name: 'Predictions' }).waitFor();
  await settled(window.page);
  await assertLooksAsKept(window.page, 'model-owner-model-light');
});

test('a model: what it has found, who contributed, what it has cost, and its predictions as a file', async () => {
  await using window = await open(`#/models/${exact.id}`);
  const { page } = window;
  const coefficients = page.getByRole('region', { name: 'Coefficients' });
  await coefficients.getByText('ward=south').waitFor();
  const shown = (await coefficients.getByRole('row').allInnerTexts()).slice(1).map((row) => row.split('\t'));
  const { columns, coefficients: found } = (await (
    await fetch(`${stage.modelOwner.url}/models/${exact.id}/parameters`)
  ).json()) as { columns: string[]; coefficients: number[] };
  assert.deepEqual(
    shown.map(([column]) => column),
    columns,
  );
  for (const [index, [, text = '']] of shown.entries()) {
    const expected = found[index] ?? Number.NaN;
    assert.ok(Math.abs(Number(text.replace('−', '-')) - expected) <= 1e-5 * Math.abs(expected), text);
  }
  await page.getByRole('cell', { name: 'owner-1, owner-2, owner-3' }).waitFor();
  await page.getByText('No differential privacy.').waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download as CSV' }).click(),
  ]);
  const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n');
  assert.equal(lines[0], 'prediction');
  assert.equal(lines.length, 41);
  assert.ok(lines.slice(1).every((line) => Number.isFinite(Number(line))));
  assert.equal(download.suggestedFilename(), `predictions-${exact.id}.csv`);
});

test('statistics: tables in which every number stands under what it is of, whatever columns are called', async () => {
  const [age, , ward] = sample.document.data_props.features;
  const { id } = await trainOver(stage.modelOwner, {
    model_type: 'STATISTICS',
    data_props: { columns: [age, { name: 'Column', type: 'discrete', range: [0, 10] }, ward] },
    statistics: { moments: ['age'], covariance: ['age', 'Column'], histograms: [{ column: 'ward' }] },
    encryption,
    participation: { quorum: 3 },
  });
  await using window = await open(`#/models/${id}`);
  const { page } = window;
  const tableOf = async (name: string): Promise<string[][]> => {
    const region = page.getByRole('region', { name, exact: true });
    await region.waitFor();
    return (await region.getByRole('row').allInnerTexts()).map((row) => row.split('\t'));
  };
  const ages = sample.rows.map((row) => Number(row.split(',')[0]));
  const mean = ages.reduce((sum, value) => sum + value, 0) / ages.length;
  const [, [column, count, missing, found] = []] = await tableOf('Moments');
  assert.deepEqual([column, count, missing], ['age', '60', '0']);
  assert.ok(Math.abs(Number(found) - mean) < 1e-3, `${found} is not ${mean}`);
  const correlation = await tableOf('Correlation');
  assert.deepEqual(correlation[0], ['Column', 'age', 'Column']);
  assert.deepEqual([correlation[1]?.[1], correlation[2]?.[2]], ['1', '1']);
  const wards = ['north', 'south', 'west'].map((each) => [
    each,
    String(sample.rows.filter((row) => row.split(',')[2] === each).length),
  ]);
  assert.deepEqual((await tableOf('Histogram of ward')).slice(1, 4), wards);
  await assertAccessible(page, 'statistics');
});

test('the loss, and the privacy spent and left, as curves and as tables', async () => {
  await using window = await open(`#/models/${descended.id}`);
  const { page } = window;
  for (const name of [
    /^Mean squared error by round: /,
    /^Privacy spent and left \(ε\) by round: Spent from .* to 8; Left from .* to 0/,
  ])
    await page.getByRole('img', { name }).waitFor();
  await page.getByText('The same as a table').nth(1).click();
  const table = page.getByRole('region', { name: /^Privacy spent and left/ });
  const read = (await table.getByRole('row').allInnerTexts()).slice(1).map((row) => row.split('\t').map(Number));
  assert.equal(read.length, 13);
  for (const [index, [round, spent = 0, left = 0]] of read.entries()) {
    assert.equal(round, index + 1);
    assert.ok(Math.abs(spent + left - 8) < 1e-4);
    assert.ok(spent > (read[index - 1]?.[1] ?? 0));
  }
});

test('with the keyboard alone: an example is taken, refused while it is wrong, trained, and deleted after a question', async () => {
  await using window = await open('#/new');
  const { page } = window;
  const start = page.getByRole('button', { name: 'Start the training' });
  assert.ok(await start.isDisabled());
  await page.getByLabel('model.json').focus();
  const verdict = page.locator('#verdict');
  const type = async (text: string): Promise<void> => {
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.insertText(text);
  };
  const says = (pattern: RegExp): Promise<void> => verdict.getByText(pattern).waitFor();
  await type('{ "model_type": }');
  await says(/no JSON: line 1, column 17/);
  await type(JSON.stringify({ ...document, trainig: {} }));
  await says(/trainig/);
  await assertAccessible(page, 'a model that is wrong');
  assert.ok(await start.isDisabled());
  assert.equal(await page.getByLabel('model.json').getAttribute('aria-invalid'), 'true');
  await type(JSON.stringify({ ...document, participation: { quorum: 9 } }));
  await says(/participation\.quorum/);
  await type(JSON.stringify({ ...document, name: 'by keyboard' }));
  await says(/can be trained: Linear regression with 3 data owners, of whom 2 must contribute/);
  await page.keyboard.press('Tab');
  // The line below the text has a link only while there is no text.
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Start the training');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'by keyboard', level: 1 }).waitFor();
  await page.getByRole('heading', { name: 'Coefficients' }).waitFor();
  await page.getByRole('button', { name: 'Delete the model' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await assertAccessible(page, 'the question');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the model' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor();
  await page.getByRole('link', { name: 'by gradient' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'by keyboard' }).count(), 0);
});

test('a file is taken for the text, and what cannot be trained is said next to it', async () => {
  await using window = await open('#/new');
  const { page } = window;
  const logistic = JSON.stringify({ ...logisticSample().document, encryption });
  await page
    .getByLabel('or a file')
    .setInputFiles({ name: 'model.json', mimeType: 'application/json', buffer: Buffer.from(logistic) });
  await page.getByText(/can be trained: Logistic regression/).waitFor();
  await page.getByLabel('Begin with').selectOption('Linear regression with differential privacy');
  await page.getByText(/can be trained: Linear regression.*ε 2, δ 1e-6/s).waitFor();
  // What no page of ours sends.
  const status = await page.evaluate<number>(
    "fetch('api/model-check', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }).then(({ status }) => status)",
  );
  assert.equal(status, 400);
});

test('ten thousand rounds: some dozens of them are on the page, and all of them within reach', async () => {
  const store = createModelStore(stage.modelOwner.database, createAuditLog(stage.cast.modelOwner, createTestClock()));
  const record = await store.get(descended.id);
  const { lastRound } = record ?? {};
  assert.ok(record !== undefined && lastRound !== undefined);
  const count = 10_000;
  await stage.modelOwner.database.write(async ({ rows: tables }) => {
    for (let first = lastRound.round + 1; first <= count; first += 1000)
      await tables
        .insertInto('model_rounds')
        .values(
          Array.from({ length: Math.min(1000, count + 1 - first) }, (_, index) => {
            const round = first + index;
            const report = {
              ...lastRound,
              round,
              metrics: { loss: 1 / round, mse: 100 / round },
              missing: ['owner-2'],
            };
            return { id: descended.id, round, report_json: JSON.stringify(report) as never };
          }),
        )
        .execute();
  });
  await store.commit({ model: { ...record, lastRound: { ...lastRound, round: count } } });
  await using window = await open(`#/models/${descended.id}`);
  const { page } = window;
  await page.getByText('Rounds 9,976 to 10,000 of 10,000').waitFor();
  await page.getByRole('img', { name: /^Mean squared error by round: .* over 10,000 rounds/ }).waitFor();
  const elements = (): Promise<number> => page.evaluate<number>('document.querySelectorAll("*").length');
  await page.getByText('The same as a table').first().click();
  const table = page.getByRole('region', { name: /^Mean squared error by round/ });
  await table.getByRole('cell', { name: '1', exact: true }).first().waitFor();
  assert.ok((await elements()) < 1500, `${await elements()} elements`);
  assert.equal(await table.getByRole('table').getAttribute('aria-rowcount'), '10001');
  await table.evaluate((place) => {
    (place as unknown as { scrollTop: number; scrollHeight: number }).scrollTop = 1e9;
  });
  await table.getByRole('cell', { name: '10,000', exact: true }).waitFor();
  assert.ok((await elements()) < 1500, `${await elements()} elements`);
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByText('Rounds 9,951 to 9,975 of 10,000').waitFor();
  await page.getByRole('cell', { name: 'late: owner-2' }).first().waitFor();
  await page.getByRole('button', { name: 'Newer' }).click();
  await page.getByText('Rounds 9,976 to 10,000 of 10,000').waitFor();
  await until('every round was read once', async () => (await elements()) < 1500, patience);
});

runInChromium(subject, test);

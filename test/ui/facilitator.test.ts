/** The facilitator's pages, in a real browser upon a real consortium: numbers of things, and no value. */
import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import type { Dashboard } from '../../src/http/dashboard/serve.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { type Consortium, startConsortium, startFacilitator, trainOver } from '../end-to-end/parties.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import { createTestDashboard, linkOf } from './dashboards.ts';
import { assertLooksAsKept, freeze, frozenName } from './screenshots.ts';
import { assertAccessible, assertFits, openWindow, views, type Window } from './window.ts';

const subject = "a facilitator's pages";
const test = suite(subject);

const sample = linearSample(30);

let browser: Browser;
let stage: Consortium;
let dashboard: Dashboard;
let model: ModelView;

test.before(async () => {
  browser = await launchChromium();
  stage = await startConsortium({
    data: dealtOut(sample, 3),
    dashboardOf: (party) => {
      if (party.role !== 'facilitator') return undefined;
      dashboard = createTestDashboard(party);
      return dashboard;
    },
  });
  model = await trainOver(stage.modelOwner, {
    ...sample.document,
    encryption: { key_bits: 2048 },
    training: { solver: 'gradient', rounds: 5 },
  });
});

test.after(async () => {
  await browser.close();
  await stage[Symbol.asyncDispose]();
});

async function open(
  hash: string,
  options = views.light,
  before?: (page: Page) => Promise<void>,
  { url } = stage.facilitator,
): Promise<Window> {
  const window = await openWindow(browser, linkOf(dashboard, url), options, before);
  await window.page.getByRole('navigation').first().waitFor();
  await window.page.goto(`${url}/ui/${hash}`);
  return window;
}

test('every page: nothing for axe, nothing beyond its sides, and as it is kept; in light, in the dark and on a phone', async () => {
  for (const [view, options] of Object.entries(views)) {
    await using window = await open('#/jobs', options, (page) => freeze(page, [model.id]));
    const { page } = window;
    for (const [name, hash, seen] of [
      ['jobs', '#/jobs', 'Rounds closed'],
      ['job', `#/jobs/${frozenName(0)}`, 'Seconds by round'],
      ['round', `#/jobs/${frozenName(0)}/3`, 'SHA-256'],
      ['parties', '#/parties', '3 data owners of 3 connected'],
    ] as const) {
      await page.goto(`${stage.facilitator.url}/ui/${hash}`);
      await page.getByText(seen).first().waitFor();
      await page.getByText('Reading …').first().waitFor({ state: 'detached' });
      await assertAccessible(page, `${name}, ${view}`);
      await assertFits(page, `${name}, ${view}`);
      // Contributions come in any order.
      if (name !== 'round') await assertLooksAsKept(page, `facilitator-${name}-${view}`);
    }
  }
});

test('a job and its rounds: who contributed how much, and neither values nor the model', async () => {
  await using window = await open('#/jobs');
  const { page } = window;
  const answers: string[] = [];
  page.on('response', (response) => {
    if (!response.url().endsWith('/events'))
      void response.text().then(
        (text) => answers.push(text),
        () => undefined,
      );
  });
  await page.getByRole('link', { name: model.id }).click();
  await page.getByText('6 closed, 0 abandoned').waitFor();
  assert.equal(await page.getByRole('cell', { name: '3 of 3' }).count(), 6);
  await page.getByRole('link', { name: '6', exact: true }).click();
  const contributions = page.getByRole('region', { name: 'Contributions' });
  await contributions.getByText('owner-3').waitFor();
  const rows = (await contributions.getByRole('row').allInnerTexts()).slice(1).map((row) => row.split('\t'));
  assert.deepEqual(rows.map(([, owner]) => owner).sort(), ['owner-1', 'owner-2', 'owner-3']);
  for (const [, , bytes, digest] of rows) {
    assert.equal(bytes, '512');
    assert.match(digest ?? '', /^[0-9a-f]{64}$/);
  }
  await page.getByRole('link', { name: 'Parties' }).click();
  await page.getByText('3 data owners of 3 connected').waitFor();
  const all = answers.join('\n');
  assert.match(all, /"contributors"/);
  assert.doesNotMatch(all, /LINEAR_REGRESSION|data_props|parameters|public_key"|signature|visits/);
});

test('who goes is seen to go, without loading the page again', async () => {
  await using window = await open('#/parties');
  const { page } = window;
  await page.getByText('3 data owners of 3 connected').waitFor();
  await stage.owners[2]?.stop();
  await page.getByText('2 data owners of 3 connected').waitFor();
});

test('a job or a round that there is not is said so', async () => {
  await using window = await open('#/jobs/none');
  await window.page.getByRole('alert').getByText('There is no job none').first().waitFor();
  await using other = await open(`#/jobs/${model.id}/77`);
  await other.page.getByRole('alert').getByText('has no round 77').waitFor();
  await using nowhere = await open('#/nowhere');
  await nowhere.page.getByRole('heading', { name: 'There is no such page' }).waitFor();
});

test('ten thousand rounds: a page of them is on the page, and every other within reach', async () => {
  await using facilitator = await startFacilitator({ cast: stage.cast, dashboard });
  const count = 10_000;
  const { database } = stage.facilitator;
  // The same job in another store, with many more rounds.
  await facilitator.stop();
  const copied = ['jobs', 'job_descriptors', 'job_owners', 'rounds', 'contributions'] as const;
  for (const table of copied) {
    const rows = await database.read((session) => session.rows.selectFrom(table).selectAll().execute());
    await facilitator.database.write(async (session) => {
      for (const row of rows) await session.rows.insertInto(table).values(row).execute();
    });
  }
  await facilitator.database.write(async ({ rows }) => {
    const first = await rows.selectFrom('rounds').selectAll().where('round', '=', 6).executeTakeFirstOrThrow();
    const given = await rows.selectFrom('contributions').selectAll().where('round', '=', 6).execute();
    for (let from = 7; from <= count; from += 500) {
      const numbers = Array.from({ length: Math.min(500, count + 1 - from) }, (_, index) => from + index);
      await rows
        .insertInto('rounds')
        .values(numbers.map((round) => ({ ...first, round })))
        .execute();
      // Owner 3 was late every time.
      const some = given
        .filter(({ owner }) => owner !== 'owner-3')
        .map((each, index) => ({ ...each, place: index + 1 }));
      for (const each of some)
        await rows
          .insertInto('contributions')
          .values(numbers.map((round) => ({ ...each, round })))
          .execute();
    }
    await rows.updateTable('jobs').set({ round: count }).execute();
  });
  await using again = await startFacilitator({ cast: stage.cast, dashboard, database: facilitator.database });
  await using window = await open(`#/jobs/${model.id}`, views.light, undefined, again);
  const { page } = window;
  const sizes: number[] = [];
  page.on('response', (response) => {
    if (response.url().includes('/rounds'))
      void response.body().then(
        (body) => sizes.push(body.length),
        () => undefined,
      );
  });
  await page.getByText('Rounds 9,951 to 10,000 of 10,000').waitFor();
  await page.getByText('10,000 closed, 0 abandoned').waitFor();
  const elements = (): Promise<number> => page.evaluate<number>('document.querySelectorAll("*").length');
  assert.ok((await elements()) < 1500, `${await elements()} elements`);
  assert.equal(await page.getByRole('cell', { name: 'owner-3', exact: true }).count(), 51);
  await page.getByRole('button', { name: 'Older' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('Rounds 9,901 to 9,950 of 10,000').waitFor();
  // Who goes on by keyboard stays where the way on is.
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Older');
  await page.getByRole('link', { name: '9,930' }).click();
  await page.getByRole('heading', { name: 'Round 9930' }).waitFor();
  await page.getByText('2 of 3, 2 at least').waitFor();
  assert.ok(sizes.length > 0 && Math.max(...sizes) < 50_000, sizes.join());
});

runInChromium(subject, test);

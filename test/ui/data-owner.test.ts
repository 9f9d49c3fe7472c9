/**
 * A data owner's pages in a real browser: a job that waits is shown with what it would release, approved and refused, by keyboard too; rounds
 * are checked; the ledger and the data sets are shown.
 */
import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import type { Dashboard } from '../../src/http/dashboard/serve.ts';
import type { OwnedJobView } from '../../src/http/owned-job.ts';
import { createCaps } from '../../src/privacy/budget.ts';
import { type JobId, jobIdSchema } from '../../src/protocol/identifiers.ts';
import { fromJson, toJson } from '../../src/storage/row-json.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { oneKey } from '../end-to-end/keys.ts';
import {
  type Consortium,
  getJson,
  over,
  postModel,
  type RunningOwner,
  startConsortium,
} from '../end-to-end/parties.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import { until } from '../support/until.ts';
import { createTestDashboard, linkOf } from './dashboards.ts';
import { assertLooksAsKept, freeze } from './screenshots.ts';
import { assertAccessible, assertFits, openWindow, patience, views, type Window } from './window.ts';

const subject = "a data owner's pages";
const test = suite(subject);

const sample = linearSample(90);
const document = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 3 },
  encryption: { key_bits: 2048 },
  // People take their time.
  participation: { quorum: 2, deadline_seconds: 3600, roster: ['owner-1', 'owner-2'] },
  privacy: { epsilon: 6, delta: 1e-6 },
};

let browser: Browser;
let stage: Consortium;
/** Whose policy limits what is spent, and one whose policy limits nothing: people decide at both. */
let owner: RunningOwner;
let other: RunningOwner;
const dashboards = new Map<string, Dashboard>();

const policies = new Map<string, OwnerPolicy>([
  ['owner-1', { ...openPolicy, consent: 'ask', caps: createCaps({ epsilon: 20, delta: 1e-6 }), requirePrivacy: true }],
  ['owner-3', { ...openPolicy, consent: 'ask' }],
]);

test.before(async () => {
  browser = await launchChromium();
  stage = await startConsortium({
    newKey: await oneKey(),
    data: dealtOut(sample, 3),
    policyOf: (name) => policies.get(name),
    dashboardOf: (party) => {
      if (!policies.has(party.name)) return undefined;
      const dashboard = createTestDashboard(party);
      dashboards.set(party.name, dashboard);
      return dashboard;
    },
  });
  const [first, , third] = stage.owners;
  owner = first ?? assert.fail('there is no owner');
  other = third ?? assert.fail('there is no other owner');
});

test.after(async () => {
  await browser.close();
  await stage[Symbol.asyncDispose]();
});

function open(
  options?: Parameters<typeof openWindow>[2],
  at = owner,
  before?: (page: Page) => Promise<void>,
): Promise<Window> {
  const dashboard = dashboards.get(at.owner) ?? assert.fail('there is no dashboard');
  return openWindow(browser, linkOf(dashboard, at.url), options, before);
}

/** How an owner sees a job. */
function jobAt(id: string, at = owner): OwnedJobView | undefined {
  return at.dataOwner.jobs().find(({ job }) => job === id);
}

async function asking(name: string, changes: object = {}, at = owner): Promise<JobId> {
  const id = await postModel(stage.modelOwner, { ...document, name, ...changes });
  await until(`${at.owner} asks`, () => jobAt(id, at)?.status === 'asking', patience);
  return jobIdSchema.parse(id);
}

async function heading(page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
}

/** Tab by tab until something has the focus, as somebody would who has no mouse. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let steps = 0; steps < 60; steps += 1) {
    await page.keyboard.press('Tab');
    if (name.test(await page.evaluate<string>('document.activeElement.textContent'))) return;
  }
  assert.fail(`${name} is not reached by keyboard`);
}

test('a job that waits is shown with all that it would release, approved, contributed to, and found in the sums', async () => {
  await using window = await open();
  const { page } = window;
  await heading(page, 'Jobs');
  await page.getByText('No job waits.').waitFor();
  // Live: nobody loads the page again.
  const id = await asking('Outcome by age');
  await page.getByRole('link', { name: 'Outcome by age' }).waitFor();
  await page.getByRole('link', { name: 'Look at it and decide' }).click();
  await heading(page, 'Outcome by age');
  const text = (await page.locator('main').innerText()).replace(/\s+/g, ' ');
  const request = await owner.dataOwner.request(id);
  const expected = [
    'waits for you',
    'model-owner',
    request.asked_by.fingerprint,
    'Linear regression',
    'owner-1.csv',
    '30 (told to others as a part of the sum only)',
    '4 at most',
    `${request.release.values} values`,
    'Gradient of the loss: 5 values',
    'No sum has fewer than 2 contributors. On the roster: owner-1, owner-2.',
    'the model owner, after decryption',
    'The model owner: it decrypts the exact sum of every round',
    'After all rounds, if approved',
    ...request.columns.flatMap(({ name, values }) => [name ?? '', values]),
    ...request.release.sums.flatMap(({ names }) => names),
  ];
  for (const each of expected) assert.ok(text.includes(each), `${each} is not on the page: ${text}`);
  assert.deepEqual(await owner.ledgerStore.entries(), []);

  await page.getByRole('button', { name: 'Approve…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Approve this job?' });
  await dialog.waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(jobAt(id)?.consent, undefined);
  await page.getByRole('button', { name: 'Approve…' }).click();
  await dialog.getByRole('button', { name: 'Approve', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'You have approved this job.' }).waitFor();
  assert.equal((await over(stage.modelOwner, id)).status, 'finished');

  await page.getByText('4 contributions were acknowledged').waitFor();
  await page.getByRole('button', { name: 'Check round 2' }).click();
  await page.getByRole('cell', { name: 'included' }).waitFor();
  await page.locator('.title', { hasText: 'over' }).waitFor();
});

test('a refusal is told to the model owner with its reason, and decided by keyboard alone', async () => {
  const id = await asking('Never');
  await using window = await open();
  const { page } = window;
  await heading(page, 'Jobs');
  await tabTo(page, /^Look at it and decide$/);
  await page.keyboard.press('Enter');
  await heading(page, 'Never');
  await page.getByRole('button', { name: 'Refuse…' }).waitFor();
  await tabTo(page, /^Refuse…$/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Refuse this job?' }).waitFor();
  // Where the focus is one types: the reason comes first.
  await page.keyboard.type('the board meets in May');
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'You have refused this job.' }).waitFor();
  await page.locator('.title', { hasText: 'refused' }).waitFor();
  assert.equal(await page.evaluate('document.activeElement.tagName'), 'MAIN');
  const owners = async (): Promise<ModelView['owners']> =>
    (await getJson<ModelView>(`${stage.modelOwner.url}/models/${id}`)).owners;
  await until(
    'the model owner knows who refused, and why',
    async () =>
      (await owners()).some(
        ({ owner: name, status, reason }) =>
          name === 'owner-1' &&
          status === 'refused' &&
          reason === 'policy.consent: a person at owner-1 declined the job: the board meets in May',
      ),
    patience,
  );
  const { failure } = await over(stage.modelOwner, id);
  assert.equal(failure?.code, 'owners_too_few');
  assert.match(
    failure.detail,
    /owner-1 refused: policy\.consent: a person at owner-1 declined the job: the board meets in May/,
  );
  assert.equal(
    (await owner.ledgerStore.entries()).some(({ job }) => job === id),
    false,
  );
});

test('a job without differential privacy says so wherever it is shown, and a page nobody loads again tells of its end', async () => {
  const participation = { ...document.participation, roster: ['owner-2', 'owner-3'] };
  const id = await asking('Without noise', { privacy: undefined, model_visibility: 'encrypted', participation }, other);
  await using window = await open(views.light, other);
  const { page } = window;
  await page.getByText('No differential privacy').waitFor();
  await page.getByRole('link', { name: 'Without noise' }).click();
  await page.getByText('the sums are exact, and no ρ accounts for them').waitFor();
  await page.getByText('5 parameters, encrypted: only the model owner sees them').waitFor();
  await page.getByRole('button', { name: 'Approve…' }).click();
  await page.getByText('Without differential privacy: the sums are exact.').waitFor();
  await page.keyboard.press('Escape');
  const stopped = await fetch(`${stage.modelOwner.url}/models/${id}`, { method: 'DELETE' });
  assert.equal(stopped.status, 204);
  await page.locator('.title', { hasText: 'over' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Approve…' }).count(), 0);
});

test('a decision that comes too late is told in words, and Escape decides nothing', async () => {
  const id = await asking('Late');
  await using window = await open();
  const { page } = window;
  await page.getByRole('link', { name: 'Look at it and decide' }).click();
  await page.getByRole('button', { name: 'Approve…' }).click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Refuse…' }).click();
  // Somebody else has refused in between, which the page does not know yet.
  await page.route(
    '**/consent',
    async (route) => {
      await owner.dataOwner.decide(id, { decision: 'approve' });
      await until('it is ready', () => jobAt(id)?.status === 'ready', patience);
      await route.continue();
    },
    { times: 1 },
  );
  await page.getByRole('dialog').getByRole('button', { name: 'Refuse', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'was approved by a person' }).waitFor();
  assert.equal((await over(stage.modelOwner, id)).status, 'finished');
});

test('the ledger is shown: what is spent and left of each account, charge by charge, and as a curve', async () => {
  await using window = await open();
  const { page } = window;
  await page.getByRole('link', { name: 'Ledger' }).click();
  await heading(page, 'Ledger');
  const row = page.getByRole('row').filter({ hasText: 'owner-1.csv' }).first();
  await row.waitFor();
  const cells = await row.getByRole('cell').allInnerTexts();
  const charged = await owner.ledgerStore.entries();
  assert.deepEqual(cells.slice(0, 4), ['owner-1.csv', 'record', String(charged.length), '0']);
  await page.getByRole('img', { name: new RegExp(`ρ spent from .* over ${charged.length} charges`) }).waitFor();
  await page.locator('.chart canvas').waitFor();
  const charges = await page.getByRole('region', { name: 'Charges' }).getByRole('row').count();
  assert.equal(charges, charged.length + 1);
  await page.getByLabel('Account').selectOption({ label: 'owner-1.csv, for one owner' });
  await page.getByText('Nothing was charged to it.').waitFor();
});

test('the columns of a data set are summarised, and what is asked goes to its owner alone', async () => {
  await using window = await open();
  const { page } = window;
  await page.getByRole('link', { name: 'Data sets' }).click();
  await page.getByRole('link', { name: 'owner-1.csv' }).click();
  await heading(page, 'owner-1.csv');
  await page.getByText(`30 records, ${sample.header.split(',').length} columns`).waitFor();
  for (const name of sample.header.split(','))
    await page.getByRole('heading', { level: 2, name, exact: true }).waitFor();
  await page.getByLabel('The first line holds the names').uncheck();
  await page.getByText('31 records').waitFor();
});

test('every page: nothing for axe, nothing beyond its sides, and as it is kept; in light, in the dark and on a phone', async () => {
  const id = await asking('To look at');
  for (const [view, options] of Object.entries(views)) {
    await using window = await open(options, owner, (page) => freeze(page, [id]));
    const { page } = window;
    await page.getByRole('link', { name: 'To look at' }).waitFor();
    const look = async (where: string): Promise<void> => {
      await assertAccessible(page, `${where}, ${view}`);
      await assertFits(page, `${where}, ${view}`);
    };
    await look('jobs');
    await page.getByRole('link', { name: 'To look at' }).click();
    await page.getByRole('heading', { name: 'Privacy' }).waitFor();
    await look('a job that waits');
    // What one decides about is longer than any window.
    await assertLooksAsKept(page, `data-owner-request-${view}`, { fullPage: view === 'light' });
    for (const decision of ['Approve…', 'Refuse…']) {
      await page.getByRole('button', { name: decision }).click();
      await page.getByRole('dialog').waitFor();
      await look(decision);
      await page.keyboard.press('Escape');
    }
    await page.getByRole('link', { name: 'Jobs' }).first().click();
    const past = owner.dataOwner.jobs()[0]?.job ?? '';
    await page.getByRole('link', { name: past }).click();
    await page.getByText('acknowledged').waitFor();
    await look('a job that is over');
    await page.getByRole('link', { name: 'Ledger' }).click();
    await page.locator('.chart canvas').waitFor();
    await look('the ledger');
    await page.getByRole('link', { name: 'Data sets' }).click();
    await page.getByRole('link', { name: 'owner-1.csv' }).waitFor();
    await look('the data sets');
    await page.getByRole('link', { name: 'owner-1.csv' }).click();
    await page.getByText('30 records').waitFor();
    await look('a data set');
    await assertLooksAsKept(page, `data-owner-dataset-${view}`);
  }
  await owner.dataOwner.decide(id, { decision: 'refuse' });
  await over(stage.modelOwner, id);
});

test('ten thousand rounds: some dozens of them are on the page, and all of them within reach', async () => {
  const job = jobIdSchema.parse(owner.dataOwner.jobs()[0]?.job);
  const count = 10_000;
  await owner.database.write(async ({ rows }) => {
    const charge = await rows.selectFrom('ledger').selectAll().where('job', '=', job).executeTakeFirstOrThrow();
    const given = await rows
      .selectFrom('owned_contributions')
      .selectAll()
      .where('job', '=', job)
      .orderBy('round', 'desc')
      .executeTakeFirstOrThrow();
    const signed = fromJson(given.receipt_json ?? assert.fail('there is no receipt'));
    for (let first = given.round + 1; first <= count; first += 500) {
      const numbers = Array.from({ length: Math.min(500, count + 1 - first) }, (_, index) => first + index);
      await rows
        .insertInto('ledger')
        .values(
          numbers.map((round) => ({ ...charge, round, position: 1000 + round, rho_denominator: String(10n ** 9n) })),
        )
        .execute();
      await rows
        .insertInto('owned_contributions')
        .values(
          numbers.map((round) => ({
            ...given,
            round,
            receipt_json: toJson({ ...signed, receipt: { ...signed.receipt, round } }),
          })),
        )
        .execute();
    }
  });
  await using window = await open();
  const { page } = window;
  const elements = (): Promise<number> => page.evaluate<number>('document.querySelectorAll("*").length');
  await page.getByRole('link', { name: job }).click();
  await page.getByText('10,000 contributions were acknowledged').waitFor();
  assert.ok((await elements()) < 1500, `${await elements()} elements`);
  const rounds = page.getByRole('region', { name: 'Rounds contributed to' });
  assert.equal(await rounds.getByRole('row').count(), 21);
  await page.getByRole('button', { name: 'Older' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('21 to 40 of 10,000').waitFor();
  await rounds.getByRole('cell', { name: '9,980', exact: true }).waitFor();
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Older');
  await page.getByRole('link', { name: 'Ledger' }).click();
  const charges = (await owner.ledgerStore.entries()).length;
  await page.getByText(`1 to 50 of ${charges.toLocaleString('en-GB')}`).waitFor();
  await page.getByRole('img', { name: /^ρ spent, charge after charge: ρ spent from .* charges/ }).waitFor();
  assert.ok((await elements()) < 1500, `${await elements()} elements`);
});

runInChromium(subject, test);

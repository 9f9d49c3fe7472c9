/** Signing in to each party's dashboard with a real browser: the link, the session, what a browser is forbidden, the line. */
import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import type { Dashboard } from '../../src/http/dashboard/serve.ts';
import { type Consortium, startConsortium } from '../end-to-end/parties.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import { createTestClock } from '../support/clock.ts';
import { createTestDashboard, linkOf } from './dashboards.ts';
import { assertAccessible, assertFits, openWindow, views } from './window.ts';

const subject = 'the frame of a dashboard';
const test = suite(subject);

let browser: Browser;
let stage: Consortium;
const dashboards = new Map<string, Dashboard>();
/** By which sessions end. */
const clock = createTestClock();

test.before(async () => {
  browser = await launchChromium();
  stage = await startConsortium({
    data: ['x,y\n1,2\n', 'x,y\n1,2\n'],
    dashboardOf: (party) => {
      const dashboard = createTestDashboard(party, clock);
      dashboards.set(party.name, dashboard);
      return dashboard;
    },
  });
});

test.after(async () => {
  await browser.close();
  await stage[Symbol.asyncDispose]();
});

/** Every party with where it listens. */
const parties = (): readonly (readonly [name: string, url: string])[] => [
  ['facilitator', stage.facilitator.url],
  ['model-owner', stage.modelOwner.url],
  ['owner-1', stage.owners[0]?.url ?? ''],
];

function dashboardOf(name: string): Dashboard {
  const dashboard = dashboards.get(name);
  assert.ok(dashboard !== undefined);
  return dashboard;
}

test('each party signs its people in by its link, says whose page it is, and asks nobody else anything', async () => {
  for (const [name, url] of parties()) {
    await using window = await openWindow(browser, linkOf(dashboardOf(name), url));
    const { page } = window;
    await page.getByRole('navigation').waitFor();
    await page.locator('header', { hasText: name }).waitFor();
    // The token is neither in the address nor in the history.
    assert.doesNotMatch(page.url(), /login/);
    const [cookie] = await window.context.cookies();
    assert.deepEqual([cookie?.name, cookie?.httpOnly, cookie?.sameSite], [`sealsum-${name}`, true, 'Strict']);
    await page.reload();
    await page.getByRole('navigation').waitFor();
  }
});

test('a link that was used signs nobody in; whoever is signed in stays so', async () => {
  const link = linkOf(dashboardOf('model-owner'), stage.modelOwner.url);
  await using first = await openWindow(browser, link);
  await first.page.getByRole('navigation').waitFor();
  await using second = await openWindow(browser, link);
  await second.page.getByRole('alert').waitFor();
  assert.match(await second.page.getByRole('alert').innerText(), /used before/);
  await assertAccessible(second.page, 'signed out');
  const again = await first.context.newPage();
  await again.goto(link);
  await again.getByRole('navigation').waitFor();
  // A newer link in the window that was refused.
  await second.page.goto(linkOf(dashboardOf('model-owner'), stage.modelOwner.url));
  await second.page.getByRole('navigation').waitFor();
});

test('a forged cookie is none', async () => {
  const url = stage.facilitator.url;
  await using window = await openWindow(browser, `${url}/ui/`);
  await window.page.getByRole('heading', { name: 'Nobody is signed in' }).waitFor();
  // Signed, but with another secret.
  const { sessions } = createTestDashboard(stage.cast.facilitator);
  const { cookie: value } = sessions.redeem(sessions.issueToken());
  await window.context.addCookies([{ name: 'sealsum-facilitator', value, url }]);
  await window.page.reload();
  await window.page.getByRole('heading', { name: 'Nobody is signed in' }).waitFor();
});

test('a session that ends is over in every window of it, which say so by themselves', async () => {
  const link = (): string => linkOf(dashboardOf('facilitator'), stage.facilitator.url);
  const isOver = async (page: Page): Promise<void> => {
    await page.getByRole('heading', { name: 'Nobody is signed in' }).waitFor();
    await page.getByRole('alert').filter({ hasText: 'The session is over' }).waitFor();
  };
  await using window = await openWindow(browser, link());
  const { page } = window;
  await page.getByRole('navigation').waitFor();
  const other = await window.context.newPage();
  await other.goto(`${stage.facilitator.url}/ui/`);
  await other.getByRole('navigation').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Nobody is signed in' }).waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  await isOver(other);
  await page.goto(link());
  await page.getByRole('navigation').waitFor();
  clock.advance(12 * 3_600_000);
  await isOver(page);
});

test('it is of use with the keyboard alone, and on a phone nothing is beyond its sides', async () => {
  for (const [view, options] of Object.entries(views)) {
    await using window = await openWindow(browser, linkOf(dashboardOf('facilitator'), stage.facilitator.url), options);
    const { page } = window;
    await page.getByRole('navigation').waitFor();
    await assertAccessible(page, view);
    await assertFits(page, view);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate('document.activeElement.tagName'), 'MAIN');
  }
});

runInChromium(subject, test);

/** A window of Chromium on a dashboard, in which nothing goes wrong unnoticed: errors, refusals of its policy, foreign requests. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

export interface Window extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong so far; looked at once more when the window is closed. */
  readonly complaints: string[];
  /** Where requests went. */
  readonly origins: Set<string>;
}

/** How pages are looked at. */
export const views: Readonly<Record<'light' | 'dark' | 'phone', BrowserContextOptions>> = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
};

/** Milliseconds within which anything must be seen: only a limit, for busy machines. */
export const patience = 20_000;

/** @param link as a party prints it; `before` is called before the page is there */
export async function openWindow(
  browser: Browser,
  link: string,
  options: BrowserContextOptions = views.light,
  before?: (page: Page) => Promise<void>,
): Promise<Window> {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const complaints: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== 'data:') origins.add(origin);
  });
  await page.exposeFunction('complain', (text: string) => complaints.push(text));
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => complain(event.violatedDirective + ' ' + event.blockedURI))",
  );
  await before?.(page);
  await page.goto(link);
  return {
    page,
    context,
    complaints,
    origins,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      assert.deepEqual(complaints, []);
      assert.deepEqual([...origins], [new URL(link).origin]);
    },
  };
}

interface Finding {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** That axe finds nothing on the page as it is shown now: no violation of WCAG 2.2 A or AA, nor of its best practices. */
export async function assertAccessible(page: Page, where: string): Promise<void> {
  // Evaluated from outside of the page, whose policy is for what the page does by itself.
  await page.evaluate(await axe);
  const found = await page.evaluate<{
    readonly violations: readonly Finding[];
    readonly passes: readonly unknown[];
  }>('axe.run(document, { resultTypes: ["violations"] })');
  assert.ok(found.passes.length > 5, `axe looked at ${where}`);
  const told = found.violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map(({ html, failureSummary = '' }) => `  ${html}\n  ${failureSummary}`).join('\n')}`,
  );
  assert.deepEqual(told, [], where);
}

/** That nothing of the page is beyond its sides. */
export async function assertFits(page: Page, where: string): Promise<void> {
  const [width, room] = await page.evaluate<[number, number]>('[document.documentElement.scrollWidth, innerWidth]');
  assert.ok(width <= room, `${where}: ${width} pixels wide, and there are ${room}`);
}

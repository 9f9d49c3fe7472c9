/** examples/browser: two people contribute by its page, and the sum is printed. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import { freePort } from '../crash/ports.ts';
import { Folder } from '../end-to-end/parties.ts';
import { startScript } from '../scripts/processes.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import { program } from '../support/program.ts';
import { startProject } from './project.ts';

const subject = 'examples/browser';
const test = suite(subject);

const patience = 90_000;

/** A page on which the first form was sent. */
async function open(browser: Browser, origin: string, owner: string, project: string): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 900, height: 1000 } })).newPage();
  page.setDefaultTimeout(patience);
  await page.goto(origin, { waitUntil: 'networkidle' });
  await identify(page, owner, project);
  await page.locator('#promise dd').first().waitFor();
  return page;
}

async function identify(page: Page, owner: string, project: string): Promise<void> {
  await page.locator('[name=name]').selectOption(owner);
  await page.locator('[name=identity]').setInputFiles(join(project, owner, 'identity.json'));
  await page.locator('[name=passphrase]').fill((await readFile(join(project, owner, 'passphrase'), 'utf8')).trim());
  await page.locator('[name=rho]').fill('1');
  await page.locator('#owner button').click();
}

async function contribute(page: Page, numbers: string): Promise<void> {
  await page.locator('[name=vector]').fill(numbers);
  await page.locator('#contribution button').click();
}

test('two owners contribute by pages, and the sum is noised', async () => {
  await using folder = await Folder.create();
  const project = join(folder.path, 'project');
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  await using facilitator = await startProject(project, [origin]);
  assert.ok(facilitator.pid > 0);
  const run = (name: string, ...input: string[]) =>
    startScript(process.execPath, [...program(`examples/browser/${name}.ts`), ...input]);
  await using served = run('serve', project, String(port));
  await served.printed(/the page is at /);
  await using sum = run('sum', project);
  await sum.printed(/waiting for owner-1 and owner-2/);

  const browser = await launchChromium();
  try {
    const [first, second] = await Promise.all(
      ['owner-1', 'owner-2'].map((owner) => open(browser, origin, owner, project)),
    );
    assert.ok(first !== undefined && second !== undefined);
    assert.match(await first.locator('#promise').innerText(), /4 numbers, shortened to the length 10/);
    await contribute(first, '1, 2 three 4');
    await first.getByText('number 3 of them is none: three').waitFor();
    await Promise.all([contribute(first, '1, 2\n3; 4'), contribute(second, '30 0 0 40')]);
    await first.getByText('acknowledged by the facilitator.').waitFor();
    await second.getByText('it was shortened, its length was 50.00').waitFor();
    const [, printed = ''] = /sum of 2: (.*)/.exec(await sum.printed(/sum of 2: .*\n/)) ?? [];
    // (1, 2, 3, 4) + (6, 0, 0, 8), σ = 10/√(2·0.5): nine times that is passed less than once in 10^17 values.
    const values = printed.split(', ').map(Number);
    for (const [index, exact] of [7, 2, 3, 12].entries())
      assert.ok(Math.abs((values[index] ?? Number.NaN) - exact) < 90 + 0.1, printed);
    // What was spent outlives the page.
    await first.reload({ waitUntil: 'networkidle' });
    await identify(first, 'owner-1', project);
    await first.locator('#ledger td').first().waitFor();
    assert.deepEqual((await first.locator('#ledger td').allInnerTexts()).slice(1, 3), ['1', '0.500']);
  } finally {
    await browser.close();
  }
});

runInChromium(subject, test);

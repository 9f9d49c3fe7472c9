/**
 * Pages as pictures, compared with those that are kept in test/ui/screenshots. UPDATE_SCREENSHOTS=1 keeps what is seen instead.
 *
 * What differs from run to run (moments, names drawn at random, durations) is replaced on its way to the page; everything else is
 * what the party says. Letters are drawn by the fonts of the machine: where these have other widths than those the kept pictures
 * were made with, nothing is compared, and that is said.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pixelmatch from 'pixelmatch';
import type { Page } from 'playwright-core';
import { PNG } from 'pngjs';

const folder = fileURLToPath(new URL('screenshots/', import.meta.url));
const isUpdating = process.env.UPDATE_SCREENSHOTS === '1';

/** The share of pixels that may differ: edges of letters and lines are drawn a little otherwise by other versions of a browser. */
const tolerance = 0.001;

/** What a job or a model is called in pictures. @param index among those whose names are frozen */
export function frozenName(index: number): string {
  return `01234567-89ab-4cde-8f01-${String(index).padStart(12, '0')}`;
}

/**
 * Replaces what differs from run to run in what the party answers; to be called before the page asks.
 *
 * @param ids of jobs or models, which have their frozen names in addresses too
 */
export async function freeze(page: Page, ids: readonly string[]): Promise<void> {
  const names = ids.map((id, index) => [id, frozenName(index)] as const);
  await page.route(/\/(models|jobs|datasets|ui\/api)(\/|\?|$)/, async (route) => {
    const asked = route.request().url();
    if (asked.endsWith('/ui/api/events')) {
      await route.continue();
      return;
    }
    const response = await route.fetch({ url: names.reduce((url, [id, name]) => url.replace(name, id), asked) });
    const text = names
      .reduce((all, [id, name]) => all.replaceAll(id, name), await response.text())
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-01-02T03:04:05.678Z')
      .replaceAll(/"((?:folding_)?seconds)":[\d.e-]+/g, '"$1":0.042')
      // With noise these are others every time, and of other widths.
      .replaceAll(/"(mse|r2|loss)":-?[\d.e+-]+/g, '"$1":0.125')
      .replaceAll(/"fingerprint":"[^"]+"/g, '"fingerprint":"an-example-of-a-fingerprint-of-a-party"')
      .replaceAll(/"digest":"[^"]+"/g, `"digest":"${'0123456789abcdef'.repeat(4)}"`);
    await route.fulfill({ response, body: text });
  });
}

/** Which letters the machine draws, as far as they are told by their widths. */
async function fontsOf(page: Page): Promise<string> {
  return page.evaluate<string>(`(() => {
    const draw = document.createElement('canvas').getContext('2d');
    return ['body', 'code, .mono, textarea'].map((selector) => {
      const like = document.querySelector(selector) ?? document.body;
      draw.font = '16px ' + getComputedStyle(like).fontFamily;
      return draw.measureText('Sphinx of black quartz, judge my vow 0123456789').width.toFixed(2);
    })[0];
  })()`);
}

/** @param name of the picture, without its ending; `fullPage` whether it shows what is below too */
export async function assertLooksAsKept(
  page: Page,
  name: string,
  { fullPage = false }: { readonly fullPage?: boolean } = {},
): Promise<void> {
  // Nothing blinks, and nothing is under the pointer.
  await page.mouse.move(0, 0);
  const bytes = await page.screenshot({ animations: 'disabled', caret: 'hide', fullPage });
  const [path, fontsPath] = [join(folder, `${name}.png`), join(folder, 'fonts.txt')];
  const fonts = await fontsOf(page);
  if (isUpdating) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, bytes);
    writeFileSync(fontsPath, `${fonts}\n`);
    return;
  }
  assert.ok(existsSync(path), `${path} is not there: UPDATE_SCREENSHOTS=1 makes it`);
  const keptFonts = readFileSync(fontsPath, 'utf8').trim();
  if (keptFonts !== fonts) {
    console.log(`${name} is not compared: the fonts of this machine are others than those of the kept pictures`);
    return;
  }
  const [kept, seen] = [PNG.sync.read(readFileSync(path)), PNG.sync.read(bytes)];
  assert.deepEqual([seen.width, seen.height], [kept.width, kept.height], `${name} has another size`);
  const difference = new PNG({ width: kept.width, height: kept.height });
  const count = pixelmatch(kept.data, seen.data, difference.data, kept.width, kept.height, { threshold: 0.2 });
  if (count <= tolerance * kept.width * kept.height) return;
  const shown = join(process.env.TMPDIR ?? '/tmp', `sealsum-${name}`);
  writeFileSync(`${shown}-seen.png`, bytes);
  writeFileSync(`${shown}-difference.png`, PNG.sync.write(difference));
  assert.fail(
    `${name} looks otherwise: ${count} pixels; see ${shown}-seen.png and ${shown}-difference.png. If that is as it should be, UPDATE_SCREENSHOTS=1 keeps it`,
  );
}

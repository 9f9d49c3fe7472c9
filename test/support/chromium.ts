/** A real browser for tests: Chromium, where the machine has one. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { suite } from 'uvu';

/** The path of a Chromium, or undefined. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** @throws where the machine has none */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('this machine has no Chromium');
  // Chromium does not sandbox its pages for root, and CI is root.
  const chromiumSandbox = process.getuid?.() !== 0;
  return chromium.launch({ executablePath, chromiumSandbox, args: ['--disable-dev-shm-usage'] });
}

/** Runs a suite that needs Chromium, or tells that it was skipped. */
export function runInChromium(name: string, test: { readonly run: () => void }): void {
  if (findChromium() !== undefined) {
    test.run();
    return;
  }
  const none = suite(name);
  none.skip('needs Chromium', () => undefined);
  none.run();
}

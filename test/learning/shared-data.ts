/** Tests on the reference data beside a checkout; where it is not there they count as skipped. */
import type { Test } from 'uvu';
import { sharedPath } from '../support/shared.ts';

/** Registers a test that needs a file of the reference data and is given its path. */
export function withData(test: Test, file: string, name: string, body: (path: string) => void | Promise<void>): void {
  const path = sharedPath(`data/${file}`);
  if (path !== undefined) {
    test(name, () => body(path));
    return;
  }
  console.log(`skipped: ${name}: no data/${file} beside this checkout`);
  test.skip(name);
}

/** Tests on vectors that lie beside the checkout; where they are missing, such a test counts as skipped. */
import type { Test } from 'uvu';
import { sharedText } from '../support/shared.ts';

/** Registers a test that is given the text of a vector file. */
export function testOn(test: Test, file: string, name: string, body: (text: string) => unknown): void {
  const text = sharedText(file);
  if (text === undefined) test.skip(name);
  else {
    test(name, async () => {
      await body(text);
    });
  }
}

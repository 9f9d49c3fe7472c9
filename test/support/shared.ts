/** Where the reference data and vectors lie beside a checkout, when they are there. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a file below the shared folder beside the checkout, or undefined where there is none. */
export function sharedPath(file: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../shared/${file}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

/** The text of such a file, or undefined; prints a `skipped:` line so that the runner can report what did not run. */
export function sharedText(file: string): string | undefined {
  const path = sharedPath(file);
  if (path === undefined) {
    console.log(`skipped: shared/${file} is not beside this checkout`);
    return undefined;
  }
  return readFileSync(path, 'utf8');
}

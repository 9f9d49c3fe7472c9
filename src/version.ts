/** The version of the package, which is also that of its interfaces. */
import { existsSync, readFileSync } from 'node:fs';

/** As package.json has it: two folders above this file when built, one when run from source. */
export const version: string = readVersion();

function readVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    const file = new URL(place, import.meta.url);
    if (existsSync(file)) return String((JSON.parse(readFileSync(file, 'utf8')) as { version: unknown }).version);
  }
  return 'unknown';
}

/** Addresses as options take them. */
import { usageError } from './program.ts';

/** The address of a party, without a slash at its end. Throws a usage error for what is none. */
export function addressIn(option: string, url: string): string {
  const base = url.replace(/\/+$/, '');
  if (/^https?:/.test(base) && URL.canParse(base)) return base;
  throw usageError(`${option} ${url}: expected a URL such as http://127.0.0.1:9090`);
}

/** Where and with what the benchmarks measure. */
import { readFileSync } from 'node:fs';
import { selectBackend } from '../../src/paillier/backend.ts';
import { machine } from '../machine.ts';

export function machineAndVersions(): Record<string, string | number> {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(new URL(`${import.meta.url.endsWith('.js') ? '../' : ''}../../package.json`, import.meta.url), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  return {
    ...machine(),
    openssl: process.versions.openssl,
    backend: selectBackend().name,
    'paillier-bigint': dependencies['paillier-bigint'] ?? 'unknown',
    'node-seal': devDependencies['node-seal'] ?? 'unknown',
  };
}

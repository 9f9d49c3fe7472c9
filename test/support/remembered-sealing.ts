/**
 * What bundles of tests and of the programs that they start have in place of src/platform/sealing.ts (scripts/bundles.ts): scrypt
 * derives every key itself, but once in a run. It takes half of the time in which a party starts, and tests start the same parties
 * again and again.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scrypt as derive, type ScryptCost } from '../../src/platform/sealing.ts';

export * from '../../src/platform/sealing.ts';

/** Written down by the bundling: a folder that goes with the bundles. */
const folder = process.env.KEYS_OF_SEALSUM;

/** As of src/platform/sealing.ts. */
export async function scrypt(
  text: string,
  salt: Uint8Array,
  cost: ScryptCost,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (folder === undefined) throw new Error('KEYS_OF_SEALSUM is missing: this is for bundles only');
  const asked = JSON.stringify([text, Buffer.from(salt).toString('hex'), cost.N, cost.r, cost.p, length]);
  const file = join(folder, createHash('sha256').update(asked).digest('hex'));
  const known = await readFile(file).catch(() => undefined);
  if (known !== undefined) return new Uint8Array(known);
  const key = await derive(text, salt, cost, length);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Others may ask for the same at the same time, in this process too.
  const part = `${file}.${randomUUID()}`;
  await writeFile(part, key, { mode: 0o600 });
  await rename(part, file);
  return key;
}

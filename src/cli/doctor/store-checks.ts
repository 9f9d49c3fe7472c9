/** Where a party keeps its state: whether it can be written, has room, opens, and is whole. */
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists, reasonOf } from '../../config/files.ts';
import type { PartyConfig } from '../../config/party-config.ts';
import { SealsumError } from '../../errors.ts';
import { freeBytesOf, leastFreeBytes } from '../../http/readiness.ts';
import { type Location, parseLocation } from '../../storage/location.ts';
import { readStore, type Snapshot } from '../../storage/store-reader.ts';
import { type Check, type Finding, ok, problem, skipped, warning } from './finding.ts';

/** Bytes below which there is still time to act. */
const niceFree = 4 * leastFreeBytes;

/** @param freeBytes that a process without special rights can still write to a folder */
export function storeChecks(
  config: PartyConfig,
  freeBytes: (folder: string) => Promise<number> = freeBytesOf,
): readonly Check[] {
  let location: Location;
  try {
    location = parseLocation(config.store);
  } catch {
    const mend = `name a file or a PostgreSQL database in ${config.file}: store = "…"`;
    return [{ name: 'store', look: () => Promise.resolve().then(() => parseLocation(config.store).name), mend }];
  }
  if (location.kind === 'memory') {
    const said = 'the store is in memory: whatever the party knows ends with its process';
    return [
      { name: 'store', look: () => Promise.resolve(warning(said, `name a file in ${config.file}: store = "…"`)) },
    ];
  }
  const look = {
    name: 'store',
    look: () => lookAtStore(config),
    mend:
      location.kind === 'postgres'
        ? 'see whether the database answers there (psql), and whether this user may use the schema'
        : 'do what is said, or restore the store from a backup',
  };
  if (location.kind === 'postgres') return [look];
  const folder = dirname(location.path);
  return [
    {
      name: 'folder',
      look: () => lookAtFolder(folder),
      mend: `give the user who runs the party the folder: chown, chmod 700`,
    },
    { name: 'disk', look: () => lookAtDisk(folder, freeBytes) },
    look,
  ];
}

async function lookAtFolder(folder: string): Promise<Omit<Finding, 'check'>> {
  const file = join(folder, `.sealsum-doctor-${randomUUID()}`);
  try {
    await writeFile(file, '', { mode: 0o600, flag: 'wx' });
  } catch (error) {
    return problem(
      `nothing can be written to ${folder}: ${reasonOf(error)}`,
      'make it, and give it to the user who runs the party',
    );
  } finally {
    await rm(file, { force: true }).catch(() => undefined);
  }
  return ok(`${folder} can be written to`);
}

async function lookAtDisk(
  folder: string,
  freeBytes: (folder: string) => Promise<number>,
): Promise<Omit<Finding, 'check'>> {
  const free = await freeBytes(folder).catch(() => undefined);
  if (free === undefined) return skipped(`nobody says how much room there is for ${folder}`);
  const said = `${Math.round(free / 2 ** 20)} MiB are free for ${folder}`;
  if (free < leastFreeBytes)
    return problem(said, `free ${leastFreeBytes / 2 ** 20} MiB at least: below that the party is not ready`);
  return free < niceFree ? warning(said, 'see what fills the disk before the party stops') : ok(said);
}

const firstStart = 'it is made when the party is started for the first time';

async function lookAtStore({ store, role, file }: PartyConfig): Promise<Omit<Finding, 'check'>> {
  const location = parseLocation(store);
  if (location.kind === 'sqlite' && !(await exists(location.path)))
    return ok(`${location.name} is not there yet; ${firstStart}`);
  try {
    return await readStore(store, (snapshot) => Promise.resolve(judgeStore(snapshot, role, file)));
  } catch (error) {
    // A schema in which there is nothing yet is where a store will be.
    if (error instanceof SealsumError && location.kind === 'postgres' && /is no store of sealsum/.test(error.message))
      return ok(`${location.name} answers and holds no store yet; ${firstStart}`);
    throw error;
  }
}

function judgeStore(
  { role, version, name, sqlite }: Snapshot,
  expected: PartyConfig['role'],
  file: string,
): Omit<Finding, 'check'> {
  if (role !== expected)
    return problem(`${name} is the store of a ${role}, not of a ${expected}`, `name another in ${file}: store = "…"`);
  const said = `${name} opens, version ${version}`;
  if (sqlite === undefined) return ok(said);
  const faults = (sqlite.pragma('quick_check(1)') as readonly { readonly quick_check: string }[]).map(
    (row) => row.quick_check,
  );
  if (faults.length === 1 && faults[0] === 'ok') return ok(`${said}, and is whole`);
  return problem(`${name} is damaged: ${faults.join('; ')}`, 'stop the party and restore its store from a backup');
}

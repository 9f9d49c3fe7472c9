/** A project as sealsum init makes it, with its facilitator running: what pages and examples begin with. */

import { rmSync } from 'node:fs';
import { appendFile, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalProject, createPartyFolder, entryFor, rosterName } from '../../src/config/project.ts';
import { createRoster, writeRoster } from '../../src/config/roster-file.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { ownerIdSchema, partyIdSchema } from '../../src/protocol/identifiers.ts';
import { freePort } from '../crash/ports.ts';
import { type RunningScript, startScript } from '../scripts/processes.ts';
import { program } from '../support/program.ts';

/** Where projects were made, by name, as they were before anybody used them: making their identities takes seconds. */
const made = new Map<string, Promise<string>>();

/** Puts a project into a folder that is not there yet. Those of one name follow one another: they have the same ports. */
async function copyOf(name: string, folder: string, make: (folder: string) => Promise<void>): Promise<void> {
  const original =
    made.get(name) ??
    mkdtemp(join(tmpdir(), 'sealsum-made-')).then(async (path) => {
      process.once('exit', () => {
        rmSync(path, { recursive: true, force: true });
      });
      await make(join(path, name));
      return join(path, name);
    });
  made.set(name, original);
  await cp(await original, folder, { recursive: true });
}

async function makeProject(folder: string): Promise<void> {
  const owners = ['owner-1', 'owner-2', 'owner-3'].map((name) => ownerIdSchema.parse(name));
  const ports = { facilitator: await freePort(), modelOwner: 0, firstOwner: 0 };
  await createLocalProject({ folder, owners, ports, passphrase: 'random' }, systemRandom);
}

/** Resolves once the facilitator listens, where the roster says. @param origins whose pages may be clients in browsers */
export async function startProject(folder: string, origins: readonly string[] = []): Promise<RunningScript> {
  await copyOf('project', folder, makeProject);
  const config = join(folder, 'facilitator', 'config.toml');
  if (origins.length > 0) await appendFile(config, `\n[browsers]\norigins = ${JSON.stringify(origins)}\n`);
  const facilitator = startScript(process.execPath, [...program('parties/facilitator/main.ts'), '--config', config]);
  await facilitator.printed(/ listens at /);
  return facilitator;
}

async function makeTree(folder: string): Promise<void> {
  const owners = Array.from({ length: 6 }, (_, index) => ownerIdSchema.parse(`owner-${index + 1}`));
  const ports = { facilitator: await freePort(), modelOwner: 0, firstOwner: 0 };
  const made = await createLocalProject({ folder, owners, ports, passphrase: 'random' }, systemRandom);
  const upstream = `\n[[upstream]]\nname = "facilitator"\nurl = "http://127.0.0.1:${ports.facilitator}"\n`;
  const entries = [...made.roster.parties];
  for (const leaf of ['north', 'south']) {
    const port = await freePort();
    const party = { name: partyIdSchema.parse(leaf), role: 'facilitator', port, passphrase: 'random' } as const;
    const { identity, config } = await createPartyFolder(folder, party, systemRandom);
    await appendFile(config, upstream);
    entries.push(entryFor(identity, `http://127.0.0.1:${port}`));
  }
  await writeRoster(join(folder, rosterName), createRoster(entries), { replace: true });
  for (const { identity, config } of made.parties)
    if (identity.role !== 'facilitator') await appendFile(config, '\n[facilitator]\nname = "facilitator"\n');
}

/** The same with six owners, and two facilitators below the first one. */
export async function startTree(folder: string): Promise<readonly RunningScript[]> {
  await copyOf('tree', folder, makeTree);
  const running: RunningScript[] = [];
  for (const name of ['facilitator', 'north', 'south']) {
    const config = join(folder, name, 'config.toml');
    const script = startScript(process.execPath, [...program('parties/facilitator/main.ts'), '--config', config]);
    running.push(script);
    await script.printed(/ listens at /);
  }
  return running;
}

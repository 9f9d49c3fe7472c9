/** A project as sealsum init makes it, with its facilitator running: what pages and examples begin with. */

import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLocalProject, createPartyFolder, entryFor, rosterName } from '../../src/config/project.ts';
import { createRoster, writeRoster } from '../../src/config/roster-file.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { ownerIdSchema, partyIdSchema } from '../../src/protocol/identifiers.ts';
import { freePort } from '../crash/ports.ts';
import { type RunningScript, startScript } from '../scripts/processes.ts';
import { program } from '../support/program.ts';

/** Resolves once the facilitator listens, where the roster says. @param origins whose pages may be clients in browsers */
export async function startProject(folder: string, origins: readonly string[] = []): Promise<RunningScript> {
  const owners = ['owner-1', 'owner-2', 'owner-3'].map((name) => ownerIdSchema.parse(name));
  const ports = { facilitator: await freePort(), modelOwner: 0, firstOwner: 0 };
  await createLocalProject({ folder, owners, ports, passphrase: 'random' }, systemRandom);
  const config = join(folder, 'facilitator', 'config.toml');
  if (origins.length > 0) await appendFile(config, `\n[browsers]\norigins = ${JSON.stringify(origins)}\n`);
  const facilitator = startScript(process.execPath, [...program('parties/facilitator/main.ts'), '--config', config]);
  await facilitator.printed(/ listens at /);
  return facilitator;
}

/** The same with six owners, and two facilitators below the first one. */
export async function startTree(folder: string): Promise<readonly RunningScript[]> {
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
  const running: RunningScript[] = [];
  for (const name of ['facilitator', 'north', 'south']) {
    const config = join(folder, name, 'config.toml');
    const script = startScript(process.execPath, [...program('parties/facilitator/main.ts'), '--config', config]);
    running.push(script);
    await script.printed(/ listens at /);
  }
  return running;
}

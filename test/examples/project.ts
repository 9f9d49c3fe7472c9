/** A project as sealsum init makes it, with its facilitator running: what pages and examples begin with. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLocalProject } from '../../src/config/project.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
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

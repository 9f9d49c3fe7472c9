/** A project as sealsum init makes it, with its facilitator running: what pages and examples begin with. */
import { join } from 'node:path';
import { createLocalProject } from '../../src/config/project.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { freePort } from '../crash/ports.ts';
import { type RunningScript, startScript } from '../scripts/processes.ts';
import { program } from '../support/program.ts';

/** Resolves once the facilitator listens, where the roster says. */
export async function startProject(folder: string): Promise<RunningScript> {
  const owners = ['owner-1', 'owner-2', 'owner-3'].map((name) => ownerIdSchema.parse(name));
  const ports = { facilitator: await freePort(), modelOwner: 0, firstOwner: 0 };
  await createLocalProject({ folder, owners, ports, passphrase: 'random' }, systemRandom);
  const config = join(folder, 'facilitator', 'config.toml');
  const facilitator = startScript(process.execPath, [...program('parties/facilitator/main.ts'), '--config', config]);
  await facilitator.printed(/ listens at /);
  return facilitator;
}

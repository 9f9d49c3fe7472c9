/** A project of a facilitator, a model owner, north and south, as sealsum init makes it, with the records of its owners. */
import { createLocalProject } from '../../src/config/project.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { dealtOut, linearSample, type Sample } from '../end-to-end/data.ts';
import { Folder } from '../end-to-end/folder.ts';
import { bundleOf } from '../support/program.ts';
import { type RunningScript, type ScriptOptions, startScript } from './processes.ts';

export interface ProjectContext {
  /** With a folder for each party. */
  folder: Folder;
}

export const sample: Sample = linearSample(30);

export const facilitator = 'scripts/run_facilitator.sh';
export const dataOwner = 'scripts/run_data_owner.sh';
export const modelOwner = 'scripts/run_model_owner.sh';

export async function enter(context: ProjectContext): Promise<void> {
  const folder = await Folder.create();
  context.folder = folder;
  const owners = ['north', 'south'].map((name) => ownerIdSchema.parse(name));
  const ports = { facilitator: 0, modelOwner: 0, firstOwner: 0 };
  await createLocalProject({ folder: folder.path, owners, ports, passphrase: 'random' }, systemRandom);
  const [first = '', second = ''] = dealtOut(sample, 2);
  await folder.write('north/data.csv', first);
  await folder.write('south/data.csv', second);
}

export async function leave({ folder }: ProjectContext): Promise<void> {
  await folder[Symbol.asyncDispose]();
}

export function configOf({ path }: Folder, party: string): string {
  return `${path}/${party}/config.toml`;
}

const mains: Readonly<Record<string, string>> = {
  [facilitator]: 'parties/facilitator/main.ts',
  [dataOwner]: 'parties/data-owner/main.ts',
  [modelOwner]: 'parties/model-owner/main.ts',
};
const scriptsStarted = new Set<string>();

/** Starts a party's script once, and from then on what it starts, bundled where the runner of the tests has done that. */
export function startParty(script: string, args: readonly string[], options?: ScriptOptions): RunningScript {
  const main = mains[script];
  const bundle = main === undefined ? undefined : bundleOf(main);
  if (bundle !== undefined && scriptsStarted.has(script))
    return startScript(process.execPath, [bundle, ...args], options);
  scriptsStarted.add(script);
  return startScript(script, args, options);
}

/** The same of a party of the project, with a store that is gone with it unless another one is named. */
export function start(script: string, folder: Folder, party: string, ...args: readonly string[]): RunningScript {
  return startParty(script, ['--config', configOf(folder, party), '--store', ':memory:', ...args]);
}

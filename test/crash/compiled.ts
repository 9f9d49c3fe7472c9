/**
 * The parties where no build of anybody else changes them while they run: bundled by the runner of the tests, which halves the time
 * in which one starts anew, or as they are delivered: compiled, in a folder of their own.
 */
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Role } from '../../src/protocol/identity.ts';
import { bundleOf, isBuilt, root } from '../support/program.ts';

const sources = ['src', 'parties'];

/** Puts them below `folder` unless they are bundled; returns the paths of their main modules. */
export async function compileParties(folder: string): Promise<Readonly<Record<Role, string>>> {
  const bundled = (role: Role): string | undefined => bundleOf(`parties/${role}/main.ts`);
  const [facilitator, owner, modelOwner] = [bundled('facilitator'), bundled('data-owner'), bundled('model-owner')];
  if (facilitator !== undefined && owner !== undefined && modelOwner !== undefined)
    return { facilitator, 'data-owner': owner, 'model-owner': modelOwner };
  const built = join(folder, 'dist');
  await mkdir(folder, { recursive: true });
  if (isBuilt()) for (const each of sources) await cp(join(root, 'dist', each), join(built, each), { recursive: true });
  else await compile(built);
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const main = (role: Role): string => join(built, 'parties', role, 'main.js');
  return { facilitator: main('facilitator'), 'data-owner': main('data-owner'), 'model-owner': main('model-owner') };
}

/** Types are checked elsewhere. */
async function compile(to: string): Promise<void> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const project = ['-p', join(root, 'tsconfig.build.json'), '--outDir', to];
  const less = ['--noCheck', '--declaration', 'false', '--isolatedDeclarations', 'false', '--sourceMap', 'false'];
  await promisify(execFile)(process.execPath, [compiler, ...project, ...less], { cwd: root });
}

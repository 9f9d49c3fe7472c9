/** The parties as they are delivered: compiled, in a folder that no build of anybody else changes while they run. */
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Role } from '../../src/protocol/identity.ts';
import { isBuilt, root } from '../support/program.ts';

const sources = ['src', 'parties'];

/** Puts them below `folder`; returns the paths of their main modules. */
export async function compileParties(folder: string): Promise<Readonly<Record<Role, string>>> {
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

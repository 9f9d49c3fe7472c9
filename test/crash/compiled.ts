/** The parties as they are delivered: compiled, in a folder that no build of anybody else changes while they run. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { copyFile, cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Role } from '../../src/protocol/identity.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
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

/** Whether the build that scripts/prepare.sh makes is there and newer than every source. */
function isBuilt(): boolean {
  const mark = join(root, 'dist', '.built');
  if (!existsSync(mark)) return false;
  const at = statSync(mark).mtimeMs;
  const files = sources.flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' }).map((path) => join(root, top, path)),
  );
  return files.every((file) => statSync(file).mtimeMs <= at);
}

/** Types are checked elsewhere. */
async function compile(to: string): Promise<void> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const project = ['-p', join(root, 'tsconfig.build.json'), '--outDir', to];
  const less = ['--noCheck', '--declaration', 'false', '--isolatedDeclarations', 'false', '--sourceMap', 'false'];
  await promisify(execFile)(process.execPath, [compiler, ...project, ...less], { cwd: root });
}

/**
 * Programs as tests start them: bundled where the runner of the tests has done that, else compiled where the build is up to date,
 * which takes a third of the time, else from their sources.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Whether the build that scripts/prepare.sh makes is there and newer than every source. */
export function isBuilt(): boolean {
  const mark = join(root, 'dist', '.built');
  if (!existsSync(mark)) return false;
  const at = statSync(mark).mtimeMs;
  const files = ['src', 'parties', 'scripts', 'examples'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' }).map((path) => join(root, top, path)),
  );
  return files.every((file) => statSync(file).mtimeMs <= at || !file.endsWith('.ts'));
}

/** The bundle that scripts/run-tests.ts has made of a program, when there is one. @param source as of `program` */
export function bundleOf(source: string): string | undefined {
  const folder = process.env.PROGRAMS_OF_SEALSUM;
  const bundle = folder === undefined ? undefined : join(folder, source.replace(/\.ts$/, '.js'));
  return bundle !== undefined && existsSync(bundle) ? bundle : undefined;
}

/** What follows `node` on the command line. @param source the path of a program's main module in this checkout */
export function program(source: string): readonly string[] {
  const bundle = bundleOf(source);
  if (bundle !== undefined) return [bundle];
  // Tests are not built.
  if (!source.startsWith('test/') && isBuilt()) return [join(root, 'dist', source.replace(/\.ts$/, '.js'))];
  return ['--import', import.meta.resolve('tsx'), join(root, source)];
}

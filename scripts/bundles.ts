/**
 * Test files, and the programs that they start, as processes load them fast: each in one file, with what several of them import in
 * files that they share. Loading some hundred modules one by one takes a process up to two seconds of a processor; making these
 * takes a few for all of them.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

export interface Bundles extends Disposable {
  /** The folder in which each has the path of its source, but for the ending. */
  readonly folder: string;
  /** The path of what a source has become. */
  of(source: string): string;
}

/** What is not JavaScript, or looks for its own files, stays where it is. */
const external = ['better-sqlite3', 'pg-native', 'swagger-ui-dist', 'esbuild', 'tsx'];

/** Packages of CommonJS ask for the modules of Node with a function that other modules have not. */
const banner = "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";

/** Whoever looks for files beside its source finds them there, and not beside the bundle. */
const ownAddresses: Plugin = {
  name: 'own addresses',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const address = JSON.stringify(pathToFileURL(path).href);
      return { loader: 'ts', contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', address) };
    });
  },
};

/**
 * @param groups paths of sources below the working directory; those of a group share what they import. The bundles lie below it
 *   too, until they are disposed of
 * @throws what esbuild says of sources that are wrong
 */
export async function bundle(groups: readonly (readonly string[])[]): Promise<Bundles> {
  mkdirSync('dist', { recursive: true });
  const folder = resolve(mkdtempSync(join('dist', 'tests-')));
  const dispose = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  const bundleGroup = (sources: readonly string[], index: number): Promise<unknown> =>
    build({
      entryPoints: [...sources],
      outdir: folder,
      outbase: '.',
      chunkNames: `shared-${index}/[name]-[hash]`,
      bundle: true,
      splitting: true,
      keepNames: true,
      sourcemap: 'linked',
      sourcesContent: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'silent',
      external,
      banner: { js: banner },
      plugins: [ownAddresses],
    });
  try {
    await Promise.all(groups.map(bundleGroup));
  } catch (error) {
    dispose();
    throw error;
  }
  return { folder, of: (source) => join(folder, source.replace(/\.ts$/, '.js')), [Symbol.dispose]: dispose };
}

/**
 * Test files, and the programs that they start, as processes load them fast: each in one file, with what several of them import in
 * files that they share. Loading some hundred modules one by one takes a process up to two seconds of a processor; making these
 * takes a few for all of them.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

export interface Bundles {
  /** The folder in which each has the path of its source, but for the ending. */
  readonly folder: string;
  /** The path of what a source has become. */
  of(source: string): string;
}

/** What is not JavaScript, or looks for its own files, stays where it is. */
const external = [
  'better-sqlite3',
  'pg-native',
  'piscina',
  'swagger-ui-dist',
  'esbuild',
  'playwright-core',
  'tsx',
  'typescript',
  'onnxruntime-web',
];

/** Packages of CommonJS ask for the modules of Node with a function that other modules have not. */
const banner =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";

/**
 * Gives every module the address that it would have by itself, as its source or compiled: it looks for files beside that. The text
 * is replaced wherever it stands, in strings too.
 */
function ownAddresses(addressOf: (source: string) => string): Plugin {
  return {
    name: 'own addresses',
    setup: (bundling) => {
      bundling.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const address = JSON.stringify(pathToFileURL(addressOf(path)).href);
        return { loader: 'ts', contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', address) };
      });
    },
  };
}

/**
 * Puts test/support/remembered-sealing.ts in the place of src/platform/sealing.ts, and says where keys are remembered. What is
 * started as it is delivered, and with SLOW=1 everything that is started, derives them each time.
 */
function rememberedKeys(folder: string): Plugin {
  const path = resolve('test/support/remembered-sealing.ts');
  return {
    name: 'remembered keys',
    setup: (bundling) => {
      bundling.initialOptions.define = { 'process.env.KEYS_OF_SEALSUM': JSON.stringify(join(folder, 'keys')) };
      bundling.onResolve({ filter: /\/platform\/sealing\.ts$/ }, ({ importer }) =>
        importer === path ? undefined : { path },
      );
    },
  };
}

export interface Sources {
  /** Test files: what they look for lies beside their sources. */
  readonly tests: readonly string[];
  /** What they start: it looks for files, package.json among them, as if it were compiled into the folder of the bundles. */
  readonly programs: readonly string[];
}

/**
 * @param sources paths below the working directory. The bundles lie below it too, until this process ends
 * @throws what esbuild says of sources that are wrong
 */
export async function bundle({ tests, programs }: Sources): Promise<Bundles> {
  mkdirSync('dist', { recursive: true });
  const folder = resolve(mkdtempSync(join('dist', 'tests-')));
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  const of = (source: string): string => join(folder, source.replace(/\.ts$/, '.js'));
  const bundleGroup = (name: string, sources: readonly string[], addressOf: (source: string) => string) =>
    build({
      entryPoints: [...sources],
      outdir: folder,
      outbase: '.',
      chunkNames: `${name}-parts/[name]-[hash]`,
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
      plugins: [rememberedKeys(folder), ownAddresses(addressOf)],
    });
  copyFileSync('package.json', join(folder, 'package.json'));
  // The entries of problems.
  symlinkSync(resolve('docs'), join(folder, 'docs'));
  // The dashboard's pages, where they are built.
  if (existsSync('dist/ui')) symlinkSync(resolve('dist/ui'), join(folder, 'ui'));
  // The native kernel, where it is built.
  if (existsSync('build')) symlinkSync(resolve('build'), join(folder, 'build'));
  await Promise.all([
    bundleGroup('test', tests, (path) => path),
    // Examples look for their data and models two folders above what they were compiled to.
    bundleGroup('program', programs, (path) => {
      const source = relative('', path);
      return source.startsWith(`examples${sep}`) ? resolve('dist', source.replace(/\.ts$/, '.js')) : of(source);
    }),
  ]);
  return { folder, of };
}

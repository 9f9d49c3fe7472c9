/** What browsers load: a module with all that it needs in one file, in which each x.ts that has an x.browser.ts beside it is that one. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const forBrowsers: Plugin = {
  name: 'for browsers',
  setup: (bundling) => {
    bundling.onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir, importer }) => {
      const instead = resolve(resolveDir, path.replace(/\.ts$/, '.browser.ts'));
      return existsSync(instead) && instead !== importer ? { path: instead } : undefined;
    });
    // Two thirds of the whole would be other languages' words for what zod refuses.
    bundling.onResolve({ filter: /\/locales\/index\.js$/ }, () => ({ path: 'locales', namespace: 'empty' }));
    bundling.onLoad({ filter: /^/, namespace: 'empty' }, () => ({ contents: 'export {};' }));
  },
};

/**
 * @param entry the path of a module's source
 * @param outfile where the bundle goes, and its source map beside it
 * @throws what esbuild says of what is wrong, such as a module of Node's that is left
 */
export async function bundleForBrowsers(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    legalComments: 'eof',
    logLevel: 'silent',
    plugins: [forBrowsers],
  });
}

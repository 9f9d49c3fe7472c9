/** Where the compiled kernel is, and how it is loaded. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Addon } from './addon.ts';

/** Where the module is: in build/ of the package, three folders above this file when run from source, four when built. */
const places: readonly string[] = ['../../../', '../../../../'].map((up) =>
  fileURLToPath(new URL(`${up}build/kernel-${process.platform}-${process.arch}.node`, import.meta.url)),
);

/** Why there is no module on a machine without a compiler: nothing that anybody has to be warned of. */
export const notBuilt = 'it is not built';

/** The module at the first of these places that has one, or why there is none. */
export function loadAddon(files: readonly string[] = places): Addon | string {
  const file = files.find((each) => existsSync(each));
  if (file === undefined) return notBuilt;
  try {
    return createRequire(import.meta.url)(file) as Addon;
  } catch (error) {
    const [line = ''] = String(error instanceof Error ? error.message : error).split('\n');
    return `it cannot be loaded: ${line}`;
  }
}

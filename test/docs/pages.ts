/** The pages that people read. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Their paths: at the top, in docs and in examples. */
export function pagesOf(root: string): string[] {
  return [
    ...readdirSync(root).map((name) => join(root, name)),
    ...['docs', 'examples'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name)),
    ),
  ].filter((path) => path.endsWith('.md') && !path.includes('node_modules'));
}

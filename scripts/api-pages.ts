/** Writes docs/api from the source. Usage: npm run docs:api */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readInterface } from './api/read-interface.ts';
import { pagesOf } from './api/write-pages.ts';

const root = process.cwd();
const folder = join(root, 'docs', 'api');
const pages = pagesOf(readInterface(root));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, text] of pages) writeFileSync(join(folder, name), text);
console.log(`docs/api: ${pages.size} pages`);

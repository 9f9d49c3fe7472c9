/** The pages for those who come from another library: their code runs, as one program for each page, and prints what they say. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { suite } from 'uvu';
import { bundleOf, root } from '../support/program.ts';
import { startProject, startTree } from './project.ts';

const run = promisify(execFile);

const test = suite('coming from other libraries');

const pages = readdirSync(join(root, 'docs')).filter((name) => name.startsWith('coming-from-') && codeOf(name) !== '');
assert.ok(pages.includes('coming-from-python-paillier.md'));

/** The code of a page's ```ts blocks, one after the other. */
function codeOf(page: string): string {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join('');
}

/** What a page says that its code prints: the comments at the end of lines, and those that are a line of their own. */
function promisedBy(code: string): string[] {
  return [...code.matchAll(/(?:^|; )\/\/ (.*)$/gm)].map(([, promise = '']) => promise);
}

/** What must run for a page's code: a facilitator, or a tree of them. */
async function startedFor(code: string, folder: string): Promise<readonly AsyncDisposable[]> {
  if (!code.includes("'project/")) return [];
  return code.includes('groups: {') ? startTree(folder) : [await startProject(folder)];
}

/** Writes a page's code as a program; returns what follows `node` on the command line. */
async function programOf(code: string, folder: string): Promise<readonly string[]> {
  const bundle = bundleOf('src/index.ts');
  const library = pathToFileURL(bundle ?? join(root, 'src', 'index.ts')).href;
  const text = code.replaceAll("'sealsum'", `'${library}'`);
  const path = join(folder, bundle === undefined ? 'page.mts' : 'page.mjs');
  await writeFile(path, bundle === undefined ? text : (await transform(text, { loader: 'ts', target: 'node20' })).code);
  return bundle === undefined ? ['--import', import.meta.resolve('tsx'), path] : [path];
}

for (const page of pages) {
  test(`${page}: its code prints what stands beside it`, async () => {
    const code = codeOf(page);
    const promised = promisedBy(code);
    assert.ok(promised.length > 0);
    const folder = await mkdtemp(join(tmpdir(), 'sealsum-page-'));
    const started = await startedFor(code, join(folder, 'project'));
    try {
      const { stdout: printed } = await run(process.execPath, await programOf(code, folder), { cwd: folder });
      assert.deepEqual(printed.trimEnd().split('\n'), promised);
    } finally {
      for (const party of started) await party[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    }
  });
}

test.run();

/** Every link between the pages of this repository leads somewhere: to a file that is there, and to a heading or anchor that it has. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { suite } from 'uvu';
import { root } from '../support/program.ts';
import { pagesOf } from './pages.ts';

const test = suite('links');

const pages = pagesOf(root);

/** A page without what is code in it. */
function proseOf(path: string): string {
  return readFileSync(path, 'utf8').replaceAll(/^```.*?^```/gms, '');
}

/** What may follow # in a link to a page: its headings as GitHub makes anchors of them, and anchors of its own. */
function anchorsOf(path: string): Set<string> {
  const prose = proseOf(path);
  const seen = new Map<string, number>();
  const headings = [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = anchorOf(heading);
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  const own = [...prose.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id);
  return new Set([...headings, ...own]);
}

function anchorOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

test('there are pages', () => {
  assert.ok(pages.length > 20);
});

for (const page of pages)
  test(relative(root, page), () => {
    const broken = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : resolve(dirname(page), path);
      if (!existsSync(target)) return [`${link}: no such file`];
      return anchor === undefined || !target.endsWith('.md') || anchorsOf(target).has(anchor)
        ? []
        : [`${link}: no such heading`];
    });
    assert.deepEqual(broken, []);
  });

test.run();

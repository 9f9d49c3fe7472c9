/** docs/protocol.md: its examples are what the code computes, and what it says of routes, kinds and problems is what the code has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { root } from '../support/program.ts';
import { pageVectors, writeVector } from './page-vectors.ts';

const test = suite('the protocol page');

const page = readFileSync(join(root, 'docs', 'protocol.md'), 'utf8');
const blocks = new Map(
  [...page.matchAll(/<!-- vector: (\S+) -->\n```json\n(.*?)```/gs)].map(([, name, text]) => [name, text]),
);

test('every example stands on the page, and no other', () => {
  assert.deepEqual([...blocks.keys()].sort(), Object.keys(pageVectors).sort());
});

for (const [name, vector] of Object.entries(pageVectors))
  test(`${name} is what the code computes`, () => {
    assert.equal(blocks.get(name), writeVector(vector));
  });

test.run();

/** docs/protocol.md: its examples are what the code computes, and its routes and problems are those that there are. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { parseRoster, rosterDigest } from '../../src/config/roster-file.ts';
import { fromProblem } from '../../src/http/problem.ts';
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

test('the roster is one, with the digest that stands beside it', () => {
  const [, toml = ''] = /```toml\n(.*?)```/s.exec(page) ?? [];
  const roster = parseRoster(toml, 'the page');
  assert.equal(roster.parties.length, 2);
  assert.ok(page.includes(`of this one \`${rosterDigest(roster)}\``));
});

test('every route of the facilitator stands on the page', () => {
  const sources = ['job-routes.ts', 'round-routes.ts'].map((file) =>
    readFileSync(join(root, 'parties', 'facilitator', file), 'utf8'),
  );
  const routes = [...sources.join('').matchAll(/method: '([a-z]+)',\n\s+path: '([^']+)'/g)].map(
    ([, method = '', path = '']) => `${method.toUpperCase()} ${path}`,
  );
  assert.ok(routes.length > 10);
  assert.deepEqual(
    routes.filter((route) => !page.includes(`\`${route}`)),
    [],
  );
});

/** The texts of a union type in a file of src/protocol. */
function unionIn(file: string, name: string): string[] {
  const source = readFileSync(join(root, 'src', 'protocol', file), 'utf8');
  const [, union = ''] = new RegExp(`export type ${name} =([^;]*);`).exec(source) ?? [];
  return [...union.matchAll(/'([^']+)'/g)].map(([, text = '']) => text);
}

test('every kind of signed object, event and status stands on the page', () => {
  const kinds = unionIn('signed.ts', 'SignedKind');
  const events = unionIn('events.ts', 'JobEventType');
  const statuses = [...unionIn('job-messages.ts', 'OwnerStatus'), ...unionIn('job-messages.ts', 'JobOutcome')];
  assert.deepEqual([kinds.length >= 9, events.length >= 7, statuses.length >= 8], [true, true, true]);
  assert.deepEqual(
    [...kinds, ...events, ...statuses].filter((each) => !page.includes(`\`${each}\``)),
    [],
  );
});

test('every field of a message stands on the page', () => {
  const folder = join(root, 'src', 'protocol');
  const files = readdirSync(folder).filter((name) =>
    readFileSync(join(folder, name), 'utf8').includes('strictObject('),
  );
  const fields = files.flatMap((name) => {
    const source = readFileSync(join(folder, name), 'utf8');
    return [...source.matchAll(/^ +([a-z_]+): (?:z\.|optional\(|\w+Schema)/gm)].map(([, field = '']) => field);
  });
  assert.ok(fields.length > 60);
  const words = new Set(page.match(/[a-z_]+/g));
  assert.deepEqual(
    fields.filter((field) => !words.has(field)),
    [],
  );
});

test('the problems that the page names are problems', () => {
  const table = page.slice(page.indexOf('| what | codes | do |')).split('\n\n', 1)[0] ?? '';
  const codes = [...table.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, code = '']) => code);
  assert.ok(codes.length > 15);
  const isProblem = (code: string): boolean =>
    fromProblem({ type: `urn:sealsum:problem:${code}`, title: '', status: 400, detail: '' }) !== undefined;
  assert.deepEqual(
    codes.filter((code) => !isProblem(code)),
    [],
  );
});

test.run();

/**
 * docs/troubleshooting.md: an entry for each kind of refusal and no other, with messages that the code gives; and the places from
 * which people come there: the header Link, /problems of a party, `sealsum explain`.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { suite } from 'uvu';
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import { createBaseApp } from '../../src/http/base-app.ts';
import { createLog } from '../../src/http/log.ts';
import { problemResponse, problemTypes, toProblem } from '../../src/http/problem.ts';
import { describeProblem, problemEntry } from '../../src/http/problem-pages.ts';
import { program, root } from '../support/program.ts';

const test = suite('troubleshooting');
const run = promisify(execFile);

const page = readFileSync(join(root, 'docs', 'troubleshooting.md'), 'utf8');
const source = readFileSync(join(root, 'src', 'errors.ts'), 'utf8');
const union = /export type ErrorCode =([^;]*);/.exec(source)?.[1] ?? '';
const codes = [...union.matchAll(/'([a-z_]+)'/g)].map((found) => found[1] as ErrorCode);

test('every code has an entry, in the order of the codes, and nothing else has', () => {
  const headings = [...page.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
  assert.ok(codes.length > 50);
  assert.deepEqual(
    headings,
    codes.map((code) => code.replaceAll('_', '-')),
  );
  assert.deepEqual([...problemTypes].sort(), [...headings].sort());
});

for (const code of codes)
  test(`${code}: title and status are those of the problem; it says what to do`, () => {
    const entry = problemEntry(code);
    assert.ok(entry !== undefined);
    const { title, status } = toProblem(new SealsumError(code, 'x'));
    assert.deepEqual([entry.title, entry.status], [title, status]);
    assert.match(entry.text, /^Mend\. /m);
    assert.ok(entry.text.length > 100);
    // Nothing of Markdown is left in what people read.
    assert.doesNotMatch(entry.text, /\*\*|\]\(/);
  });

/** What the code may say, as patterns: its string literals and templates, with those that are put together by + as one. */
function messagesOf(file: string): RegExp[] {
  const parsed = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: RegExp[] = [];
  const visit = (node: ts.Node): void => {
    const parts = partsOf(node);
    // What has hardly any words of its own would match everything.
    if (parts !== undefined && parts.join('').length >= 8)
      found.push(
        new RegExp(`^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('.+')}$`, 's'),
      );
    if (parts === undefined || !ts.isBinaryExpression(node)) ts.forEachChild(node, visit);
  };
  visit(parsed);
  return found;
}

/** The fixed parts of a text, between which anything may stand; undefined when a node is no text. */
function partsOf(node: ts.Node): string[] | undefined {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node)) return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
  const left = partsOf(node.left);
  const right = partsOf(node.right);
  if (left === undefined || right === undefined) return undefined;
  return [...left.slice(0, -1), `${left.at(-1) ?? ''}${right[0] ?? ''}`, ...right.slice(1)];
}

test('the messages on the page are messages of the code', () => {
  const files = ['src', 'parties'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(root, top, path)),
  );
  const patterns = files.flatMap(messagesOf);
  assert.ok(patterns.length > 1000);
  const strangers = codes.filter((code) => {
    const example = problemEntry(code)?.example ?? '';
    return !patterns.some((pattern) => pattern.test(example));
  });
  assert.deepEqual(strangers, []);
  assert.ok(!patterns.some((pattern) => pattern.test('the cat sat on the mat')));
});

const app = createBaseApp({
  party: 'test',
  description: 'for a test',
  log: createLog('test', 'silent'),
  bodyLimit: 1000,
  notReady: () => Promise.resolve(undefined),
  localAccess: { covers: 'everything', token: 'a'.repeat(32), authorities: () => [], loopback: true },
});

test('a refusal leads to its entry, which is there for everybody, without a token too', async () => {
  for (const code of codes) {
    const refused = problemResponse(new SealsumError(code, 'x'));
    const target = /^<(\/problems\/[a-z-]+)>; rel="help"$/.exec(refused.headers.get('link') ?? '')?.[1];
    assert.ok(target !== undefined, code);
    const answer = await app.request(`http://localhost${target}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
    const entry = problemEntry(code);
    assert.ok(entry !== undefined);
    assert.equal(await answer.text(), describeProblem(entry));
  }
  const list = await (await app.request('http://localhost/problems')).text();
  assert.equal(list.trimEnd().split('\n').length, codes.length);
});

test('what is no kind of refusal has no entry', async () => {
  for (const path of [
    '/problems/key-lost',
    '/problems/key_invalid',
    '/problems/..%2fREADME',
    '/problems/constructor',
  ]) {
    const answer = await app.request(`http://localhost${path}`);
    assert.equal(answer.status, 404, path);
  }
});

test('sealsum explain prints an entry for a type, a URN or a code, lists them, and suggests the nearest', async () => {
  const explain = async (...args: readonly string[]): Promise<string> =>
    (await run(process.execPath, [...program('src/cli/main.ts'), 'explain', ...args])).stdout;
  const entry = problemEntry('policy-refused');
  assert.ok(entry !== undefined);
  const said = describeProblem(entry);
  assert.equal(await explain('policy-refused'), said);
  assert.equal(await explain('urn:sealsum:problem:policy-refused'), said);
  assert.deepEqual(JSON.parse(await explain('policy_refused', '--json')), { ...entry });
  assert.equal((await explain()).trimEnd().split('\n').length, codes.length);
  await assert.rejects(explain('polcy-refused'), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 2);
    assert.match(
      error.stderr ?? '',
      /^sealsum: there is no kind of refusal polcy-refused; did you mean policy-refused\?$/m,
    );
    return true;
  });
});

test('the page comes with the package', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [packed] = JSON.parse(stdout) as { files: { path: string }[] }[];
  assert.ok(packed?.files.some(({ path }) => path === 'docs/troubleshooting.md'));
  assert.ok(existsSync(join(root, 'docs', 'troubleshooting.md')));
});

test.run();

/** docs/api is what the source says of itself, and the source says enough: of every export what it is, of what throws that it does. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { suite } from 'uvu';
import { readInterface } from '../../scripts/api/read-interface.ts';
import { mayThrow } from '../../scripts/api/throwing.ts';
import { pagesOf } from '../../scripts/api/write-pages.ts';
import { root } from '../support/program.ts';

const test = suite('API reference');

const exported = readInterface(root);

test('it is about everything that src/index.ts exports', async () => {
  const values = Object.keys(await import('../../src/index.ts'));
  const names = new Set(exported.map(({ name }) => name));
  assert.deepEqual(
    values.filter((name) => !names.has(name)),
    [],
  );
  assert.ok(exported.length > values.length);
});

test('the pages are those that npm run docs:api writes', () => {
  const folder = join(root, 'docs', 'api');
  const written = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  const pages = pagesOf(exported);
  assert.deepEqual([...written.keys()].sort(), [...pages.keys()].sort());
  const stale = [...pages].filter(([name, text]) => written.get(name) !== text).map(([name]) => name);
  assert.deepEqual(stale, [], 'run npm run docs:api');
});

test('every export has a docstring', () => {
  assert.deepEqual(
    exported.filter(({ doc }) => doc.text === '').map(({ name }) => name),
    [],
  );
});

test('whatever throws says so, by @throws', () => {
  assert.deepEqual(
    exported.flatMap(({ silentThrows }) => silentThrows),
    [],
  );
});

test('what an error code is called in a docstring is one', () => {
  const errors = readFileSync(join(root, 'src', 'errors.ts'), 'utf8');
  const codes = new Set([...errors.matchAll(/\| '([a-z_]+)'/g)].map(([, code]) => code));
  // Fields have underscores too; what begins a list of codes is one.
  const first = exported.flatMap(({ name, doc }) =>
    doc.throws.flatMap((text) => {
      const code = /^SealsumError `?([a-z]+(?:_[a-z]+)+)/.exec(text)?.[1];
      return code === undefined || codes.has(code) ? [] : [`${name}: ${code}`];
    }),
  );
  assert.deepEqual(first, []);
});

test('a function throws by itself, by what it calls, and by what says so; not by what it catches or hands on', () => {
  const text = `
    function thrower() { throw new Error(); }
    /** @throws sometimes */ declare function told(): void;
    function told2() { thrower(); }
    /** @throws x */ function says() {}
    function direct() { if (Math.random() < 1) throw new Error(); }
    function byCall() { thrower(); }
    function bySaying() { says(); }
    function caught() { try { thrower(); } catch { return; } }
    function again() { try { return; } catch (error) { throw error; } }
    function handsOn() { return () => thrower(); }
    function twoAway() { told2(); }
    function calm() { Math.max(1, 2); }`;
  const file = ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true);
  const host = ts.createCompilerHost({ noLib: true });
  const program = ts.createProgram(['a.ts'], { noLib: true }, { ...host, getSourceFile: () => file });
  const checker = program.getTypeChecker();
  const throwing = file.statements.filter(
    (each) => ts.isFunctionDeclaration(each) && each.body !== undefined && mayThrow(each, checker),
  );
  assert.deepEqual(
    throwing.map((each) => (each as ts.FunctionDeclaration).name?.text),
    ['thrower', 'told2', 'direct', 'byCall', 'bySaying', 'again'],
  );
});

test.run();

/** Errors on the wire: each code there and back, and nothing of an error that was not thrown on purpose. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { suite } from 'uvu';
import { z } from 'zod';
import { type ErrorCode, SealsumError } from '../../src/errors.ts';
import {
  fromProblem,
  invalidMessage,
  type Problem,
  parseMessage,
  problemSchema,
  toProblem,
} from '../../src/http/problem.ts';

const test = suite('problem details');

/** All codes, read where the type names them: at run time there is no list. */
const source = readFileSync(new URL('../../src/errors.ts', import.meta.url), 'utf8');
const union = /export type ErrorCode =([^;]*);/.exec(source)?.[1] ?? '';
const codes = [...union.matchAll(/'([a-z_]+)'/g)].map((found) => found[1] as ErrorCode);

/** Through JSON, as on the wire. */
const travelled = (problem: Problem): unknown => JSON.parse(JSON.stringify(problem));

test('every code goes there and back, under a type and a title of its own', () => {
  assert.ok(codes.length > 30);
  const types = new Set<string>();
  const titles = new Set<string>();
  for (const code of codes) {
    const error = new SealsumError(code, `what ${code} says`, { field: 'a.b[0]', line: 7, cause: new Error('hidden') });
    const problem = toProblem(error);
    assert.deepEqual(Object.keys(problem), ['type', 'title', 'status', 'detail', 'field', 'line']);
    assert.ok(problem.status >= 400 && problem.status < 600 && Number.isInteger(problem.status), code);
    types.add(problem.type);
    titles.add(problem.title);
    const back = fromProblem(travelled(problem));
    assert.ok(back instanceof SealsumError, code);
    assert.deepEqual([back.code, back.message, back.field, back.line], [code, error.message, 'a.b[0]', 7]);
    assert.equal(back.cause, undefined);
  }
  assert.equal(types.size, codes.length);
  assert.equal(titles.size, codes.length);
});

test('whatever a message says comes back as it was; without field and line there are none', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...codes),
      fc.string({ unit: 'binary' }),
      fc.option(fc.string(), { nil: undefined }),
      fc.option(fc.nat(), { nil: undefined }),
      (code, message, field, line) => {
        const error = new SealsumError(code, message, {
          ...(field === undefined ? {} : { field }),
          ...(line === undefined ? {} : { line }),
        });
        const back = fromProblem(travelled(toProblem(error)));
        assert.deepEqual([back?.code, back?.message, back?.field, back?.line], [code, message, field, line]);
      },
    ),
  );
});

test('what was not thrown on purpose says nothing about itself', () => {
  const secret = 'secret-4711';
  const strangers: readonly unknown[] = [
    new Error(secret),
    new TypeError(secret, { cause: new SealsumError('job_unknown', secret) }),
    Object.assign(new Error(secret), { code: 'job_unknown', field: secret, line: 3 }),
    { name: 'SealsumError', code: 'job_unknown', message: secret, field: secret, line: 1 },
    secret,
    [secret],
    null,
    undefined,
    4711,
  ];
  for (const stranger of strangers)
    assert.deepEqual(toProblem(stranger), {
      type: 'urn:sealsum:problem:internal',
      title: 'Something went wrong here',
      status: 500,
      detail: 'an unexpected error; see the log',
    });
});

test('the cause of an error stays here', () => {
  const error = new SealsumError('internal', 'told', { cause: new Error('secret-4711') });
  assert.ok(!JSON.stringify(toProblem(error)).includes('4711'));
});

test('what is no problem of ours is none', () => {
  const good = toProblem(new SealsumError('job_unknown', 'there is no job x'));
  assert.equal(fromProblem(good)?.code, 'job_unknown');
  assert.equal(fromProblem({ ...good, instance: '/jobs/x', extra: [1] })?.code, 'job_unknown');
  const others: readonly unknown[] = [
    undefined,
    null,
    'urn:sealsum:problem:job-unknown',
    [],
    {},
    { ...good, type: 'about:blank' },
    { ...good, type: 'urn:sealsum:problem:' },
    { ...good, type: 'urn:sealsum:problem:job-lost' },
    { ...good, type: 'urn:sealsum:problem:constructor' },
    { ...good, type: 'urn:sealsum:problem:--proto--' },
    { ...good, type: 'urn:sealsum:problem:hasOwnProperty' },
    { ...good, type: ' urn:sealsum:problem:job-unknown' },
    { ...good, type: 7 },
    { ...good, status: '404' },
    { ...good, detail: undefined },
    { ...good, line: 1.5 },
  ];
  for (const other of others) assert.equal(fromProblem(other), undefined, JSON.stringify(other));
});

test('the schema takes what is written and does not ask for what may be left out', () => {
  const whole = toProblem(new SealsumError('data_invalid', 'x', { field: 'age', line: 2 }));
  const bare = toProblem(new SealsumError('internal', 'x'));
  assert.deepEqual(problemSchema.parse(whole), whole);
  assert.deepEqual(problemSchema.parse(bare), bare);
});

const schema = z.strictObject({ name: z.string(), list: z.array(z.strictObject({ size: z.number().int() })) });

test('a message that is not as expected: what it was, the first field that is wrong, what was expected', () => {
  const refusal = (value: unknown): SealsumError => {
    try {
      parseMessage(schema, value, 'the body');
    } catch (error) {
      assert.ok(error instanceof SealsumError);
      assert.equal(error.code, 'message_invalid');
      return error;
    }
    throw new Error('nothing was refused');
  };
  assert.deepEqual(parseMessage(schema, { name: 'a', list: [{ size: 1 }] }, 'the body'), {
    name: 'a',
    list: [{ size: 1 }],
  });
  const cases: readonly (readonly [unknown, string | undefined, RegExp])[] = [
    [{ name: 'a', list: [{ size: 1 }, { size: 'secret-1' }] }, 'list.1.size', /^the body: list\.1\.size: .*number/],
    [
      { name: 'a', list: [{ size: 1, colour: 'secret-2' }] },
      'list.0.colour',
      /^the body: list\.0\.colour: is not a known field$/,
    ],
    [{ list: [] }, 'name', /^the body: name: .*string/],
    ['secret-3', undefined, /^the body: .*object/],
    [null, undefined, /^the body: .*object/],
  ];
  for (const [value, field, message] of cases) {
    const error = refusal(value);
    assert.equal(error.field, field);
    assert.match(error.message, message);
    assert.ok(!error.message.includes('secret'));
  }
});

test('a name as long as its sender likes is cut', () => {
  const parsed = schema.safeParse({ name: 'a', list: [], ['x'.repeat(10_000)]: 1 });
  assert.ok(!parsed.success);
  const error = invalidMessage(parsed.error, 'the body');
  assert.equal(error.field, `${'x'.repeat(200)}…`);
  assert.ok(error.message.length < 300);
});

test.run();

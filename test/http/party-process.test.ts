/** What a party says on its standard error when it cannot start. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { runParty } from '../../src/http/party-process.ts';

const test = suite('a party as a process');

/** What is said of an error, and the exit code. */
async function complaintOf(error: Error): Promise<{ readonly lines: readonly unknown[]; readonly code: unknown }> {
  const lines: unknown[] = [];
  const { error: write } = console;
  const before = process.exitCode;
  console.error = (line: unknown) => void lines.push(line);
  try {
    await runParty('data owner', () => Promise.reject(error));
    return { lines, code: process.exitCode };
  } finally {
    console.error = write;
    process.exitCode = before;
  }
}

test('one line names the field, unless the message does', async () => {
  const cases: readonly (readonly [message: string, field: string | undefined, line: string])[] = [
    ['/a/token cannot be read', 'access_token_file', '/a/token cannot be read (see access_token_file)'],
    ['/a/nowhere.toml cannot be read', '--config', '/a/nowhere.toml cannot be read (see --config)'],
    [
      '/a/config.toml: listen.port: expected at most 65535',
      'listen.port',
      '/a/config.toml: listen.port: expected at most 65535',
    ],
    ['the port is taken', undefined, 'the port is taken'],
  ];
  for (const [message, field, line] of cases) {
    const error = new SealsumError('config_invalid', message, field === undefined ? {} : { field });
    assert.deepEqual(await complaintOf(error), { lines: [`sealsum data owner: ${line}`], code: 1 });
  }
});

test('an error that nobody expected is told with where it came from', async () => {
  const error = new TypeError('x is not a function');
  assert.deepEqual(await complaintOf(error), { lines: [`sealsum data owner: ${error.stack ?? ''}`], code: 1 });
});

test.run();

/** Dying at a named place: the right one, the right time, and really. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { killAt } from '../../src/http/checkpoint-kill.ts';

const test = suite('killing at a checkpoint');

const names = ['a.one', 'a.two'];

function deathsOf(setting: string | undefined, places: readonly string[]): number[] {
  const deaths: number[] = [];
  let reached = 0;
  const checkpoint = killAt(setting, names, () => deaths.push(reached));
  for (const place of places) {
    reached += 1;
    checkpoint(place);
  }
  return deaths;
}

test('the place and the time are those that were asked for', () => {
  const places = ['a.one', 'a.two', 'a.one', 'a.two', 'a.two'];
  assert.deepEqual(deathsOf(undefined, places), []);
  assert.deepEqual(deathsOf('', places), []);
  assert.deepEqual(deathsOf('a.one', places), [1]);
  assert.deepEqual(deathsOf('a.two', places), [2]);
  assert.deepEqual(deathsOf('a.two:1', places), [2]);
  assert.deepEqual(deathsOf('a.two:3', places), [5]);
  assert.deepEqual(deathsOf('a.two:4', places), []);
});

test('a place that there is not, and a count that is none, are refused by name', () => {
  for (const setting of ['b.one', 'a.one:0', 'a.one:', 'a.one:x', 'a.one:-1', ':1', 'a.one:1:1', ' a.one', 'a.one:1e9'])
    assert.throws(
      () => killAt(setting, names),
      (error) =>
        error instanceof SealsumError &&
        error.code === 'config_invalid' &&
        error.field === 'SEALSUM_CHECKPOINT' &&
        error.message.includes('a.one, a.two'),
      setting,
    );
});

test('the process dies as by kill -9: nothing after it is done, not even what waits for its end', async () => {
  const script = `
    import { killAt } from ${JSON.stringify(new URL('../../src/http/checkpoint-kill.ts', import.meta.url).href)};
    process.on('exit', () => console.log('exit'));
    process.on('SIGTERM', () => console.log('term'));
    const checkpoint = killAt('here:2', ['here']);
    checkpoint('here');
    console.log('alive');
    checkpoint('here');
    console.log('still alive');
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.deepEqual([code, signal, output], [null, 'SIGKILL', 'alive\n']);
});

test.run();

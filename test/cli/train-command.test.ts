import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { Folder, getJson, startConsortium } from '../end-to-end/parties.ts';
import { program } from '../support/program.ts';

const command = program('src/cli/main.ts');
const sample = linearSample(30);
const document = {
  ...sample.document,
  training: { solver: 'normal-equations' },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 10 },
};

const test = suite('sealsum train');

interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** Runs the command as a process; `during` is called once it has started and may signal it. */
function sealsum(args: readonly string[], during?: (stop: () => void) => void): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString('utf8');
    });
    child.once('close', (code) => {
      resolve({ code, output, complaint });
    });
    during?.(() => child.kill('SIGINT'));
  });
}

test('prints what GET /prediction answers', async () => {
  await using parties = await startConsortium({ data: dealtOut(sample, 2) });
  const file = await parties.folder.write('model.json', JSON.stringify(document));
  const ran = await sealsum(['train', file, '--model-owner', parties.modelOwner.url]);
  assert.equal(ran.complaint, '');
  assert.equal(ran.code, 0);
  assert.deepEqual(JSON.parse(ran.output), await getJson(`${parties.modelOwner.url}/prediction`));
});

test('--table prints the coefficients with their intervals, and nothing else does', async () => {
  await using parties = await startConsortium({ data: dealtOut(sample, 2) });
  const file = await parties.folder.write('model.json', JSON.stringify(document));
  const ran = await sealsum(['train', file, '--table', '--model-owner', parties.modelOwner.url]);
  assert.deepEqual([ran.complaint, ran.code], ['', 0]);
  assert.match(ran.output, /^column +coefficient +± standard error +95 % interval +p\nintercept .* ± .* to /);
  assert.match(ran.output, /\nresidual standard error .* on 25 degrees of freedom\n/);
  const both = await sealsum(['train', file, '--table', '--json']);
  assert.notEqual(both.code, 0);
  assert.match(both.complaint, /'--table' cannot be used with option '--json'/);
});

test('says what the model owner refuses, with the field', async () => {
  await using parties = await startConsortium({ data: dealtOut(sample, 2) });
  const file = await parties.folder.write('model.json', JSON.stringify({ ...document, training: { solver: 'guess' } }));
  const ran = await sealsum(['train', file, '--model-owner', parties.modelOwner.url]);
  assert.equal(ran.code, 1);
  assert.equal(ran.output, '');
  assert.match(ran.complaint, /^sealsum: training\.solver: expected one of normal-equations, gradient\n$/);
});

test('Ctrl-C stops the training at the model owner too', async () => {
  await using parties = await startConsortium({ data: dealtOut(sample, 2) });
  const file = await parties.folder.write(
    'model.json',
    JSON.stringify({ ...document, training: { solver: 'gradient', rounds: 100_000 } }),
  );
  const { url } = parties.modelOwner;
  const ran = await sealsum(['train', file, '--model-owner', url], (stop) => {
    void (async () => {
      for (;;) {
        const { models } = await getJson<{ models: readonly ModelView[] }>(`${url}/models`);
        if (models.some((model) => model.status === 'training')) break;
      }
      stop();
    })();
  });
  assert.equal(ran.code, 130);
  assert.match(ran.complaint, /stopped/);
  assert.deepEqual(await getJson(`${url}/models`), { models: [] });
});

test('says that there is no model owner, no file, or no JSON', async () => {
  await using folder = await Folder.create();
  const file = await folder.write('model.json', JSON.stringify(document));
  const nobody = await sealsum(['train', file, '--model-owner', 'http://127.0.0.1:9']);
  assert.deepEqual([nobody.code, nobody.output], [3, '']);
  assert.match(nobody.complaint, /^sealsum: http:\/\/127\.0\.0\.1:9 does not answer; is the model owner running\?\n$/);
  const missing = await sealsum(['train', join(folder.path, 'none.json')]);
  assert.equal(missing.code, 2);
  assert.match(missing.complaint, /cannot read .*none\.json: there is no such file/);
  const broken = await sealsum(['train', await folder.write('broken.json', '{\n  "a": 1,\n  b\n}')]);
  assert.equal(broken.code, 1);
  assert.match(broken.complaint, /broken\.json: expected JSON, and it is none from line 3, column 3 on\n$/);
});

test.run();

/** `sealsum export`, as a process beside a model owner. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import { readExportedModel } from '../../src/learning/export/exported-model.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { oneKey } from '../end-to-end/keys.ts';
import { type Consortium, Folder, startConsortium, startModelOwner, trainOver } from '../end-to-end/parties.ts';
import { document as statistics } from '../learning/statistics/setting.ts';
import { type Ran, runProgram } from '../support/run-program.ts';

interface Context {
  consortium: Consortium;
  model: string;
}

const test = suite<Context>('sealsum export');

const newKey = await oneKey();
const sample = linearSample(30);
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 600 } };

test.before(async (context) => {
  context.consortium = await startConsortium({ data: dealtOut(sample, 2), newKey });
  const { modelOwner } = context.consortium;
  await trainOver(modelOwner, { ...sample.document, ...settings });
  context.model = (await trainOver(modelOwner, { ...sample.document, ...settings, name: 'newest' })).id;
  // What is finished later and is no model does not count.
  await trainOver(modelOwner, { ...statistics, ...settings });
});

test.after(async (context) => {
  await context.consortium[Symbol.asyncDispose]();
});

function exported(consortium: Pick<Consortium, 'modelOwner'>, ...args: readonly string[]): Promise<Ran> {
  return runProgram('src/cli/main.ts', ['export', ...args, '--model-owner', consortium.modelOwner.url]);
}

test('writes what the model owner answers, for the newest model and for one by its id', async ({
  consortium,
  model,
}) => {
  const { folder } = consortium;
  for (const [format, address] of [
    ['json', 'export?format=json'],
    ['pmml', 'export?format=pmml'],
    ['onnx', 'export?format=onnx'],
    ['card', 'card'],
    ['card-json', 'card?format=json'],
  ] as const) {
    const answer = await fetch(`${consortium.modelOwner.url}/models/${model}/${address}`);
    const expected = Buffer.from(await answer.arrayBuffer());
    const path = join(folder.path, `model.${format}`);
    const ran = await exported(
      consortium,
      format === 'pmml' ? model : 'latest',
      '--format',
      format,
      '--output',
      path,
      '--json',
    );
    assert.deepEqual([ran.code, ran.errors], [0, '']);
    const sha256 = createHash('sha256').update(expected).digest('hex');
    assert.deepEqual(JSON.parse(ran.output), { model, format, file: path, bytes: expected.length, sha256 });
    assert.equal(Buffer.compare(await readFile(path), expected), 0);
  }
  assert.deepEqual(
    (await readdir(folder.path)).filter((name) => name.startsWith('.')),
    [],
  );
});

test('without --output the file is on standard output, and --format is json', async ({ consortium, model }) => {
  const ran = await exported(consortium, 'latest');
  assert.deepEqual([ran.code, ran.errors], [0, '']);
  assert.equal(readExportedModel(ran.output).document.origin.model, model);
  const told = await exported(consortium, model, '--output', join(consortium.folder.path, 'told.json'));
  assert.deepEqual([told.code, told.output], [0, '']);
  assert.match(told.errors, /^wrote .*told\.json: json of model .*, \d+ bytes, SHA-256 [0-9a-f]{64}\n$/);
});

test('says what is wrong in one line, by exit code', async ({ consortium, model }) => {
  for (const [args, code, complaint] of [
    [['none'], 1, /^sealsum: there is no model none\n$/],
    [
      [model, '--format', 'pickle'],
      2,
      /argument 'pickle' is invalid\. Allowed choices are json, pmml, onnx, card, card-json/,
    ],
    [[model, '--json'], 2, /--json goes together with --output/],
    [
      [model, '--output', join(consortium.folder.path, 'no', 'folder')],
      2,
      /cannot write .*folder: there is no such folder/,
    ],
    [[model, '--model-owner', 'ftp://127.0.0.1'], 2, /--model-owner ftp:.*: expected a URL such as http/],
    [
      [model, '--model-owner', 'http://127.0.0.1:9'],
      3,
      /http:\/\/127\.0\.0\.1:9 does not answer; is the model owner running\?/,
    ],
  ] as const) {
    // The last of two is the one that counts.
    const ran = await runProgram('src/cli/main.ts', ['export', '--model-owner', consortium.modelOwner.url, ...args]);
    assert.deepEqual([ran.code, ran.output], [code, ''], args.join(' '));
    assert.match(ran.errors, complaint);
  }
});

test('what is no model owner, or breaks off, is said in one line', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/models') {
      response.end('<html>hello</html>');
      return;
    }
    response.writeHead(200, { 'content-length': '100' });
    response.write('{', () => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const modelOwner = { url: `http://127.0.0.1:${port}` };
  try {
    for (const [model, code, complaint] of [
      ['latest', 1, /^sealsum: the answer to GET \/models: .*\n$/],
      ['some-id', 3, /^sealsum: http:\/\/127\.0\.0\.1:\d+ does not answer; is the model owner running\?\n$/],
    ] as const) {
      const ran = await runProgram('src/cli/main.ts', ['export', model, '--model-owner', modelOwner.url]);
      assert.deepEqual([ran.code, ran.output], [code, ''], model);
      assert.match(ran.errors, complaint);
    }
  } finally {
    server.close();
  }
});

test('without any finished model it says so, and shows its token where one is asked for', async ({ consortium }) => {
  const { cast, facilitator } = consortium;
  await using folder = await Folder.create();
  await using modelOwner = await startModelOwner(cast, facilitator.url, { newKey, token: 'for-its-own-people' });
  const refused = await exported({ modelOwner }, 'latest');
  assert.equal(refused.code, 1);
  const file = await folder.write('token', 'for-its-own-people\n');
  await chmod(file, 0o600);
  const ran = await exported({ modelOwner }, 'latest', '--token-file', file);
  assert.deepEqual(
    [ran.code, ran.output, ran.errors],
    [1, '', 'sealsum: no model is finished yet; see sealsum status\n'],
  );
});

test.run();

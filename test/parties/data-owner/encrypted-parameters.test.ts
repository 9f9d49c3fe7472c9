/** A data owner in a job whose parameters it does not see: what it contributes, and which rounds it refuses before they cost anything. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { compileFeatures, encodeTable } from '../../../src/learning/features.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { readTable } from '../../../src/learning/table.ts';
import { contribution, isEncrypted } from '../../../src/learning/task.ts';
import { bigintToBytes } from '../../../src/paillier/bytes.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../../src/paillier/encryptor.ts';
import { primesOf } from '../../../src/paillier/private-key.ts';
import { encryptParameters, openVector } from '../../../src/pipeline.ts';
import { encodeEncryptedParameters } from '../../../src/protocol/encrypted-parameters.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { textOf } from '../../end-to-end/data.ts';
import { parameters, sample, until, document as visible, World } from './harness.ts';
import { describe, describeRound, privateKey, publicKey, signJob, signRound } from './scripted-facilitator.ts';

const test = suite('a data owner that does not see the parameters');

const document = { ...visible, model_visibility: 'encrypted' };
const descriptor = await describe(document);
const { job } = descriptor;
const keys = createKeyChecks();
const model = parseModel(document);
const { task, plan } = termsOf(model, 3);
assert.ok(isEncrypted(task));
const bytes = await encryptParameters(task, createEncryptor(publicKey), Float64Array.from(parameters));
const good = encodeEncryptedParameters(bytes);

const round = (changes: Parameters<typeof describeRound>[3]): ReturnType<typeof signRound> =>
  signRound(describeRound(descriptor, 1, [], changes));

async function ready(world: World): Promise<void> {
  await world.live({ keys });
  world.script.propose(signJob(descriptor));
  await until('anna is ready', () => world.script.standing(job) === 'ready');
}

test('contributes what its records give at the parameters, and other bytes to the next round', async () => {
  await using world = await World.create();
  await ready(world);
  for (const number of [1, 2]) {
    world.script.openRound(signRound(describeRound(descriptor, number, [], { encrypted_parameters: good })));
    await until(`the receipt of round ${number} is kept`, async () => {
      return (await world.store().contribution(job, number))?.receipt !== undefined;
    });
    world.script.closeRound(job, number);
  }
  const [first, second] = world.script.sent.map((each) => each.bytes);
  assert.ok(first !== undefined && second !== undefined);
  assert.notDeepEqual(first, second);
  const records = encodeTable(compileFeatures(model), await readTable({ text: textOf(sample) }, model.data_props));
  const expected = contribution(task, records, Float64Array.from(parameters));
  for (const each of [first, second])
    assert.deepEqual(
      openVector(plan, createDecryptor(privateKey), each, 1, () => undefined),
      expected,
    );
  assert.deepEqual(await world.charged(), [1, 2]);
});

const width = 512;
const { n, _n2: square } = publicKey;

/** The good parameters with another number in the place of the third. */
function spoiled(value: bigint): string {
  const changed = bytes.slice();
  changed.set(bigintToBytes(value, width), 2 * width);
  return encodeEncryptedParameters(changed);
}

const refused: readonly { fault: string; changes: Parameters<typeof describeRound>[3]; reason: RegExp }[] = [
  { fault: 'a zero', changes: { encrypted_parameters: spoiled(0n) }, reason: /ciphertext 2 .*0 < c < n²/ },
  { fault: 'n²', changes: { encrypted_parameters: spoiled(square) }, reason: /ciphertext 2 .*0 < c < n²/ },
  { fault: 'a multiple of n', changes: { encrypted_parameters: spoiled(7n * n) }, reason: /ciphertext 2 .*gcd/ },
  {
    fault: 'a multiple of p',
    changes: { encrypted_parameters: spoiled(3n * primesOf(privateKey).p) },
    reason: /ciphertext 2 .*gcd/,
  },
  { fault: 'no randomness', changes: { encrypted_parameters: spoiled(1n + 5n * n) }, reason: /ciphertext 2 .*1 mod n/ },
  {
    fault: 'one too few',
    changes: { encrypted_parameters: encodeEncryptedParameters(bytes.subarray(width)) },
    reason: /encrypted_parameters: ciphertexts: expected 2560 bytes \(5 × 512\), found 2048/,
  },
  {
    fault: 'one too many',
    changes: { encrypted_parameters: encodeEncryptedParameters(Buffer.concat([bytes, bytes.subarray(0, width)])) },
    reason: /found 3072/,
  },
  { fault: 'none', changes: {}, reason: /gives no encrypted parameters/ },
  {
    fault: 'parameters in the clear beside them',
    changes: { encrypted_parameters: good, parameters: encodeParameters(parameters) },
    reason: /gives 5 parameters, the model has 0/,
  },
  {
    fault: 'parameters in the clear',
    changes: { parameters: encodeParameters(parameters) },
    reason: /gives 5 parameters, the model has 0/,
  },
  { fault: 'a clip', changes: { encrypted_parameters: good, clip: 1 }, reason: /states a clip/ },
];

for (const { fault, changes, reason } of refused)
  test(`a round with ${fault} costs nothing: the owner withdraws and says why`, async () => {
    await using world = await World.create();
    await ready(world);
    world.script.openRound(round(changes));
    await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
    assert.match(world.script.answers.at(-1)?.answer.reason ?? '', reason);
    assert.deepEqual([world.script.sent.length, await world.charged()], [0, []]);
    assert.deepEqual(await world.auditTypes(), ['job.accepted', 'job.withdrawn']);
  });

test('a job in which it sees the parameters takes none that are encrypted', async () => {
  await using world = await World.create();
  const seen = await describe(visible);
  await world.live({ keys });
  world.script.propose(signJob(seen));
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  world.script.openRound(signRound(describeRound(seen, 1, parameters, { encrypted_parameters: good })));
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.match(world.script.answers.at(-1)?.answer.reason ?? '', /encrypted parameters, and the model has none/);
  assert.deepEqual([world.script.sent.length, await world.charged()], [0, []]);
});

test.run();

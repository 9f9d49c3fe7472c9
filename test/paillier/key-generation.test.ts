import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { bitLength } from '../../src/paillier/bytes.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { greatestCommonDivisor } from '../../src/paillier/divisors.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair, type KeyPair, testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { isPrime } from '../../src/paillier/primality.ts';
import { primesOf } from '../../src/paillier/private-key.ts';
import { assertChecked } from '../../src/paillier/public-key.ts';

const test = suite('key generation');

function assertWellMade({ publicKey, privateKey }: KeyPair, bits: number): void {
  const { p, q } = primesOf(privateKey);
  assert.equal(publicKey, privateKey.publicKey);
  assertChecked(publicKey);
  assert.equal(publicKey.n, p * q);
  assert.equal(bitLength(publicKey.n), bits);
  assert.equal(bitLength(p), bits / 2);
  assert.equal(bitLength(q), bits / 2);
  assert.equal(p % 4n, 3n);
  assert.equal(q % 4n, 3n);
  assert.ok(isPrime(p) && isPrime(q));
  assert.equal(greatestCommonDivisor(p - 1n, q - 1n), 2n);
  assert.notEqual(p, q);
  if (bits >= 200) assert.ok(q - p > 1n << BigInt(bits / 2 - 100));
}

test('3072 bits by default, 2048 and other even sizes on demand', async () => {
  assertWellMade(await generateKeyPair(), 3072);
  for (const bits of [2048, 2050, 2306]) assertWellMade(await generateKeyPair({ bits }), bits);
});

test('a generated key encrypts and decrypts', async () => {
  const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
  const m = publicKey.n - 123_456_789n;
  assert.equal(createDecryptor(privateKey).decrypt(createEncryptor(publicKey).encrypt(m)), m);
});

test('every test-only size has exactly its bits, hundreds of times', async () => {
  for (const bits of [32, 34, 48, 64, 96, 128, 200, 202, 256]) {
    for (let round = 0; round < 40; round += 1) assertWellMade(await testOnlyGenerateKeyPair({ bits }), bits);
  }
});

test('refuses less than 2048 bits', async () => {
  for (const bits of [2047, 2046, 1024, 0, -2048]) {
    await assert.rejects(generateKeyPair({ bits }), {
      name: 'SealsumError',
      code: 'key_too_small',
      field: 'bits',
      message: `bits: expected at least 2048, found ${bits}`,
    });
  }
});

test('refuses sizes that cannot be', async () => {
  for (const bits of [2049, 2048.5, 16_386, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(generateKeyPair({ bits }), {
      code: 'key_invalid',
      field: 'bits',
      message: `bits: expected an even number from 32 to 16384, found ${bits}`,
    });
  }
  for (const bits of [30, 33, 0, -64]) {
    await assert.rejects(testOnlyGenerateKeyPair({ bits }), { code: 'key_invalid', field: 'bits' });
  }
});

test('stops when its signal fires: before, and while OpenSSL is looking for a prime', async () => {
  await assert.rejects(generateKeyPair({ signal: AbortSignal.abort() }), { code: 'aborted' });
  const controller = new AbortController();
  const reason = new Error('enough');
  const running = generateKeyPair({ bits: 4096, signal: controller.signal });
  setImmediate(() => {
    controller.abort(reason);
  });
  await assert.rejects(running, { code: 'aborted', message: 'key generation was aborted', cause: reason });
});

test('leaves no listener on the signal', async () => {
  const { signal } = new AbortController();
  let listening = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...parameters: Parameters<AbortSignal['addEventListener']>) => {
    listening += 1;
    add(...parameters);
  };
  signal.removeEventListener = (...parameters: Parameters<AbortSignal['removeEventListener']>) => {
    listening -= 1;
    remove(...parameters);
  };
  await testOnlyGenerateKeyPair({ bits: 64, signal });
  assert.equal(listening, 0);
});

test.run();

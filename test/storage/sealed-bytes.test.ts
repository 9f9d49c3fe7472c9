import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { systemRandom } from '../../src/paillier/random.ts';
import { openBytes, sealBytes } from '../../src/storage/sealed-bytes.ts';

const test = suite('secrets inside a database');

const key = systemRandom(32);
const refused = { code: 'identity_invalid' };

test('what is sealed opens with the same key and context, and its length is all it tells', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'grapheme' }), (plaintext, context) => {
      const sealed = sealBytes(key, plaintext, context, systemRandom);
      assert.equal(sealed.length, plaintext.length + 29);
      assert.deepEqual(openBytes(key, sealed, context), plaintext);
    }),
  );
});

test('every changed, missing or added byte is noticed', () => {
  const sealed = sealBytes(key, systemRandom(20), 'job_keys/3/secret', systemRandom);
  for (let place = 0; place < sealed.length; place += 1) {
    const forged = sealed.slice();
    forged[place] = (forged[place] ?? 0) ^ 0x80;
    assert.throws(() => openBytes(key, forged, 'job_keys/3/secret'), refused, String(place));
    assert.throws(() => openBytes(key, sealed.subarray(0, place), 'job_keys/3/secret'), refused, String(place));
  }
  assert.throws(() => openBytes(key, Uint8Array.of(...sealed, 0), 'job_keys/3/secret'), refused);
});

test('another place or another key does not open it, and the refusal names the place', () => {
  const sealed = sealBytes(key, systemRandom(20), 'job_keys/3/secret', systemRandom);
  assert.throws(() => openBytes(key, sealed, 'job_keys/4/secret'), {
    ...refused,
    message: /^the secret of job_keys\/4\/secret does not open: the store belongs to another identity/,
  });
  assert.throws(() => openBytes(systemRandom(32), sealed, 'job_keys/3/secret'), refused);
  assert.throws(() => openBytes(systemRandom(16), sealed, 'job_keys/3/secret'), refused);
  assert.throws(() => sealBytes(new Uint8Array(31), sealed, '', systemRandom), refused);
});

test('no two seals share their nonce', () => {
  const nonces = new Set(
    Array.from({ length: 1000 }, () =>
      Buffer.from(sealBytes(key, key, '', systemRandom).subarray(1, 13)).toString('hex'),
    ),
  );
  assert.equal(nonces.size, 1000);
});

test.run();

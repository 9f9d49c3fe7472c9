import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { createNumberEncryptor, formatEncryptedNumber, parseEncryptedNumber } from '../../src/cli/encrypted-number.ts';
import {
  decodeNumber,
  encodeNumber,
  exponentFactor,
  greatestMantissa,
} from '../../src/encoding/python-paillier-number.ts';
import { addPlaintext, validateCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { privateKeyFromJwk } from '../../src/paillier/private-key.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { sharedText } from '../support/shared.ts';

const test = suite('encrypted number');

const runs = process.env.SLOW === undefined ? 100 : 2000;
const { publicKey, privateKey } = await testOnlyGenerateKeyPair({ bits: 1024 });
const encryptor = createNumberEncryptor(publicKey);
const decryptor = createDecryptor(privateKey);

function decrypt({ ciphertext, exponent }: ReturnType<typeof encryptor.encrypt>): number | bigint {
  return decodeNumber({ encoding: decryptor.decrypt(ciphertext), exponent }, publicKey.n);
}

/** Numbers from 2^-60 to 2^60 with all bits of their mantissas in use, and 0. */
const everyday = fc
  .tuple(fc.maxSafeInteger(), fc.integer({ min: -113, max: 7 }))
  .map(([mantissa, exponent]) => mantissa * 2 ** exponent);

/** A double as numerator / 2^200, exactly. */
function exactly(value: number): bigint {
  const { encoding, exponent } = encodeNumber(value, publicKey.n, { maxExponent: -50 });
  assert.equal(exponent, -50);
  return encoding > publicKey.n / 2n ? encoding - publicKey.n : encoding;
}

function fromExactly(numerator: bigint, exponent: number): number {
  const encoding = numerator < 0n ? numerator + publicKey.n : numerator;
  return Number(decodeNumber({ encoding, exponent }, publicKey.n));
}

test('encrypts with an exponent of -32 or lower, and decrypts to the same double', () => {
  fc.assert(
    fc.property(everyday, (value) => {
      const encrypted = encryptor.encrypt(value);
      assert.equal(encrypted.exponent, Math.min(-32, encodeNumber(value, publicKey.n).exponent));
      assert.equal(decrypt(encrypted), value + 0);
    }),
    { numRuns: runs },
  );
});

test('sums and products are those of exact arithmetic, rounded once', () => {
  fc.assert(
    fc.property(everyday, everyday, (a, b) => {
      const [x, y] = [encryptor.encrypt(a), encryptor.encrypt(b)];
      const sum = fromExactly(exactly(a) + exactly(b), -50);
      assert.equal(decrypt(encryptor.add(x, b)), sum);
      assert.equal(decrypt(encryptor.addEncrypted(x, y)), sum);
      assert.equal(decrypt(encryptor.multiply(x, b)), fromExactly(exactly(a) * exactly(b), -100));
    }),
    { numRuns: runs },
  );
});

test('of two exponents the lower counts, and a product adds them', () => {
  const a = { ...encryptor.encrypt(3), exponent: -40 };
  const b = { ...encryptor.encrypt(5), exponent: -35 };
  assert.equal(encryptor.addEncrypted(a, b).exponent, -40);
  assert.equal(encryptor.addEncrypted(b, a).exponent, -40);
  assert.equal(encryptor.add(a, 1).exponent, -40);
  assert.equal(encryptor.add(a, 1e-40).exponent, encodeNumber(1e-40, publicKey.n).exponent);
  assert.equal(encryptor.multiply(a, 1).exponent, -53);
  // A number that came with a higher exponent leaves with -32.
  const whole = { ...encryptor.encrypt(0), exponent: 2 };
  assert.equal(encryptor.addEncrypted(whole, whole).exponent, -32);
  assert.equal(encryptor.multiply(whole, 4).exponent, -32);
});

test('results are encryptions with fresh randomness', () => {
  const x = encryptor.encrypt(1);
  const seen = [x, encryptor.encrypt(1), encryptor.add(x, 0), encryptor.add(x, 0), encryptor.multiply(x, 1)];
  assert.equal(new Set(seen.map(({ ciphertext }) => ciphertext)).size, seen.length);
  // Nobody can tell a product by 0 from other numbers: without new randomness it would be the ciphertext 1.
  const nothing = encryptor.multiply(x, 0);
  validateCiphertexts(publicKey, [nothing.ciphertext]);
  assert.equal(decrypt(nothing), 0);
});

test('exponents too far apart for the key are refused, whatever the file said', () => {
  const x = encryptor.encrypt(1);
  const far = { ...x, exponent: -600 };
  assert.ok(exponentFactor(-32, -600) > publicKey.n);
  for (const use of [
    () => encryptor.addEncrypted(x, far),
    () => encryptor.addEncrypted(far, x),
    () => encryptor.add({ ...x, exponent: 600 }, 1),
    () => encryptor.multiply({ ...x, exponent: 600 }, 1),
    () => encryptor.multiply({ ...x, exponent: -16_380 }, 1e-100),
    () => encryptor.add({ ...x, exponent: -20_000 }, 1),
    () => encryptor.addEncrypted(x, { ...x, exponent: 1e9 }),
  ]) {
    assert.throws(use, { code: 'exponent_out_of_range', field: 'exponent' });
  }
});

test('NaN and infinities are refused', () => {
  const x = encryptor.encrypt(1);
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    for (const use of [
      () => encryptor.encrypt(value),
      () => encryptor.add(x, value),
      () => encryptor.multiply(x, value),
    ]) {
      assert.throws(use, { code: 'number_not_finite' });
    }
  }
});

test('an overflow is seen when it is decrypted', () => {
  // Two numbers just below n/3 make one just below 2n/3.
  const { ciphertext } = encryptor.encrypt(0);
  const greatest = { exponent: -32, ciphertext: addPlaintext(publicKey, ciphertext, greatestMantissa(publicKey.n)) };
  assert.ok(Number(decrypt(greatest)) > 1e250);
  assert.throws(() => decrypt(encryptor.addEncrypted(greatest, greatest)), { code: 'number_out_of_bounds' });
});

test('files come back as they were written', () => {
  const number = encryptor.encrypt(-2.5);
  assert.deepEqual(parseEncryptedNumber(publicKey, JSON.parse(formatEncryptedNumber(number))), number);
});

test('refuses files that hold something else, naming the field', () => {
  const v = encryptor.encrypt(1).ciphertext.toString();
  for (const [json, message] of [
    [{ v, e: -32, r: 1 }, 'ciphertext: r: is not a known field'],
    [{ e: -32 }, 'ciphertext: v: expected the ciphertext as a decimal string'],
    [{ v: 5, e: -32 }, 'ciphertext: v: expected the ciphertext as a decimal string'],
    [{ v: `0${v}`, e: -32 }, 'ciphertext: v: expected the ciphertext in decimal digits'],
    [{ v: `-${v}`, e: -32 }, 'ciphertext: v: expected the ciphertext in decimal digits'],
    [{ v: '0x10', e: -32 }, 'ciphertext: v: expected the ciphertext in decimal digits'],
    [{ v: '', e: -32 }, 'ciphertext: v: expected the ciphertext in decimal digits'],
    [{ v: '9'.repeat(10_001), e: -32 }, 'ciphertext: v: expected the ciphertext in decimal digits'],
    [{ v }, 'ciphertext: e: expected the exponent, an integer'],
    [{ v, e: '-32' }, 'ciphertext: e: expected the exponent, an integer'],
    [{ v, e: -32.5 }, 'ciphertext: e: expected the exponent, an integer'],
  ] as const) {
    assert.throws(() => parseEncryptedNumber(publicKey, json), { code: 'message_invalid', message });
  }
  for (const json of [null, [], 'text', 7]) {
    assert.throws(() => parseEncryptedNumber(publicKey, json), { code: 'message_invalid' });
  }
  const { n, _n2: square } = publicKey;
  for (const wrong of [n, n + 1n, 1n, square, square + 5n, 7n * n]) {
    assert.throws(() => parseEncryptedNumber(publicKey, { v: wrong.toString(), e: -32 }), {
      code: 'ciphertext_invalid',
    });
  }
});

/** What this file reads of python-paillier's vectors. */
interface Vector {
  readonly v: string;
  readonly e: number;
  readonly plain: string;
}
interface VectorFile {
  readonly public: unknown;
  readonly private: object;
  readonly cases: readonly {
    readonly a: number;
    readonly b: number;
    readonly k: number;
    readonly sum: number;
    readonly a_times_k: number;
    readonly enc_a: Vector;
    readonly enc_b: Vector;
    readonly enc_sum: Vector;
    readonly enc_a_times_k: Vector;
  }[];
}

const vectors = sharedText('vectors/paillier/phe-2048.json');
const vectorTest = "reads python-paillier's keys and ciphertexts, and computes with them what it computed";
if (vectors === undefined) test.skip(vectorTest);
else
  test(vectorTest, () => {
    const file = JSON.parse(vectors) as VectorFile;
    const theirPublic = publicKeyFromJwk(file.public);
    const theirPrivate = privateKeyFromJwk(file.private);
    assert.equal(theirPrivate.publicKey.n, theirPublic.n);
    const theirDecryptor = createDecryptor(theirPrivate);
    const theirEncryptor = createNumberEncryptor(theirPublic);
    const read = ({ v, e }: Vector): ReturnType<typeof parseEncryptedNumber> =>
      parseEncryptedNumber(theirPublic, { v, e });
    const open = ({ ciphertext, exponent }: ReturnType<typeof read>): number =>
      Number(decodeNumber({ encoding: theirDecryptor.decrypt(ciphertext), exponent }, theirPublic.n));
    assert.equal(file.cases.length, 16);
    for (const each of file.cases) {
      for (const vector of [each.enc_a, each.enc_b, each.enc_sum, each.enc_a_times_k]) {
        assert.equal(theirDecryptor.decrypt(read(vector).ciphertext).toString(), vector.plain);
      }
      assert.equal(open(read(each.enc_sum)), each.sum);
      assert.equal(open(read(each.enc_a_times_k)), each.a_times_k);
      // Half of the last place that their precision of 1e-15 keeps.
      assert.ok(Math.abs(open(read(each.enc_a)) - each.a) <= 16 ** -13 / 2);
      assert.ok(Math.abs(open(read(each.enc_b)) - each.b) <= 16 ** -13 / 2);
      assert.equal(open(theirEncryptor.addEncrypted(read(each.enc_a), read(each.enc_b))), each.sum);
      assert.equal(open(theirEncryptor.multiply(read(each.enc_a), each.k)), each.a_times_k);
    }
  });

test.run();

/**
 * What other implementations computed: the numeric example of ISO/IEC 18033-6:2019, Apache Milagro's vectors, and keys,
 * ciphertexts, sums and products made by python-paillier.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { bigintBackend, opensslBackend } from '../../src/paillier/backend.ts';
import {
  addCiphertexts,
  addPlaintext,
  decodeCiphertexts,
  encodeCiphertexts,
  multiplyCiphertext,
  validateCiphertexts,
} from '../../src/paillier/ciphertexts.ts';
import { createDecryptor, decryptionFactor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import {
  primesOf,
  privateKeyFromJwk,
  privateKeyFromPrimes,
  privateKeyToJwk,
  testOnlyPrivateKeyFromPrimes,
} from '../../src/paillier/private-key.ts';
import {
  type Ciphertext,
  type PublicKey,
  powerModuloSquare,
  publicKeyFromJwk,
  publicKeyFromModulus,
  publicKeyToJwk,
  testOnlyPublicKeyFromModulus,
} from '../../src/paillier/public-key.ts';
import { backends } from './backends.ts';
import { fromBase64url } from './keys.ts';
import { testOn } from './shared-vectors.ts';

const test = suite('vectors');

/** gᵐ·rⁿ mod n², from the parts of which encryption is made here. */
function encryptWithFactor(publicKey: PublicKey, m: bigint, r: bigint, backend = opensslBackend): Ciphertext {
  return addPlaintext(publicKey, powerModuloSquare(publicKey, backend)(r, publicKey.n) as Ciphertext, m);
}

test('python-paillier: the small example of its own tests', () => {
  const privateKey = testOnlyPrivateKeyFromPrimes(293n, 433n);
  const { publicKey } = privateKey;
  assert.equal(publicKey.n, 126_869n);
  for (const backend of backends) {
    const c = encryptWithFactor(publicKey, 10_100n, 74_384n, backend);
    assert.equal(c, 935_906_717n);
    assert.equal(createDecryptor(privateKey, { backend }).decrypt(c), 10_100n);
  }
});

testOn(test, 'vectors/paillier/iso-18033-6.json', 'ISO/IEC 18033-6: the numeric example', (text) => {
  const example = JSON.parse(text) as Record<
    'p' | 'q' | 'm1' | 'm2' | 'r0' | 'r1' | 'c1' | 'c2' | 'c1c2' | 'm1m2',
    string
  >;
  const [p, q, m1, m2] = [BigInt(example.p), BigInt(example.q), BigInt(example.m1), BigInt(example.m2)];
  const [c1, c2] = [BigInt(example.c1) as Ciphertext, BigInt(example.c2) as Ciphertext];
  const privateKey = privateKeyFromPrimes(p, q);
  const { publicKey } = privateKey;
  assert.deepEqual(validateCiphertexts(publicKey, [c1, c2]), [c1, c2]);
  for (const backend of backends) {
    assert.equal(encryptWithFactor(publicKey, m1, BigInt(example.r0), backend), c1);
    assert.equal(encryptWithFactor(publicKey, m2, BigInt(example.r1), backend), c2);
    const decryptor = createDecryptor(privateKey, { backend });
    assert.equal(decryptor.decrypt(c1), m1);
    assert.equal(decryptor.decrypt(c2), m2);
    assert.equal(decryptor.decrypt(addCiphertexts(publicKey, c1, c2)), BigInt(example.m1m2));
  }
  assert.equal(addCiphertexts(publicKey, c1, c2), BigInt(example.c1c2));
});

/** The records of a Milagro file: `NAME = value,` on lines of their own, each record beginning with TEST; hexadecimal. */
function milagroRecords(text: string): ((name: string) => bigint)[] {
  return text
    .split(/^TEST = /m)
    .slice(1)
    .map((record) => {
      const fields = new Map(
        [...record.matchAll(/^(\w+) = ([0-9a-f]+),?\s*$/gm)].map(([, name, value]) => [name, value]),
      );
      return (name) => BigInt(`0x${fields.get(name) ?? assert.fail(`no field ${name}`)}`);
    });
}

/** Some of Milagro's moduli have 2047 bits, one below the floor. */
function milagroKey(n: bigint): PublicKey {
  if (n >> 2047n === 0n) assert.throws(() => publicKeyFromModulus(n), { code: 'key_too_small' });
  else assert.equal(publicKeyFromModulus(n).n, n);
  return testOnlyPublicKeyFromModulus(n);
}

testOn(test, 'vectors/paillier/milagro-keygen.txt', 'Milagro: keys', (text) => {
  const records = milagroRecords(text);
  assert.equal(records.length, 7);
  for (const field of records) {
    const privateKey = testOnlyPrivateKeyFromPrimes(field('P'), field('Q'));
    assert.equal(privateKey.publicKey.n, field('N'));
    assert.equal(privateKey.publicKey.g, field('G'));
    assert.equal(milagroKey(field('N')).g, field('G'));
    assert.equal(field('LP'), field('P') - 1n);
    assert.equal(field('LQ'), field('Q') - 1n);
    assert.equal(decryptionFactor(field('P'), field('Q')), field('MP'));
    assert.equal(decryptionFactor(field('Q'), field('P')), field('MQ'));
  }
});

testOn(test, 'vectors/paillier/milagro-encrypt.txt', 'Milagro: encryption', (text) => {
  const records = milagroRecords(text);
  assert.equal(records.length, 7);
  for (const field of records) {
    const publicKey = milagroKey(field('N'));
    assert.equal(field('RESULT'), 0n);
    assert.equal(publicKey.g, field('G'));
    for (const backend of backends) {
      assert.equal(encryptWithFactor(publicKey, field('PLAINTEXT'), field('R'), backend), field('CIPHERTEXT'));
    }
    assert.deepEqual(validateCiphertexts(publicKey, [field('CIPHERTEXT')]), [field('CIPHERTEXT')]);
  }
});

testOn(test, 'vectors/paillier/milagro-decrypt.txt', 'Milagro: decryption', (text) => {
  const records = milagroRecords(text);
  assert.equal(records.length, 7);
  for (const field of records) {
    const privateKey = testOnlyPrivateKeyFromPrimes(field('P'), field('Q'));
    assert.equal(decryptionFactor(field('P'), field('Q')), field('MP'));
    for (const backend of backends) {
      const decryptor = createDecryptor(privateKey, { backend });
      assert.equal(decryptor.decrypt(field('CIPHERTEXT') as Ciphertext), field('PLAINTEXT'));
    }
  }
});

testOn(test, 'vectors/paillier/milagro-add.txt', 'Milagro: addition', (text) => {
  const records = milagroRecords(text);
  assert.equal(records.length, 12);
  for (const field of records) {
    const publicKey = milagroKey(field('N'));
    const terms = validateCiphertexts(publicKey, [field('CIPHERTEXT1'), field('CIPHERTEXT2')]);
    assert.equal(field('RESULT'), 0n);
    assert.equal(
      terms.reduce((sum, term) => addCiphertexts(publicKey, sum, term)),
      field('CIPHERTEXT'),
    );
  }
});

testOn(test, 'vectors/paillier/milagro-mult.txt', 'Milagro: multiplication by a plaintext', (text) => {
  const records = milagroRecords(text);
  assert.equal(records.length, 7);
  for (const field of records) {
    const publicKey = milagroKey(field('N'));
    assert.equal(field('RESULT'), 0n);
    const product = multiplyCiphertext(publicKey, field('CIPHERTEXT1') as Ciphertext, field('PLAINTEXT2'));
    assert.equal(product, field('CIPHERTEXT'));
    assert.equal(
      powerModuloSquare(publicKey, bigintBackend)(field('CIPHERTEXT1'), field('PLAINTEXT2')),
      field('CIPHERTEXT'),
    );
  }
});

/** A number of python-paillier's: ciphertext, base-16 exponent, and the integer mod n inside. */
interface PheNumber {
  readonly v: string;
  readonly e: number;
  readonly plain: string;
}
interface PheVectors {
  readonly bits: number;
  readonly public: { readonly kty: string; readonly alg: string; readonly n: string };
  readonly private: { readonly kty: string; readonly p: string; readonly q: string };
  readonly cases: readonly {
    readonly a: number;
    readonly b: number;
    readonly k: number;
    readonly enc_a: PheNumber;
    readonly enc_b: PheNumber;
    readonly enc_sum: PheNumber;
    readonly enc_a_times_k: PheNumber;
    readonly sum: number;
    readonly a_times_k: number;
  }[];
}

testOn(test, 'vectors/paillier/phe-2048.json', 'python-paillier: keys as JWK, there and back', (text) => {
  const vectors = JSON.parse(text) as PheVectors;
  const publicKey = publicKeyFromJwk(vectors.public);
  const privateKey = privateKeyFromJwk({ ...vectors.private, pub: vectors.public });
  assert.equal(privateKeyFromJwk(vectors.private).publicKey.n, publicKey.n);
  assert.equal(publicKey.n, fromBase64url(vectors.public.n));
  const primes = [fromBase64url(vectors.private.p), fromBase64url(vectors.private.q)].sort((a, b) => (a < b ? -1 : 1));
  assert.deepEqual(Object.values(primesOf(privateKey)), primes);
  assert.equal(privateKey.publicKey.n, publicKey.n);
  // One of its primes is 1 mod 4, as ours never are.
  assert.deepEqual(primes.map((prime) => prime % 4n).sort(), [1n, 3n]);
  const jwk = privateKeyToJwk(privateKey);
  assert.deepEqual([jwk.p, jwk.q].sort(), [vectors.private.p, vectors.private.q].sort());
  assert.equal(publicKeyToJwk(publicKey).n, vectors.public.n);
  assert.equal(jwk.pub.n, vectors.public.n);
});

testOn(test, 'vectors/paillier/phe-2048.json', 'python-paillier: ciphertexts, sums and products', (text) => {
  const vectors = JSON.parse(text) as PheVectors;
  const privateKey = privateKeyFromJwk(vectors.private);
  const { publicKey } = privateKey;
  const { n } = publicKey;
  const decryptor = createDecryptor(privateKey);
  const encryptor = createEncryptor(publicKey);
  assert.equal(vectors.cases.length, 16);
  for (const each of vectors.cases) {
    const numbers = [each.enc_a, each.enc_b, each.enc_sum, each.enc_a_times_k];
    const ciphertexts = validateCiphertexts(
      publicKey,
      numbers.map(({ v }) => BigInt(v)),
    );
    assert.deepEqual(decodeCiphertexts(publicKey, encodeCiphertexts(publicKey, ciphertexts), 4), ciphertexts);
    for (const [index, ciphertext] of ciphertexts.entries()) {
      const plain = BigInt(numbers[index]?.plain ?? assert.fail());
      assert.equal(decryptor.decrypt(ciphertext), plain);
      assert.equal(decryptor.decrypt(encryptor.rerandomise(ciphertext)), plain);
    }
    const [a, b] = ciphertexts;
    if (a === undefined || b === undefined) assert.fail('no ciphertext');
    assert.equal(each.enc_a.e, each.enc_b.e);
    assert.equal(decryptor.decrypt(addCiphertexts(publicKey, a, b)), BigInt(each.enc_sum.plain));
    assert.equal(decryptor.decrypt(addPlaintext(publicKey, a, BigInt(each.enc_b.plain))), BigInt(each.enc_sum.plain));
    assert.equal(decryptor.decrypt(multiplyCiphertext(publicKey, a, BigInt(each.k))), BigInt(each.enc_a_times_k.plain));
    // The integer inside means what python-paillier says it means: plain·16^e, negative above n/2.
    const meaning = ({ plain, e }: PheNumber): number => {
      const integer = BigInt(plain);
      return Number(integer > n / 2n ? integer - n : integer) * 16 ** e;
    };
    // It rounded a and b to whole multiples of 16^e; the rest is the rounding of doubles.
    const near = (number: PheNumber, value: number, unitsOff: number): void => {
      const allowed = unitsOff * 16 ** number.e + Math.abs(value) * 2 ** -50;
      assert.ok(Math.abs(meaning(number) - value) <= allowed, `${meaning(number)} for ${value}`);
    };
    near(each.enc_a, each.a, 0.5);
    near(each.enc_b, each.b, 0.5);
    near(each.enc_sum, each.sum, 1);
    near(each.enc_a_times_k, each.a_times_k, Math.abs(each.k) / 2);
  }
});

test.run();

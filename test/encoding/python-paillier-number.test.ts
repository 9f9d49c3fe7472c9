import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  decodeNumber,
  decreaseExponentTo,
  type EncodedNumber,
  encodeNumber,
  exponentFactor,
  greatestMantissa,
  pythonRepresentation,
} from '../../src/encoding/python-paillier-number.ts';
import { sharedText } from '../support/shared.ts';
import { doubles, runs } from './generators.ts';

const test = suite('python-paillier number');

const modulus = 2n ** 2048n - 1n;

/** The mantissa with its sign, for comparison with what python-paillier computed. */
function mantissa({ encoding }: EncodedNumber): bigint {
  return encoding > modulus / 2n ? encoding - modulus : encoding;
}

test('encodes and prints what python-paillier encodes and prints', () => {
  // phe.EncodedNumber.encode(key, value) of python-paillier 1.5.0 at commit 7d9911e, and repr(encoded.decode()).
  const table: [number | bigint, bigint, number, string][] = [
    [0, 0n, -14, '0.0'],
    [-0, 0n, -14, '0.0'],
    [1, 4503599627370496n, -13, '1.0'],
    [-2.5, -11258999068426240n, -13, '-2.5'],
    [0.1, 7205759403792794n, -14, '0.1'],
    [5000, 5497558138880000n, -10, '5000.0'],
    [1e16, 10000000000000000n, 0, '10000000000000000'],
    [-1e-20, -13292279957849158n, -30, '-1e-20'],
    [123456.789, 8483885939586761n, -9, '123456.789'],
    [5e-324, 18014398509481984n, -282, '5e-324'],
    [2.2250738585072014e-308, 18014398509481984n, -269, '2.2250738585072014e-308'],
    [1.7976931348623157e308, 72057594037927928n, 242, String(2n ** 1024n - 2n ** 971n)],
    [3n, 3n, 0, '3'],
    [-12345678901234567890n, -12345678901234567890n, 0, '-12345678901234567890'],
  ];
  for (const [value, expected, exponent, text] of table) {
    const encoded = encodeNumber(value, modulus);
    assert.deepEqual([mantissa(encoded), encoded.exponent], [expected, exponent], `encoding of ${String(value)}`);
    assert.equal(pythonRepresentation(decodeNumber(encoded, modulus)), text);
  }
});

test('rounds to a precision as python-paillier does, ties to even', () => {
  // phe.EncodedNumber.encode(key, value, precision=precision), the same version.
  const table: [number | bigint, number, bigint, number, string][] = [
    [1.2345, 0.01, 316n, -2, '1.234375'],
    [2.5, 1, 2n, 0, '2'],
    [3.5, 1, 4n, 0, '4'],
    [-2.5, 1, -2n, 0, '-2'],
    [8, 16, 0n, 1, '0'],
    [24, 16, 2n, 1, '32'],
    [1 / 3, 1e-10, 22906492245n, -9, '0.3333333333284827'],
    [7n, 0.5, 112n, -1, '7.0'],
  ];
  for (const [value, precision, expected, exponent, text] of table) {
    const encoded = encodeNumber(value, modulus, { precision });
    assert.deepEqual([mantissa(encoded), encoded.exponent], [expected, exponent]);
    assert.equal(pythonRepresentation(decodeNumber(encoded, modulus)), text);
  }
  for (const precision of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => encodeNumber(1, modulus, { precision }), { code: 'number_out_of_bounds', field: 'precision' });
  }
});

test('agrees with python-paillier on 40,000 numbers and 20,000 products, from the smallest double to the largest', () => {
  // Made by python-paillier 1.5.0 (commit 7d9911e) under CPython 3.11:
  //
  //   key = PaillierPublicKey(2**2048 - 1)
  //   digest = hashlib.sha256()
  //   for index in range(20000):
  //       seed = hashlib.sha256(b'%d' % index).digest()
  //       a = struct.unpack('>d', seed[:8])[0]
  //       b = struct.unpack('>i', seed[8:12])[0] / 2 ** (seed[12] % 40)
  //       if not math.isfinite(a): continue
  //       for value in (a, b):
  //           encoded = EncodedNumber.encode(key, value)
  //           aligned = encoded.decrease_exponent_to(min(-32, encoded.exponent))
  //           digest.update(b'%x %d %x %s\n' % (encoded.encoding, encoded.exponent, aligned.encoding,
  //                                             repr(aligned.decode()).encode()))
  //       x, y = EncodedNumber.encode(key, a), EncodedNumber.encode(key, b)
  //       product = EncodedNumber(key, x.encoding * y.encoding % key.n, x.exponent + y.exponent)
  //       digest.update(b'%s\n' % repr(product.decode()).encode())
  //   digest.hexdigest()
  const digest = createHash('sha256');
  for (let index = 0; index < 20_000; index += 1) {
    const seed = createHash('sha256').update(String(index)).digest();
    const a = seed.readDoubleBE(0);
    const b = seed.readInt32BE(8) / 2 ** (seed.readUInt8(12) % 40);
    if (!Number.isFinite(a)) continue;
    for (const value of [a, b]) {
      const encoded = encodeNumber(value, modulus);
      const aligned = decreaseExponentTo(encoded, Math.min(-32, encoded.exponent), modulus);
      const decoded = pythonRepresentation(decodeNumber(aligned, modulus));
      digest.update(
        `${encoded.encoding.toString(16)} ${encoded.exponent} ${aligned.encoding.toString(16)} ${decoded}\n`,
      );
    }
    const x = encodeNumber(a, modulus);
    const y = encodeNumber(b, modulus);
    const product = { encoding: (x.encoding * y.encoding) % modulus, exponent: x.exponent + y.exponent };
    digest.update(`${pythonRepresentation(decodeNumber(product, modulus))}\n`);
  }
  assert.equal(digest.digest('hex'), '7bea3f5d860926e258605b3edd8cfb00df51914ad126a1ec95896d3aac8fee7e');
});

test('every double comes back, with any lower exponent too', () => {
  const roomy = 2n ** 4096n - 1n;
  fc.assert(
    fc.property(doubles, fc.integer({ min: -300, max: 250 }), ({ value }, maxExponent) => {
      const encoded = encodeNumber(value, roomy, { maxExponent });
      assert.ok(encoded.exponent <= maxExponent);
      assert.equal(Number(decodeNumber(encoded, roomy)), value + 0);
      assert.deepEqual(decreaseExponentTo(encodeNumber(value, roomy), encoded.exponent, roomy), encoded);
    }),
    { numRuns: runs },
  );
});

test('uses the third of the residues nearest 0 on either side and not one more', () => {
  const bound = greatestMantissa(modulus);
  assert.equal(bound, (2n ** 2048n - 4n) / 3n);
  assert.equal(decodeNumber({ encoding: bound, exponent: 0 }, modulus), bound);
  assert.equal(decodeNumber({ encoding: modulus - bound, exponent: 0 }, modulus), -bound);
  for (const encoding of [bound + 1n, modulus / 2n, modulus - bound - 1n]) {
    for (const use of [
      () => decodeNumber({ encoding, exponent: 0 }, modulus),
      () => decreaseExponentTo({ encoding, exponent: 0 }, -1, modulus),
    ]) {
      assert.throws(use, {
        code: 'number_out_of_bounds',
        message: /^the number lies in the range that marks an overflow/,
      });
    }
  }
  for (const value of [bound + 1n, -bound - 1n]) {
    assert.throws(() => encodeNumber(value, modulus), { code: 'number_out_of_bounds' });
  }
  assert.throws(() => decreaseExponentTo({ encoding: bound, exponent: 0 }, -1, modulus), {
    code: 'number_out_of_bounds',
  });
  for (const encoding of [-1n, modulus]) {
    assert.throws(() => decodeNumber({ encoding, exponent: 0 }, modulus), { code: 'plaintext_out_of_range' });
  }
});

test('refuses NaN, infinities and results beyond the largest float', () => {
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    assert.throws(() => encodeNumber(value, modulus), { code: 'number_not_finite' });
  }
  assert.throws(() => decodeNumber({ encoding: 1n << 1028n, exponent: -1 }, modulus), { code: 'number_out_of_bounds' });
  assert.equal(decodeNumber({ encoding: 1n << 1027n, exponent: -1 }, modulus), 2 ** 1023);
  assert.ok(Object.is(decodeNumber({ encoding: modulus - 1n, exponent: -300 }, modulus), -0));
});

test('an exponent can only go down, and not without limit', () => {
  assert.equal(exponentFactor(3, 0), 4096n);
  assert.throws(() => exponentFactor(-5, -4), {
    code: 'exponent_out_of_range',
    message: 'exponent: -4 is above -5, and it can only go down',
  });
  for (const exponent of [16_385, -16_385, 1.5, Number.NaN, Infinity]) {
    assert.throws(() => decodeNumber({ encoding: 1n, exponent }, modulus), { code: 'exponent_out_of_range' });
    assert.throws(() => exponentFactor(16_000, exponent), { code: 'exponent_out_of_range' });
  }
  for (const maxExponent of [-16_385, -20.5, Number.NaN, -Infinity]) {
    assert.throws(() => encodeNumber(1, modulus, { maxExponent }), { code: 'exponent_out_of_range' });
  }
});

test('prints floats as Python does', () => {
  const table: [number | bigint, string][] = [
    [3, '3.0'],
    [-0, '-0.0'],
    [1e15, '1000000000000000.0'],
    [9999999999999998, '9999999999999998.0'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [-1.25e-7, '-1.25e-07'],
    [123.456, '123.456'],
    [Number.NaN, 'nan'],
    [-Infinity, '-inf'],
    [Infinity, 'inf'],
    [10n ** 20n, '100000000000000000000'],
  ];
  for (const [value, text] of table) assert.equal(pythonRepresentation(value), text);
  fc.assert(
    fc.property(doubles, ({ value }) => {
      assert.equal(Number(pythonRepresentation(value)), value);
    }),
    { numRuns: runs },
  );
});

/** The fields of the vectors that this file reads. */
interface EncodedVector {
  readonly plain: string;
  readonly e: number;
}
interface VectorCase {
  readonly a: number;
  readonly b: number;
  readonly sum: number;
  readonly a_times_k: number;
  readonly enc_a: EncodedVector;
  readonly enc_b: EncodedVector;
  readonly enc_sum: EncodedVector;
  readonly enc_a_times_k: EncodedVector;
}

const vectors = sharedText('vectors/paillier/phe-2048.json');
const vectorTest = "encodes and decodes python-paillier's vectors to the last digit";
if (vectors === undefined) test.skip(vectorTest);
else
  test(vectorTest, () => {
    const { public: key, cases } = JSON.parse(vectors) as { public: { n: string }; cases: VectorCase[] };
    const n = BigInt(`0x${Buffer.from(key.n, 'base64url').toString('hex')}`);
    const decoded = ({ plain, e }: EncodedVector): number =>
      Number(decodeNumber({ encoding: BigInt(plain), exponent: e }, n));
    assert.equal(cases.length, 16);
    for (const each of cases) {
      for (const [value, { plain, e }] of [
        [each.a, each.enc_a],
        [each.b, each.enc_b],
      ] as const) {
        // They were made with precision=1e-15, or as ints.
        const encoded = e === 0 ? encodeNumber(BigInt(value), n) : encodeNumber(value, n, { precision: 1e-15 });
        assert.deepEqual(encoded, { encoding: BigInt(plain), exponent: e });
      }
      assert.equal(decoded(each.enc_sum), each.sum);
      assert.equal(decoded(each.enc_a_times_k), each.a_times_k);
    }
  });

test.run();

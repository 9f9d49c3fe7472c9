import assert from 'node:assert/strict';
import { modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  agrees,
  bigintBackend,
  type ModularBackend,
  type ModularPower,
  opensslBackend,
  preferBackend,
  selectBackend,
} from '../../src/paillier/backend.ts';
import { primesOf } from '../../src/paillier/private-key.ts';
import { randomBits, systemRandom } from '../../src/paillier/random.ts';
import { backends } from './backends.ts';
import { integers, runs, smallKeys } from './keys.ts';

const test = suite('backend');

const { p, q } = primesOf(smallKeys.privateKey);
const n = p * q;

function randomOdd(bits: number): bigint {
  return randomBits(bits, systemRandom) | (1n << BigInt(bits - 1)) | 1n;
}

/** Both backends' powers modulo one modulus, as one function that demands that they are equal. */
function bothPowers(modulus: bigint): ModularPower {
  const [native, plain] = [opensslBackend.modularPower(modulus), bigintBackend.modularPower(modulus)];
  return (base, exponent) => {
    const power = native(base, exponent);
    assert.equal(power, plain(base, exponent));
    assert.ok(power >= 0n && power < modulus);
    return power;
  };
}

/** The bases that OpenSSL treats specially, and their neighbours. */
function edgeBases(modulus: bigint): bigint[] {
  return [
    ...[
      0n,
      1n,
      2n,
      3n,
      modulus - 2n,
      modulus - 1n,
      modulus,
      modulus + 1n,
      modulus + 5n,
      2n * modulus - 1n,
      2n * modulus,
    ],
    ...[modulus * modulus, modulus * modulus + 1n, -1n, -2n, 1n - modulus, -modulus, -modulus - 3n],
  ];
}

// The moduli of decryption and encryption, and others of all lengths that whole and broken bytes and words make.
const moduli = [p * p, q * q, n * n, p * p * p, ...[512, 513, 519, 520, 521, 575, 576, 577, 640].map(randomOdd)];

for (const modulus of moduli) {
  const bits = modulus.toString(2).length;
  const power = bothPowers(modulus);

  test(`property: OpenSSL and BigInt agree modulo ${bits} bits`, () => {
    fc.assert(
      fc.property(integers(bits + 16), integers(bits), (base, exponent) => {
        power(base, exponent);
        power(-base, exponent);
      }),
      { numRuns: runs },
    );
  });

  test(`they agree on edge bases and exponents modulo ${bits} bits`, () => {
    for (const base of edgeBases(modulus)) {
      for (const exponent of [0n, 1n, 2n, 3n, 65_536n, 65_537n, modulus - 1n, modulus, modulus + 1n]) {
        power(base, exponent);
      }
    }
  });
}

test('powers that are 0, 1 or −1 for other than trivial bases, which OpenSSL refuses to give out', () => {
  const square = p * p;
  const moduloSquare = bothPowers(square);
  for (let round = 0; round < 20; round += 1) {
    const base = 2n + randomBits(400, systemRandom);
    // Order p·(p − 1) of the group; p ≡ 3 mod 4, so half of it gives 1 or −1.
    assert.equal(moduloSquare(base, p * (p - 1n)), 1n);
    const half = moduloSquare(base, (p * (p - 1n)) / 2n);
    assert.ok(half === 1n || half === square - 1n);
    assert.equal(moduloSquare(base, 2n * p * (p - 1n) + 1n), base);
  }
  for (const multiple of [p, 2n * p, square - p, 12_345n * p]) {
    assert.equal(moduloSquare(multiple, 2n), 0n);
    assert.equal(moduloSquare(multiple, p - 1n), 0n);
    assert.equal(moduloSquare(multiple, 1n), multiple);
  }
});

test('a power keeps no memory of the exponents before', () => {
  const modulus = randomOdd(600);
  const power = opensslBackend.modularPower(modulus);
  const exponents = [5n, 7n, 5n, 0n, 5n, 1n, 7n];
  for (const exponent of exponents) {
    // A refused power makes OpenSSL hold exponent + 1 for a while.
    for (const base of [3n, 1n, modulus - 1n, 3n]) {
      assert.equal(power(base, exponent), modPow(base, exponent, modulus));
    }
  }
  const order = p * (p - 1n);
  const moduloSquare = opensslBackend.modularPower(p * p);
  assert.equal(moduloSquare(3n, order), 1n);
  assert.equal(moduloSquare(3n, order), 1n);
  assert.equal(moduloSquare(3n, order + 1n), 3n);
});

test('moduli that OpenSSL does not take: short, long, even', () => {
  const lengths = [2, 3, 8, 64, 255, 256, 504, 510, 511, 512, 513];
  for (const modulus of [2n, 3n, 4n, 15n, ...lengths.map(randomOdd), ...lengths.map((bits) => randomOdd(bits) - 1n)]) {
    const power = bothPowers(modulus);
    for (const base of edgeBases(modulus)) {
      for (const exponent of [0n, 1n, 2n, 77n, 1n << 70n]) power(base, exponent);
    }
  }
  for (const bits of [9999, 10_000, 10_001, 10_240]) {
    const power = bothPowers(randomOdd(bits));
    for (const base of [2n, 3n, randomBits(bits, systemRandom)]) power(base, 12_345n);
  }
});

test('they agree at the sizes of real keys', () => {
  for (const bits of [2048, 3072, 4096, 6144]) {
    const power = bothPowers(randomOdd(bits));
    for (let round = 0; round < 3; round += 1) {
      power(randomBits(bits + 1, systemRandom), randomBits(200, systemRandom));
    }
  }
});

for (const backend of backends) {
  test(`${backend.name}: 0^0 is 1, and a power of 0 is 0`, () => {
    for (const modulus of [n * n, 15n]) {
      const power = backend.modularPower(modulus);
      assert.equal(power(0n, 0n), 1n);
      assert.equal(power(modulus, 0n), 1n);
      assert.equal(power(0n, 5n), 0n);
    }
  });

  test(`${backend.name}: refuses negative exponents, and moduli below 2`, () => {
    for (const exponent of [-1n, -n]) {
      assert.throws(() => backend.modularPower(n * n)(2n, exponent), {
        code: 'exponent_out_of_range',
        field: 'exponent',
        message: 'exponent: expected at least 0; reduce it modulo the order first',
      });
    }
    for (const modulus of [1n, 0n, -1n, -n]) {
      assert.throws(() => backend.modularPower(modulus), {
        code: 'number_out_of_bounds',
        field: 'modulus',
        message: 'modulus: expected at least 2',
      });
    }
  });
}

test('the self-test passes every backend, and the one that is asked for is selected, or else the fastest', () => {
  assert.ok(backends.every(agrees));
  assert.equal(selectBackend(), backends[0]);
  for (const backend of backends) assert.equal(selectBackend(backend.name), backend);
  assert.equal(selectBackend('openssl'), opensslBackend);
  assert.equal(selectBackend('bigint'), bigintBackend);
});

test('a process uses the backend that it is told to prefer, and refuses a name that is none', () => {
  for (const { name } of backends) {
    preferBackend(name);
    assert.equal(selectBackend().name, name);
    assert.equal(selectBackend('bigint'), bigintBackend);
  }
  assert.throws(
    () => {
      preferBackend('gmp');
    },
    {
      code: 'config_invalid',
      field: 'SEALSUM_BACKEND',
      message: 'SEALSUM_BACKEND: expected one of native, native-mulx, native-portable, openssl, bigint',
    },
  );
  assert.equal(selectBackend(), bigintBackend);
  for (const none of ['', undefined]) {
    preferBackend(none);
    assert.equal(selectBackend(), backends[0]);
  }
});

test('the self-test fails a backend that errs on a single base or on the exponent 0, leaves results unreduced, or throws', () => {
  const wrongOn = (wrong: (base: bigint, modulus: bigint, exponent: bigint) => boolean): ModularBackend => ({
    name: 'openssl',
    modularPower: (modulus) => {
      const power = bigintBackend.modularPower(modulus);
      return (base, exponent) => power(base, exponent) + (wrong(base, modulus, exponent) ? 1n : 0n);
    },
  });
  for (const wrong of [0n, 1n, 2n, 3n]) assert.ok(!agrees(wrongOn((base) => base === wrong)));
  assert.ok(!agrees(wrongOn((base, modulus) => base === modulus - 1n)));
  assert.ok(!agrees(wrongOn((base, modulus) => base === modulus)));
  assert.ok(!agrees(wrongOn((base, modulus) => base > modulus)));
  assert.ok(!agrees(wrongOn((base, _, exponent) => base === 3n && exponent === 0n)));
  assert.ok(
    !agrees({
      name: 'openssl',
      modularPower: () => {
        throw new Error('not in this build');
      },
    }),
  );
  assert.ok(agrees(wrongOn(() => false)));
});

test.run();

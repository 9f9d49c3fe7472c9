/** The kernel as such: that it is found, tested and refused as it should be, and what it says to calls that make no sense. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { suite } from 'uvu';
import { bigintToBytes } from '../../../src/paillier/bytes.ts';
import type { Addon } from '../../../src/paillier/native/addon.ts';
import { decryptionAgrees } from '../../../src/paillier/native/decryption.ts';
import {
  byteLength,
  findKernels,
  joined,
  type Kernel,
  kernelAgrees,
  kernelCiphertexts,
  testPrimes,
} from '../../../src/paillier/native/kernel.ts';
import { loadAddon, notBuilt } from '../../../src/paillier/native/load-addon.ts';
import { powersAgree } from '../../../src/paillier/native/powers.ts';
import { runs } from '../keys.ts';

const test = suite('kernel');

const addon = loadAddon();
const found = findKernels();
const kernels = typeof found === 'string' ? [] : found;
if (typeof addon === 'string') console.log(`skipped: the native kernel, ${addon} (npm run build:native)`);

function testKernel(name: string, body: () => void): void {
  if (typeof addon === 'string') test.skip(name);
  else test(name, body);
}

/** What was given instead of a kernel. */
function reason(given: unknown): string {
  assert.equal(typeof given, 'string', 'a reason why there is none');
  return given as string;
}

/** An engine whose functions err as they are told. */
function spoiled(kernel: Kernel, changes: Partial<Addon>): Kernel {
  return { engine: kernel.engine, addon: { ...kernel.addon, ...changes } };
}

/** The bytes with one bit changed, which no copy of them shares. */
function flipped(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
  return copy;
}

testKernel('every engine of this machine passes its tests', () => {
  assert.ok(typeof found !== 'string', 'there are engines');
  assert.ok(kernels.some(({ engine }) => engine === 'portable'));
  for (const kernel of kernels)
    assert.ok(kernelAgrees(kernel) && decryptionAgrees(kernel) && powersAgree(kernel), kernel.engine);
});

testKernel(
  'a table that is built in pieces of any size gives what one in one piece gives, and so does one half built',
  () => {
    const n = testPrimes.p * testPrimes.q;
    const modulus = bigintToBytes(n, 64);
    const [m, alpha] = [bigintToBytes(n / 11n, 64), bigintToBytes(2n ** 256n / 7n, 32)];
    for (const { addon: kernel, engine } of kernels) {
      const fresh = () => kernel.encrypting(engine, modulus, bigintToBytes(n / 3n, 64), 256);
      const expected = kernel.encrypt(fresh(), m, alpha, 1, 128);
      for (const piece of [1, 7, 100, 512]) {
        const whole = fresh();
        let pieces = 1;
        while (!kernel.build(whole, piece)) pieces += 1;
        assert.ok(pieces > 500 / piece, `${pieces} pieces of ${piece}`);
        assert.ok(kernel.build(whole, piece), 'it stays built');
        assert.deepEqual(kernel.encrypt(whole, m, alpha, 1, 128), expected, `${engine}, pieces of ${piece}`);
        const begun = fresh();
        assert.equal(kernel.build(begun, piece), false);
        assert.deepEqual(
          kernel.encrypt(begun, m, alpha, 1, 128),
          expected,
          `${engine}, begun with a piece of ${piece}`,
        );
        assert.ok(kernel.build(begun, piece), 'the first encryption builds what is left');
      }
    }
  },
);

testKernel('an engine that errs anywhere, or throws, fails its test, and then no engine is used', () => {
  const fails = (): never => {
    throw new Error('not in this build');
  };
  for (const kernel of kernels) {
    const { addon: right } = kernel;
    const wrong: Partial<Addon>[] = [
      { encrypt: (...call) => flipped(right.encrypt(...call)) },
      { productBytes: (product) => flipped(right.productBytes(product)) },
      { valid: () => true },
      { valid: () => false },
      { start: () => null },
      { multiply: () => false },
      { encrypting: fails },
      { checking: fails },
      { multiply: fails },
    ];
    for (const changes of wrong)
      assert.ok(!kernelAgrees(spoiled(kernel, changes)), JSON.stringify(Object.keys(changes)));
    // What errs only alone, and only with a longer key than that of the tests.
    const alone = (longest: number, err: (given: Uint8Array | number) => Uint8Array | number): Partial<Addon> => ({
      decrypt: (object, ciphertexts, width, plaintextWidth) => {
        const plaintexts = right.decrypt(object, ciphertexts, width, plaintextWidth);
        return ciphertexts.length === width && width > longest ? err(plaintexts) : plaintexts;
      },
    });
    const erring = (given: Uint8Array | number) => (typeof given === 'number' ? given : flipped(given));
    const refusingNothing = (given: Uint8Array | number) => (typeof given === 'number' ? new Uint8Array(1) : given);
    for (const longest of kernel.engine === 'ifma' ? [0, 128, 512, 768] : [0])
      for (const err of [erring, refusingNothing])
        assert.ok(!decryptionAgrees(spoiled(kernel, alone(longest, err))), `${kernel.engine}, ${longest}, ${err.name}`);
    for (const changes of [
      { decrypt: () => 0 },
      { decrypt: fails },
      { decrypting: fails },
      {
        decrypt: (...call: Parameters<Addon['decrypt']>) => {
          const plaintexts = right.decrypt(...call);
          return typeof plaintexts === 'number' ? plaintexts : flipped(plaintexts);
        },
      },
      {
        decrypt: (...[object, ciphertexts, width, plaintextWidth]: Parameters<Addon['decrypt']>) => {
          const plaintexts = right.decrypt(object, ciphertexts, width, plaintextWidth);
          return typeof plaintexts === 'number' ? new Uint8Array(7 * plaintextWidth) : plaintexts;
        },
      },
    ])
      assert.ok(!decryptionAgrees(spoiled(kernel, changes)), JSON.stringify(Object.keys(changes)));
    for (const changes of [
      { powers: (...call: Parameters<Addon['powers']>) => flipped(right.powers(...call)) },
      { raise: () => true },
      { raising: fails },
    ])
      assert.ok(!powersAgree(spoiled(kernel, changes)), JSON.stringify(Object.keys(changes)));
    assert.match(
      reason(findKernels(spoiled(kernel, { productBytes: fails }).addon)),
      /^its engine (ifma|mulx|portable) does not compute what BigInt computes$/,
    );
  }
});

test('no module, or none that can be loaded, is said to be so', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealsum-kernel-'));
  try {
    assert.equal(loadAddon([join(folder, 'none.node')]), notBuilt);
    const broken = join(folder, 'broken.node');
    writeFileSync(broken, 'this is no module');
    assert.match(reason(loadAddon([broken])), /^it cannot be loaded: /);
    assert.equal(findKernels(notBuilt), notBuilt);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('where no kernel is built, OpenSSL is used without a word, and who insists on the kernel is told how to get it', () => {
  // Told that it is another machine, a process finds no kernel for that.
  const script = `
    Object.defineProperty(process, 'arch', { value: 'none' });
    const { availableBackends, preferBackend, selectBackend } = await import('./src/paillier/backend.ts');
    console.log(selectBackend().name, availableBackends().map(({ name }) => name).join(' '));
    for (const name of ['native', 'native-mulx', 'native-portable'])
      try { preferBackend(name); } catch (error) { console.log(error.code, error.message); }
    console.log(selectBackend().name);
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    encoding: 'utf8',
  });
  const refusal =
    'backend_unavailable backend: the native kernel cannot be used, it is not built; ' +
    'run npm run build:native where a C++ compiler is, or use the openssl backend';
  assert.equal(stdout, `openssl openssl bigint\n${refusal}\n${refusal}\n${refusal}\nopenssl\n`, stderr);
  assert.equal(stderr, '');
});

testKernel('calls that make no sense are refused and not answered from foreign memory', () => {
  assert.ok(typeof addon !== 'string');
  const n = Uint8Array.of(0xc5, 0x37);
  const even = Uint8Array.of(0xc5, 0x36);
  const none = new Uint8Array();
  for (const { engine } of kernels) {
    const encrypting = addon.encrypting(engine, n, Uint8Array.of(5), 8);
    const checking = addon.checking(engine, n, 4);
    const product = addon.start(checking, Uint8Array.of(0, 0, 0, 7));
    assert.ok(product !== null);
    const wrong: (() => unknown)[] = [
      () => addon.encrypting('gmp' as 'ifma', n, n, 8),
      () => addon.encrypting(engine, even, n, 8),
      () => addon.encrypting(engine, none, none, 8),
      () => addon.encrypting(engine, Uint8Array.of(1), none, 8),
      () => addon.encrypting(engine, new Uint8Array(4000).fill(255), n, 8),
      () => addon.encrypting(engine, n, Uint8Array.of(1, 0, 0), 8),
      () => addon.encrypting(engine, n, n, 0),
      () => addon.encrypt(encrypting, n, n, 3, 4),
      () => addon.encrypt(checking as never, n, n, 1, 4),
      () => addon.encrypt({} as never, n, n, 1, 4),
      () => addon.encrypt(encrypting, [1, 2] as never, n, 1, 4),
      () => addon.encrypt(encrypting, new Uint16Array(2) as never, n, 1, 4),
      () => addon.checking(engine, n, 5),
      () => addon.checking(engine, even, 4),
      () => addon.valid(checking, new Uint8Array(3)),
      () => addon.start(checking, new Uint8Array(5)),
      () => addon.multiply(product, new Uint8Array(8)),
      () => addon.multiply(checking as never, new Uint8Array(4)),
      () => addon.productBytes(encrypting as never),
      () => addon.decrypting(engine, Uint8Array.of(3), Uint8Array.of(129), none, none, none),
      () => addon.decrypting(engine, Uint8Array.of(4), Uint8Array.of(5), none, none, none),
      () => addon.decrypt(checking as never, new Uint8Array(4), 4, 2),
      () => addon.raising(engine, even, n, n, 8, 1),
      () => addon.raising(engine, n, Uint8Array.of(5), n, 8, 1),
      () => addon.raising(engine, n, none, none, 8, 0),
      () => addon.raising(engine, n, n, n, 17, 1),
      () => addon.raising(engine, n, Uint8Array.of(0, 5, 0, 6), Uint8Array.of(1, 2, 3), 8, 2),
      () => addon.raise(checking as never, 1),
      () => addon.powers(checking as never, 2),
      () => addon.powers(addon.raising(engine, n, Uint8Array.of(0, 5), n, 16, 1), 2),
      () => (addon.valid as unknown as () => unknown)(),
    ];
    for (const [index, call] of wrong.entries()) assert.throws(call, /^Error: kernel: expected /, `call ${index}`);
  }
});

testKernel(
  'property: the memory of a fold is that of one block, and its product does not depend on how many passed by',
  () => {
    const n = (2n ** 256n - 357n) * (2n ** 256n - 189n);
    const square = n * n;
    for (const kernel of kernels) {
      const checks = kernelCiphertexts(kernel, n);
      fc.assert(
        fc.property(
          fc.array(fc.bigInt({ min: 1n, max: square - 1n }), { minLength: 1, maxLength: 17 }),
          fc.nat(70),
          (values, times) => {
            const block = joined(values, 128);
            const product = checks.start(block);
            assert.ok(product !== undefined, 'in range');
            for (let time = 0; time < times; time += 1) assert.ok(product.multiply(block), 'in range');
            const expected = values.map((value) => {
              let power = value;
              for (let time = 0; time < times; time += 1) power = (power * value) % square;
              return power;
            });
            assert.deepEqual(product.bytes(), joined(expected, 128), `${times} times`);
            assert.deepEqual(product.bytes(), joined(expected, 128), 'and again');
          },
        ),
        { numRuns: runs / 6 },
      );
    }
  },
);

testKernel('property: powers by any engine are those of BigInt, in steps of any number, each with its exponent', () => {
  for (const { addon: kernel, engine } of kernels)
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 2n ** 400n }),
        fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 400n }), fc.bigInt({ min: 0n, max: 2n ** 200n - 1n })), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.integer({ min: 200, max: 208 }),
        fc.integer({ min: 1, max: 300 }),
        (half, pairs, bits, steps) => {
          const modulus = 2n * half + 1n;
          const width = byteLength(modulus);
          const bases = pairs.map(([base]) => base % modulus);
          const exponents = pairs.map(([, exponent]) => exponent);
          const written = [joined(bases, width), joined(exponents, 26)] as const;
          const object = kernel.raising(engine, bigintToBytes(modulus, width), ...written, bits, pairs.length);
          while (!kernel.raise(object, steps));
          const expected = bases.map((base, index) => modPow(base, exponents[index] ?? 0n, modulus));
          assert.deepEqual(kernel.powers(object, width), joined(expected, width), engine);
          assert.deepEqual(kernel.powers(object, width), joined(expected, width), 'and again');
        },
      ),
      { numRuns: runs / 3 },
    );
});

test.run();

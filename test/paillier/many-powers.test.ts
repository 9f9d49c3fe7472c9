/** Many powers at once: those of BigInt on every backend, in their order, in pieces, and refused where the exponent is none. */
import assert from 'node:assert/strict';
import { modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { suite } from 'uvu';
import { raiseInTurn, raiseMany } from '../../src/paillier/many-powers.ts';
import { backends } from './backends.ts';
import { integers, runs } from './keys.ts';

/** An odd modulus, some bases below it, and as many exponents of so many bits. */
const asked = fc
  .record({
    half: integers(700),
    bases: fc.array(integers(1500), { maxLength: 21 }),
    exponentBits: fc.integer({ min: 0, max: 300 }),
    exponent: integers(300),
  })
  .map(({ half, bases, exponentBits, exponent }) => {
    const modulus = 2n * half + 3n;
    return {
      modulus,
      bases: bases.map((base) => base % modulus),
      exponentBits,
      exponents: bases.map((_, index) => (exponent + BigInt(index) * 0xf123456789abcdefn) % 2n ** BigInt(exponentBits)),
    };
  });

for (const backend of backends) {
  const test = suite(`many powers, ${backend.name}`);

  test('property: they are those of BigInt, all at once and one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async ({ modulus, bases, exponents, exponentBits }) => {
        const power = backend.modularPower(modulus);
        assert.deepEqual(
          raiseMany(power, backend.kernel, { modulus, bases, exponents, exponentBits }),
          bases.map((base, index) => modPow(base, exponents[index] ?? 0n, modulus)),
        );
        const exponent = (exponents[0] ?? 5n) % modulus;
        let pauses = 0;
        const found: bigint[] = [];
        const pause = (): Promise<void> => {
          pauses += 1;
          return Promise.resolve();
        };
        for await (const each of raiseInTurn(backend, { modulus, bases, exponent }, pause)) found.push(each);
        assert.deepEqual(
          found,
          bases.map((base) => modPow(base, exponent, modulus)),
        );
        assert.ok(pauses >= bases.length / 8, `${pauses} pauses`);
      }),
      { numRuns: runs / 3 },
    );
  });

  test('an exponent that is negative or too long is refused before anything is raised', async () => {
    const modulus = 2n ** 600n - 3n;
    const power = backend.modularPower(modulus);
    for (const count of [1, 8])
      for (const exponent of [-1n, 8n]) {
        const bases = new Array<bigint>(count).fill(5n);
        const exponents = new Array<bigint>(count).fill(7n).with(-1, exponent);
        assert.throws(() => raiseMany(power, backend.kernel, { modulus, bases, exponents, exponentBits: 3 }), {
          code: 'exponent_out_of_range',
          field: 'exponent',
        });
      }
    for (const exponent of [-1n, 2n ** 600n]) {
      const powers = raiseInTurn(backend, { modulus, bases: [5n], exponent }, () => Promise.resolve());
      await assert.rejects(powers.next(), { code: 'exponent_out_of_range' });
    }
  });

  test('a modulus that is too long for the kernel is left to others', () => {
    const modulus = 2n ** 16_400n - 1n;
    const asked = { modulus, bases: [2n, 3n, 5n, modulus - 1n], exponents: [9n, 0n, 3n, 2n], exponentBits: 4 };
    assert.deepEqual(raiseMany(backend.modularPower(modulus), backend.kernel, asked), [512n, 1n, 125n, 1n]);
  });

  test('whoever stops it in a pause hears nothing more', async () => {
    const modulus = 2n ** 2048n - 1942289n;
    const bases = new Array<bigint>(40).fill(5n);
    for (const after of [0, 1, 3]) {
      let pauses = 0;
      const pause = (): Promise<void> => (pauses++ === after ? Promise.reject(new Error('enough')) : Promise.resolve());
      const powers = raiseInTurn(backend, { modulus, bases, exponent: modulus / 3n }, pause);
      await assert.rejects(async () => {
        for await (const each of powers) assert.ok(each > 0n);
      }, /^Error: enough$/);
      assert.equal(pauses, after + 1);
    }
  });

  test.run();
}

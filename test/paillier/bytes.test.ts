import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { bigintToBytes, bitLength, bytesToBigint, writeBigint } from '../../src/paillier/bytes.ts';
import { integers, runs } from './keys.ts';

const test = suite('bytes');

test('writes the most significant byte first and pads on the left', () => {
  assert.deepEqual(bigintToBytes(0x01_02_03n, 3), Uint8Array.of(1, 2, 3));
  assert.deepEqual(bigintToBytes(0xa_bcn, 5), Uint8Array.of(0, 0, 0, 0x0a, 0xbc));
  assert.deepEqual(bigintToBytes(0n, 2), Uint8Array.of(0, 0));
  assert.deepEqual(bigintToBytes(0n, 0), new Uint8Array());
  assert.equal(bytesToBigint(Uint8Array.of(0, 1, 0, 255)), 0x1_00_ffn);
  assert.equal(bytesToBigint(new Uint8Array()), 0n);
});

test('gives memory of its own', () => {
  const bytes = bigintToBytes(7n, 4);
  assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
  assert.equal(bytes.buffer.byteLength, 4);
});

test('property: the two directions are inverses, at any offset of a larger array', () => {
  fc.assert(
    fc.property(integers(600), fc.nat(20), fc.nat(20), (value, padding, offset) => {
      const length = Math.ceil(bitLength(value) / 8) + padding;
      assert.equal(bytesToBigint(bigintToBytes(value, length)), value);
      const target = new Uint8Array(offset + length + 3).fill(0xee);
      writeBigint(value, target, offset, length);
      assert.equal(bytesToBigint(target.subarray(offset, offset + length)), value);
      assert.ok([...target.subarray(0, offset), ...target.subarray(offset + length)].every((byte) => byte === 0xee));
    }),
    { numRuns: runs },
  );
});

test('refuses what does not fit, and negative integers', () => {
  for (const length of [0, 1, 2, 31, 32, 33]) {
    const least = 1n << BigInt(8 * length);
    if (length > 0) assert.equal(bytesToBigint(bigintToBytes(least - 1n, length)), least - 1n);
    for (const value of [least, least << 4n, least << 80n, -1n, -least]) {
      assert.throws(() => bigintToBytes(value, length), {
        code: 'number_out_of_bounds',
        message: `integer: expected 0 up to what ${length} bytes hold`,
      });
    }
  }
});

test('property: bitLength is the length of the binary numeral', () => {
  assert.equal(bitLength(0n), 0);
  fc.assert(
    fc.property(integers(300), (value) => {
      assert.equal(bitLength(value), value === 0n ? 0 : value.toString(2).length);
    }),
    { numRuns: runs },
  );
});

test.run();

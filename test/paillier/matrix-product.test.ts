/** A matrix of integers times encrypted numbers: what comes out is integer arithmetic, packed, whatever the signs, on every backend. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { readIntegers } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import type { Factors } from '../../src/paillier/matrix-product.ts';
import { multiplyMatrix } from '../../src/paillier/multiply-matrix.ts';
import type { PublicKey } from '../../src/paillier/public-key.ts';
import { type RecodedMatrix, recodeMatrix } from '../../src/paillier/recoded-matrix.ts';
import { createThreadPool } from '../../src/threads/pool.ts';
import { backends } from './backends.ts';
import { smallKeys } from './keys.ts';

const runs = process.env.SLOW === undefined ? 25 : 500;

interface Case {
  readonly rows: readonly (readonly bigint[])[];
  readonly vector: readonly bigint[];
  readonly bits: number;
  readonly first: number;
  readonly slotsPerCiphertext: number;
  readonly constants: readonly bigint[];
}

/** Entries below 2^bits in magnitude, the ends and zeros among them; a vector of numbers below 2^20; slots of 80 bits. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    bits: fc.integer({ min: 0, max: 50 }),
    rows: fc.integer({ min: 1, max: 8 }),
    columns: fc.integer({ min: 1, max: 5 }),
    first: fc.integer({ min: 0, max: 3 }),
    slotsPerCiphertext: fc.integer({ min: 1, max: 6 }),
  })
  .chain(({ bits, rows, columns, first, slotsPerCiphertext }) => {
    const most = 2n ** BigInt(bits);
    const entry = fc.oneof(fc.bigInt({ min: -most, max: most }), fc.constantFrom(0n, 1n, -1n, most, -most));
    const number = fc.bigInt({ min: -(2n ** 20n), max: 2n ** 20n });
    return fc.record({
      bits: fc.constant(bits),
      first: fc.constant(first),
      slotsPerCiphertext: fc.constant(slotsPerCiphertext),
      rows: fc.array(fc.array(entry, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
      vector: fc.array(number, { minLength: columns, maxLength: columns }),
      constants: fc.array(number, { minLength: first + rows, maxLength: first + rows }),
    });
  });

const slotBits = 80;

function residue(value: bigint, n: bigint): bigint {
  return ((value % n) + n) % n;
}

function factorsOf(publicKey: PublicKey, each: Case, ciphertexts: Uint8Array): Factors {
  const { rows, bits, first, slotsPerCiphertext, constants } = each;
  const outputs = Math.ceil((first + rows.length) / slotsPerCiphertext);
  return {
    publicKey,
    matrix: recodeMatrix(rows, 2n ** BigInt(bits), 512),
    ciphertexts,
    slots: { slotBits, slotsPerCiphertext, first },
    plaintexts: Array.from({ length: outputs }, (_, output) => residue(packed(each, output, constants), publicKey.n)),
  };
}

/** The slots of an output as one number. */
function packed({ slotsPerCiphertext }: Case, output: number, slots: readonly bigint[]): bigint {
  return slots
    .slice(output * slotsPerCiphertext, (output + 1) * slotsPerCiphertext)
    .reduce((sum, slot, index) => sum + (slot << BigInt(index * slotBits)), 0n);
}

/** What every slot must hold: constants, and in those of rows the product besides. */
function expectedSlots({ rows, vector, first, constants }: Case): bigint[] {
  return constants.map((constant, slot) => {
    const row = rows[slot - first] ?? [];
    return row.reduce((sum, entry, column) => sum + entry * (vector[column] ?? 0n), constant);
  });
}

for (const backend of backends) {
  const test = suite(`matrix product, ${backend.name}`);
  const { publicKey, privateKey } = smallKeys;
  const { n } = publicKey;
  const encryptor = createEncryptor(publicKey, { backend });
  const decryptor = createDecryptor(privateKey);
  const encrypted = (vector: readonly bigint[]): Uint8Array =>
    encryptor.encryptBatch(vector.map((value) => residue(value, n)));

  test('is what integers give, packed, signs and zeros among them', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        const factors = factorsOf(publicKey, each, encrypted(each.vector));
        const outputs = decryptor.decryptBatch(await multiplyMatrix(factors, backend), factors.plaintexts.length);
        const slots = expectedSlots(each);
        assert.deepEqual(
          outputs,
          outputs.map((_, output) => residue(packed(each, output, slots), n)),
        );
      }),
      { numRuns: runs },
    );
  });

  test('gives other bytes each time, and with trivial ciphertexts too', async () => {
    const each: Case = {
      rows: [[3n, -2n]],
      vector: [5n, 7n],
      bits: 2,
      first: 0,
      slotsPerCiphertext: 1,
      constants: [0n],
    };
    // (1 + m·n) has no randomness at all.
    const width = encrypted([0n]).length;
    const bare = new Uint8Array(
      Buffer.concat([5n, 7n].map((m) => Buffer.from((1n + m * n).toString(16).padStart(2 * width, '0'), 'hex'))),
    );
    for (const ciphertexts of [encrypted([5n, 7n]), bare]) {
      const factors = factorsOf(publicKey, each, ciphertexts);
      const [first, second] = [await multiplyMatrix(factors, backend), await multiplyMatrix(factors, backend)];
      assert.notDeepEqual(first, second);
      assert.equal(decryptor.decryptBatch(first, 1)[0], 1n);
      for (const output of readIntegers(publicKey, first)) assert.notEqual(output % n, 1n);
    }
  });

  test.run();
}

const test = suite('matrix product');

test('the order of operations does not depend on the matrix: the same randomness, lengths and digits for zeros as for others', () => {
  const shape = ({ rows, columns, bound, window, length, digits }: RecodedMatrix): unknown => [
    rows,
    columns,
    bound,
    window,
    length,
    digits.length,
  ];
  const bound = 2n ** 48n;
  const zeros = [
    [0n, 0n, 0n],
    [0n, 0n, 0n],
  ];
  const ends = [
    [bound, -bound, 1n],
    [-1n, bound, -bound],
  ];
  assert.deepEqual(shape(recodeMatrix(zeros, bound, 2048)), shape(recodeMatrix(ends, bound, 2048)));
});

test('refuses entries beyond the bound, too few ciphertexts, and slots that are too short', async () => {
  assert.throws(() => recodeMatrix([[1n, 9n]], 8n, 2048), { code: 'number_out_of_bounds', field: 'entry 0, 1' });
  assert.throws(() => recodeMatrix([[-9n]], 8n, 2048), { code: 'number_out_of_bounds', field: 'entry 0, 0' });
  const { publicKey } = smallKeys;
  const [backend] = backends;
  assert.ok(backend);
  const ciphertexts = createEncryptor(publicKey).encryptBatch([1n]);
  const slots = { slotBits: 80, slotsPerCiphertext: 2, first: 0 };
  const matrix = recodeMatrix([[1n, 2n]], 8n, 2048);
  await assert.rejects(multiplyMatrix({ publicKey, matrix, ciphertexts, slots, plaintexts: [0n] }, backend), {
    code: 'exponent_out_of_range',
    field: 'ciphertexts',
  });
  const long = recodeMatrix([[1n]], 2n ** 100n, 2048);
  await assert.rejects(multiplyMatrix({ publicKey, matrix: long, ciphertexts, slots, plaintexts: [0n] }, backend), {
    code: 'plan_unsafe',
    field: 'slotBits',
  });
});

test('needs a key of its own size on threads, gives the same plaintexts there, and stops when told to', async () => {
  const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
  const [backend] = backends;
  assert.ok(backend);
  const columns = 20;
  const rows = Array.from({ length: 30 }, (_, i) =>
    Array.from({ length: columns }, (_, j) => (BigInt(i) - 13n) * 2n ** 40n + BigInt(j)),
  );
  const vector = Array.from({ length: columns }, (_, j) => 1000n - BigInt(77 * j));
  const ciphertexts = createEncryptor(publicKey).encryptBatch(vector.map((value) => residue(value, publicKey.n)));
  const each: Case = {
    rows,
    vector,
    bits: 46,
    first: 2,
    slotsPerCiphertext: 10,
    constants: new Array<bigint>(32).fill(7n),
  };
  const factors = factorsOf(publicKey, each, ciphertexts);
  const slots = expectedSlots(each);
  const pool = createThreadPool({ threads: 2 });
  try {
    const bytes = await multiplyMatrix(factors, backend, { pool });
    assert.deepEqual(
      createDecryptor(privateKey).decryptBatch(bytes, 4),
      [0, 1, 2, 3].map((output) => residue(packed(each, output, slots), publicKey.n)),
    );
    const stopped = AbortSignal.abort();
    await assert.rejects(multiplyMatrix(factors, backend, { pool, signal: stopped }), { code: 'aborted' });
    await assert.rejects(multiplyMatrix(factors, backend, { signal: stopped }), { code: 'aborted' });
  } finally {
    await pool.close();
  }
});

test.run();

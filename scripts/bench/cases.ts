/** What is done in each case, and the check that its result is right. */
import { pack, unpack } from '../../src/encoding/packing.ts';
import { createPlan, type Plan } from '../../src/encoding/plan.ts';
import { aggregate, startProduct } from '../../src/paillier/aggregate.ts';
import type { ModularBackend } from '../../src/paillier/backend.ts';
import { addCiphertexts, checkCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor, type Decryptor } from '../../src/paillier/decryptor.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { openVector, sealVector } from '../../src/pipeline.ts';
import { VALUE_BITS, vectorOf } from './contender.ts';
import { type Case, expect, repeat } from './measure.ts';

export const OWNERS = 3;
const VALUES = 1000;
export const SLOT_BITS = 40;
/** Three owners' values below this fill slots of 40 bits but for the plan's headroom. */
const VALUE_BOUND = 2n ** BigInt(VALUE_BITS);
/** Ciphertexts in a batch. */
const BATCH = 64;

/** What one backend is measured with: an encryptor with its table, and one that has none and will not build one. */
export interface Measured {
  readonly backend: ModularBackend;
  readonly prepared: Encryptor;
  readonly plain: Encryptor;
  readonly decryptor: Decryptor;
}

/** Cases on one ciphertext at a time, or on batches, by one backend. */
export function backendCases(
  { publicKey, privateKey }: KeyPair,
  { backend, prepared, plain, decryptor }: Measured,
): Case[] {
  const ours = { ...singleRow(publicKey), implementation: 'sealsum', backend: backend.name } as const;
  const m = VALUE_BOUND - 12_345n;
  const [a, b] = [prepared.encrypt(m), plain.encrypt(1n)];
  expect(decryptor.decrypt(a) === m && privateKey.decrypt(a) === m, 'encrypt');
  expect(decryptor.decrypt(addCiphertexts(publicKey, a, b)) === m + 1n, 'add');
  const plaintexts = new Array<bigint>(BATCH).fill(m);
  const block = prepared.encryptBatch(plaintexts);
  const product = startProduct(publicKey, block, backend);
  const checkBatch = (): void => {
    expect(
      decryptor.decryptBatch(block, BATCH).every((found) => found === m),
      'decrypt in batches',
    );
  };
  const remark = `in batches of ${BATCH}`;
  const fast = backend.kernel !== undefined;
  return [
    // Without a kernel a table is BigInt's affair.
    ...(backend.name === 'bigint'
      ? []
      : [{ row: { operation: 'encrypt', ...ours } as const, repeats: 4, run: repeat(4, () => prepared.encrypt(m)) }]),
    ...(backend.name === 'openssl'
      ? [
          {
            row: { operation: 'encrypt', ...ours, remark: 'before the table is built' } as const,
            repeats: 2,
            run: repeat(2, () => plain.encrypt(m)),
          },
        ]
      : []),
    ...(fast
      ? [
          {
            row: { operation: 'encrypt', ...ours, remark } as const,
            repeats: BATCH,
            run: () => prepared.encryptBatch(plaintexts),
          },
        ]
      : []),
    {
      row: { operation: 'decrypt', ...ours },
      repeats: fast ? 4 : 1,
      run: repeat(fast ? 4 : 1, () => {
        expect(decryptor.decrypt(a) === m, 'decrypt');
      }),
    },
    ...(fast ? [{ row: { operation: 'decrypt', ...ours, remark } as const, repeats: BATCH, run: checkBatch }] : []),
    {
      row: { operation: 'add', ...ours, remark },
      repeats: BATCH * (fast ? 8 : 1),
      run: repeat(fast ? 8 : 1, () => {
        product.multiply(block);
      }),
    },
    {
      row: { operation: 'fold', ...ours, remark },
      repeats: BATCH,
      run: () => {
        checkCiphertexts(publicKey, block, BATCH, backend);
        const folded = startProduct(publicKey, block, backend);
        folded.multiply(block);
        folded.bytes();
      },
    },
  ];
}

/** Cases of paillier-bigint, and of what is BigInt's in both. */
export function commonCases({ publicKey, privateKey }: KeyPair, { prepared, plain }: Measured): Case[] {
  const row = singleRow(publicKey);
  const theirs = { ...row, implementation: 'paillier-bigint', backend: 'bigint' } as const;
  const m = VALUE_BOUND - 12_345n;
  const [a, b] = [prepared.encrypt(m), plain.encrypt(1n)];
  return [
    { row: { operation: 'encrypt', ...theirs }, repeats: 1, run: () => publicKey.encrypt(m) },
    {
      row: { operation: 'decrypt', ...theirs },
      repeats: 1,
      run: () => {
        expect(privateKey.decrypt(a) === m, 'decrypt of paillier-bigint');
      },
    },
    {
      row: { operation: 'add', ...row, implementation: 'sealsum', backend: 'bigint' },
      repeats: 200,
      run: repeat(200, () => addCiphertexts(publicKey, a, b)),
    },
    { row: { operation: 'add', ...theirs }, repeats: 200, run: repeat(200, () => publicKey.addition(a, b)) },
    ...packingCases(publicKey),
  ];
}

/** Values into plaintexts and back, which is BigInt's affair with every backend; the times are those of one value. */
function packingCases(publicKey: KeyPair['publicKey']): Case[] {
  const { n } = publicKey;
  const plan = planOf(publicKey);
  const slots = [1n, 1n, ...vectorOf(0, VALUES)];
  const packed = pack(plan, slots, n);
  expect(
    unpack(plan, packed, n, 1).every((value, slot) => value === slots[slot]),
    'pack',
  );
  const common = { ...singleRow(publicKey), implementation: 'sealsum', backend: 'bigint', bytes_per_value: 0 } as const;
  const remark = `a value, in slots of ${SLOT_BITS} bits`;
  const times = 8;
  return [
    {
      row: { operation: 'pack', ...common, remark },
      repeats: times * VALUES,
      run: repeat(times, () => pack(plan, slots, n)),
    },
    {
      row: { operation: 'unpack', ...common, remark },
      repeats: times * VALUES,
      run: repeat(times, () => unpack(plan, packed, n, 1)),
    },
  ];
}

function singleRow(publicKey: KeyPair['publicKey']) {
  return {
    key_bits: publicKey.n.toString(2).length,
    values: 1,
    owners: 1,
    bytes_per_value: ciphertextBytes(publicKey),
  };
}

/**
 * The aggregation of the owners' vectors from integers to integers.
 *
 * @param encryptors with their tables, for the parties in turn
 * @param sample how many of the 1000 values paillier-bigint aggregates
 */
export function aggregateCases(
  keys: KeyPair,
  backend: ModularBackend,
  encryptors: readonly [Encryptor, ...Encryptor[]],
  sample: number,
): Case[] {
  const decryptor = createDecryptor(keys.privateKey, { backend });
  const [facilitator] = encryptors;
  const { publicKey, privateKey } = keys;
  const plan = planOf(publicKey);
  const vectors = Array.from({ length: OWNERS }, (_, owner) => vectorOf(owner, VALUES));
  const sums = Array.from({ length: VALUES }, (_, index) =>
    vectors.reduce((sum, vector) => sum + (vector[index] ?? 0n), 0n),
  );
  const common = { operation: 'aggregate', key_bits: plan.keyBits, values: VALUES, owners: OWNERS } as const;
  return [
    {
      row: {
        ...common,
        implementation: 'sealsum',
        backend: backend.name,
        bytes_per_value: packedBytes(plan, keys),
      },
      repeats: 1,
      run: () => {
        const contributions = vectors.map((values, owner) => {
          const encryptor = encryptors[(owner + 1) % encryptors.length] ?? facilitator;
          return sealVector(plan, encryptor, { weight: 1n, values });
        });
        const { values } = openVector(plan, decryptor, aggregate(facilitator, plan.ciphertexts, contributions), OWNERS);
        expect(
          values.every((value, index) => value === sums[index]),
          'aggregate',
        );
      },
    },
    {
      row: {
        ...common,
        implementation: 'paillier-bigint',
        backend: 'bigint',
        bytes_per_value: ciphertextBytes(publicKey),
        scaled_from: sample,
      },
      repeats: 1,
      scale: VALUES / sample,
      run: () => {
        for (let index = 0; index < sample; index += 1) {
          const ciphertexts = vectors.map((vector) => publicKey.encrypt(vector[index] ?? 0n));
          expect(
            privateKey.decrypt(publicKey.addition(...ciphertexts)) === sums[index],
            'aggregate of paillier-bigint',
          );
        }
      },
    },
  ];
}

function planOf(publicKey: KeyPair['publicKey']): Plan {
  return createPlan({
    keyBits: publicKey.n.toString(2).length,
    length: VALUES,
    owners: OWNERS,
    maxWeight: 1n,
    valueBound: VALUE_BOUND,
    scale: 1,
    slotBits: SLOT_BITS,
  });
}

function packedBytes(plan: Plan, { publicKey }: KeyPair): number {
  return Number(((plan.ciphertexts * ciphertextBytes(publicKey)) / plan.length).toPrecision(4));
}

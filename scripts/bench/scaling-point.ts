/** What one party does in a round of one size, once in a process of its own, so that its peak memory is that party's. */
import { z } from 'zod';
import { packOne } from '../../src/encoding/packing.ts';
import { createPlan, LEADING_SLOTS, type Plan } from '../../src/encoding/plan.ts';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair, type KeyPair } from '../../src/paillier/key-generation.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { openVector, sealVector } from '../../src/pipeline.ts';
import { VALUE_BITS, vectorOf } from './contender.ts';
import { expect, median } from './measure.ts';
import { tiled } from './threads.ts';

export const parties = ['owner', 'facilitator', 'model-owner'] as const;

export interface Point {
  readonly party: (typeof parties)[number];
  readonly key_bits: number;
  readonly owners: number;
  readonly values: number;
}

export interface PointFigures extends Point {
  /** Milliseconds of a processor, which other processes make no longer: the median of repetitions. */
  readonly cpu_ms: number;
  /** The most memory that the process had before, with everything loaded and prepared, and after the first time. */
  readonly prepared_bytes: number;
  readonly peak_bytes: number;
}

const point = { party: z.enum(parties), key_bits: z.int(), owners: z.int(), values: z.int() };

export const pointSchema: z.ZodType<Point> = z.strictObject(point);

export const pointFiguresSchema: z.ZodType<PointFigures> = z.strictObject({
  ...point,
  cpu_ms: z.number().positive(),
  prepared_bytes: z.int(),
  peak_bytes: z.int(),
});

/** Repetitions go on for so long, in milliseconds. */
const patience = 400;
const most = 15;

export async function measurePoint(point: Point): Promise<PointFigures> {
  const { owners, values } = point;
  const keys = await generateKeyPair({ bits: point.key_bits });
  const plan = createPlan({
    keyBits: point.key_bits,
    length: values,
    owners,
    maxWeight: 1n,
    valueBound: 2n ** BigInt(VALUE_BITS),
    scale: 1,
  });
  const work = await workOf(point.party, plan, keys);
  const prepared = peak();
  const times = [timeOf(work)];
  const after = peak();
  while (times.length < most && times.reduce((sum, time) => sum + time, 0) < patience) times.push(timeOf(work));
  // The first of several has warmed up.
  const counted = times.length > 2 ? times.slice(1) : times;
  return { ...point, cpu_ms: Number(median(counted).toPrecision(4)), prepared_bytes: prepared, peak_bytes: after };
}

function timeOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function peak(): number {
  return process.resourceUsage().maxRSS * 1024;
}

async function workOf(party: Point['party'], plan: Plan, keys: KeyPair): Promise<() => void> {
  const { publicKey, privateKey } = keys;
  const width = ciphertextBytes(publicKey);
  const encryptor = createEncryptor(publicKey);
  await encryptor.prepare();
  const decryptor = createDecryptor(privateKey);
  switch (party) {
    case 'owner': {
      const values = vectorOf(0, plan.length);
      return () => {
        const sealed = sealVector(plan, encryptor, { weight: 1n, values });
        expect(sealed.length === plan.ciphertexts * width, 'seal');
      };
    }
    case 'facilitator': {
      // What is in a ciphertext makes no difference to a product, so a block again and again will do.
      const plaintexts = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n];
      const contribution = tiled(encryptor.encryptBatch(plaintexts), plan.ciphertexts * width);
      const contributions = new Array<Uint8Array>(plan.owners).fill(contribution);
      const last = plaintexts[(plan.ciphertexts - 1) % plaintexts.length] ?? 0n;
      return () => {
        const sum = aggregate(encryptor, plan.ciphertexts, contributions);
        const [opened] = decryptor.decryptBatch(sum.subarray(-width), 1);
        expect(opened === BigInt(plan.owners) * last, 'fold');
      };
    }
    case 'model-owner': {
      const sum = sumOfEqualSlots(plan, keys);
      return () => {
        const { values } = openVector(plan, decryptor, sum, plan.owners);
        expect(values.length === plan.length && values.every((value) => value === slotValue(plan)), 'open');
      };
    }
  }
}

function slotValue({ owners }: Plan): bigint {
  return BigInt(owners) * 12_345_678n;
}

/** A sum in which all values are alike, and therefore all ciphertexts but the first and the last. */
function sumOfEqualSlots(plan: Plan, { publicKey }: KeyPair): Uint8Array {
  const { slotsPerCiphertext: full, ciphertexts, slots } = plan;
  const encryptor = createEncryptor(publicKey);
  const width = ciphertextBytes(publicKey);
  const encrypted = (at: number, count: number): Uint8Array => {
    const digits = Array.from({ length: count }, (_, slot) =>
      at === 0 && slot < LEADING_SLOTS ? BigInt(plan.owners) : slotValue(plan),
    );
    return encryptor.encryptBatch([packOne(plan, at, digits, publicKey.n)]);
  };
  const rest = slots - full * (ciphertexts - 1);
  const sum = tiled(encrypted(1, full), ciphertexts * width);
  sum.set(encrypted(ciphertexts - 1, rest), (ciphertexts - 1) * width);
  sum.set(encrypted(0, ciphertexts === 1 ? rest : full), 0);
  return sum;
}

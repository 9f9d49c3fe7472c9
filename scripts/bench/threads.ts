/**
 * One operation on many ciphertexts: on this thread, and spread over two others.
 *
 * Two processors may be one that serves two at a time, and then two threads do less than twice as much whatever they do. What the
 * machine gives is measured beside: threads that have nothing in common, each with the whole batch for itself.
 */
import type { BackendName } from '../../src/paillier/backend.ts';
import { decryptMany } from '../../src/paillier/decrypt-many.ts';
import type { DecryptionOrder } from '../../src/paillier/decryption-thread.ts';
import type { Decryptor } from '../../src/paillier/decryptor.ts';
import { encryptMany } from '../../src/paillier/encrypt-many.ts';
import type { EncryptionOrder } from '../../src/paillier/encryption-thread.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import { primesOf } from '../../src/paillier/private-key.ts';
import { createThreadPool, type ThreadWork } from '../../src/threads/pool.ts';
import { beside } from '../beside.ts';
import { timed } from './contender.ts';
import { expect, median } from './measure.ts';

export interface ThreadsRow {
  readonly operation: 'encrypt' | 'decrypt';
  readonly backend: BackendName;
  readonly key_bits: number;
  readonly threads: number;
  readonly ciphertexts: number;
  /** Medians of the whole batch. */
  readonly one_thread_ms: number;
  readonly threads_ms: number;
  /** one_thread_ms / threads_ms */
  readonly faster_by: number;
  /** How much more than one thread so many do that have nothing in common; `faster_by` cannot be expected to be more. */
  readonly machine_gives: number;
}

/** Where the modules that threads load lie. */
const paillier = beside(import.meta.url, '../../src/paillier/encryptor').href;

/** Ciphertexts after which it is known how long one takes. */
const calibration = 64;

/** @param work how long the batch is to take on one thread, in milliseconds; well above what is worth threads (src/threads/spread.ts) */
export async function measureThreads(
  encryptor: Encryptor,
  decryptor: Decryptor,
  { threads, work, rounds }: { readonly threads: number; readonly work: number; readonly rounds: number },
): Promise<ThreadsRow[]> {
  const { publicKey, backend } = encryptor;
  const common = { backend: backend.name, key_bits: publicKey.n.toString(2).length, threads };
  const m = 0x1234_5678_9abcn;
  const few = new Array<bigint>(calibration).fill(m);
  const pool = createThreadPool({ threads });
  try {
    const rows: ThreadsRow[] = [];
    for (const operation of ['encrypt', 'decrypt'] as const) {
      encryptor.encryptBatch(few);
      const [block, sealing] = timed(() => encryptor.encryptBatch(few));
      const [, opening] = timed(() => decryptor.decryptBatch(block, calibration));
      const each = (operation === 'encrypt' ? sealing : opening) / calibration;
      const count = 8 * Math.ceil(work / each / 8);
      const plaintexts = new Array<bigint>(count).fill(m);
      const bytes = operation === 'encrypt' ? new Uint8Array() : tiled(block, (count * block.length) / calibration);
      const run = async (pooled: boolean): Promise<number> => {
        const spreading = pooled ? { pool } : {};
        const started = performance.now();
        if (operation === 'encrypt') {
          const sealed = await encryptMany(encryptor, plaintexts, spreading);
          const elapsed = performance.now() - started;
          const width = sealed.length / count;
          expect(decryptor.decryptBatch(sealed.subarray(-width), 1)[0] === m, 'encrypt on threads');
          return elapsed;
        }
        const opened = await decryptMany(decryptor, bytes, count, spreading);
        const elapsed = performance.now() - started;
        expect(opened.length === count && opened.every((found) => found === m), 'decrypt on threads');
        return elapsed;
      };
      const order: { readonly work: ThreadWork; readonly input: EncryptionOrder | DecryptionOrder } =
        operation === 'encrypt'
          ? {
              work: { beside: paillier, file: './encryption-thread', name: 'encrypt' },
              input: { n: publicKey.n, backend: backend.name, expected: encryptor.expected, plaintexts },
            }
          : {
              work: { beside: paillier, file: './decryption-thread', name: 'decrypt' },
              input: { ...primesOf(decryptor.privateKey), backend: backend.name, bytes, count },
            };
      const runApart = async (): Promise<number> => {
        const started = performance.now();
        const orders = Array.from({ length: threads }, () =>
          pool.run<{ readonly length: number }>(order.work, order.input),
        );
        const found = await Promise.all(orders);
        const elapsed = performance.now() - started;
        const length = operation === 'encrypt' ? (count * block.length) / calibration : count;
        expect(found.length === threads && found.every((each) => each.length === length), `${operation} apart`);
        return elapsed;
      };
      // Threads start, and make their tables.
      await runApart();
      const times: { readonly one: number; readonly several: number; readonly apart: number }[] = [];
      for (let round = 0; round < rounds; round += 1)
        times.push({ one: await run(false), several: await run(true), apart: await runApart() });
      expect(pool.usable(), 'starting threads');
      const one = median(times.map((time) => time.one));
      const several = median(times.map((time) => time.several));
      const apart = median(times.map((time) => time.apart));
      rows.push({
        operation,
        ...common,
        ciphertexts: count,
        one_thread_ms: Number(one.toPrecision(4)),
        threads_ms: Number(several.toPrecision(4)),
        faster_by: Number((one / several).toPrecision(3)),
        machine_gives: Number(((threads * one) / apart).toPrecision(3)),
      });
    }
    return rows;
  } finally {
    await pool.close();
  }
}

/** A block again and again, up to a length. */
export function tiled(block: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += block.length)
    bytes.set(block.subarray(0, Math.min(block.length, length - at)), at);
  return bytes;
}

/**
 * Which records are held out for validation, and in which fold each one is: by what a record says and by the model's seed, so
 * that it is the same in every round, after a restart, and in whatever order the data file has its lines.
 *
 *     u = SHA-256(seed ‖ record ‖ target) / 2^256,   seed: 4 bytes; every number a double; least significant byte first
 *
 * held out where u < fraction or, of folds, where ⌊u·folds⌋ is that one's position, and otherwise in fold ⌊u·folds⌋. The j-th repetition of the same record at one owner (j = 1, 2, …
 * after its first occurrence) has SHA-256(digest ‖ j) in place of the digest, so that equal records are divided too. Of equal
 * records only how many there are counts: with one less, the last repetition is missing and all others are where they were. So
 * a record's part depends on that record alone, which is what differential privacy rests on.
 */
import { sha256 as hash } from '../platform/hashes.ts';
import type { Model } from './model-types.ts';
import type { Records } from './records.ts';

/** Plain data. */
export type Division =
  | { readonly kind: 'held-out'; readonly seed: number; readonly fraction: number }
  /** @property fold counted from 1 */
  | { readonly kind: 'held-out-fold'; readonly seed: number; readonly fold: number; readonly folds: number }
  | { readonly kind: 'folds'; readonly seed: number; readonly folds: number };

/** How a model divides records; undefined where it does not. */
export function divisionOf({ training }: Model): Division | undefined {
  if (training.solver === 'normal-equations') {
    const { cross_validation: crossed } = training;
    return crossed === undefined ? undefined : { kind: 'folds', seed: crossed.seed, folds: crossed.folds };
  }
  const { validation } = training;
  if (validation === undefined) return undefined;
  const { seed } = validation;
  if ('fold' in validation) return { kind: 'held-out-fold', seed, fold: validation.fold, folds: validation.folds };
  return { kind: 'held-out', seed, fraction: validation.fraction };
}

/** The part of each of one owner's records: 1 where it is held out, else 0; or its fold, counted from 0. */
export function partsOf(division: Division, { count, width, x, y }: Records): Uint8Array {
  const seen = new Map<string, number>();
  const message = Buffer.alloc(4 + 8 * (width + 1));
  message.writeUInt32LE(division.seed, 0);
  return Uint8Array.from({ length: count }, (_, index) => {
    // A zero has no sign here.
    for (let column = 0; column < width; column += 1)
      message.writeDoubleLE((x[index * width + column] ?? 0) + 0, 4 + 8 * column);
    message.writeDoubleLE((y[index] ?? 0) + 0, 4 + 8 * width);
    const digest = sha256(message);
    const key = digest.toString('latin1');
    const repetition = seen.get(key) ?? 0;
    seen.set(key, repetition + 1);
    return partAt(division, repetition === 0 ? digest : repeated(digest, repetition));
  });
}

function repeated(digest: Buffer, repetition: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(repetition);
  return sha256(Buffer.concat([digest, number]));
}

/** The first 48 bits say all that is needed of where a digest lies. */
function partAt(division: Division, digest: Buffer): number {
  const share = digest.readUIntBE(0, 6) / 2 ** 48;
  if (division.kind === 'held-out') return Number(share < division.fraction);
  const fold = Math.floor(share * division.folds);
  return division.kind === 'folds' ? fold : Number(fold === division.fold - 1);
}

function sha256(bytes: Buffer): Buffer {
  return Buffer.from(hash(bytes).buffer);
}

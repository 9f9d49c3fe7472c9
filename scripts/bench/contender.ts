/** Whoever aggregates vectors of integers below 2^36: what an owner, the facilitator and the holder of the key do, and their times. */
import { median } from './measure.ts';

export const VALUE_BITS = 36;
const valueBound = 2n ** BigInt(VALUE_BITS);

/** What one aggregation of `owners` vectors took, on one core, in milliseconds. */
export interface Phases {
  /** One owner: from integers to bytes. */
  readonly seal_ms: number;
  /** The facilitator: from the bytes of all owners to those of their sum. */
  readonly fold_ms: number;
  /** The holder of the key: from bytes to integers. */
  readonly open_ms: number;
}

export interface Aggregated extends Phases {
  /** The greatest difference from a right sum, where every value is a number from 0 to 1; 0: all sums are exact. */
  readonly greatest_error: number;
}

/** The bytes that go from each owner to the facilitator, and from there to the holder of the key. */
export interface Traffic {
  readonly contribution: number;
  readonly aggregate: number;
  /** The bytes of a contribution with the library's default compression, and without, where it has one. */
  readonly compressed?: number;
  readonly uncompressed?: number;
}

export interface Contender {
  readonly implementation: 'sealsum' | 'paillier-bigint' | 'ckks';
  /** What computes, or with which parameters. */
  readonly backend: string;
  /** The bits of a Paillier key; null for what has none. */
  readonly key_bits: number | null;
  /** Values beyond which it is never measured, only scaled. */
  readonly most?: number;
  /** The ciphertexts of one contribution, by which times are scaled. */
  ciphertexts(owners: number, values: number): number;
  traffic(owners: number, values: number): Traffic;
  /** Aggregates once. Of the owners' vectors two are distinct, in turn. @throws Error when the sum is wrong */
  aggregate(owners: number, values: number): Aggregated;
}

/** An owner's values: 0 ≤ v < 2^36, spread evenly. */
export function vectorOf(owner: number, length: number): bigint[] {
  return Array.from({ length }, (_, index) => (BigInt(index * 3 + owner + 1) * 0x9e37_79b9_7f4a_7c15n) % valueBound);
}

/** A thing for each owner, of two that are taken in turn. */
export function inTurn<Thing>(owners: number, [first, second]: readonly [Thing, Thing]): Thing[] {
  return Array.from({ length: owners }, (_, owner) => (owner % 2 === 0 ? first : second));
}

/** The sum of the owners' values at one place, when the two vectors are taken in turn. */
export function sumInTurn(owners: number, first: bigint, second: bigint): bigint {
  return BigInt(Math.ceil(owners / 2)) * first + BigInt(Math.floor(owners / 2)) * second;
}

/** What is done, and how long it took, in milliseconds. */
export function timed<Result>(run: () => Result): readonly [result: Result, ms: number] {
  const started = performance.now();
  const result = run();
  return [result, performance.now() - started];
}

/** One aggregation, or the medians of several where it is over soon; the first of several warms up. */
export function aggregateOften(contender: Contender, owners: number, values: number): Aggregated {
  const first = contender.aggregate(owners, values);
  if (total(first) > 150) return first;
  const runs = Array.from({ length: 5 }, () => contender.aggregate(owners, values));
  return {
    seal_ms: median(runs.map((run) => run.seal_ms)),
    fold_ms: median(runs.map((run) => run.fold_ms)),
    open_ms: median(runs.map((run) => run.open_ms)),
    greatest_error: Math.max(first.greatest_error, ...runs.map((run) => run.greatest_error)),
  };
}

/** What an aggregation took to measure: two owners seal. */
export function total({ seal_ms: seal, fold_ms: fold, open_ms: open }: Phases): number {
  return 2 * seal + fold + open;
}

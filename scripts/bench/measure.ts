/** What is measured, and how: all cases in turn, medians. */
import type { BackendName } from '../../src/paillier/backend.ts';

export type Operation =
  | 'prove'
  | 'verify'
  | 'prepare'
  | 'encrypt'
  | 'decrypt'
  | 'add'
  | 'fold'
  | 'pack'
  | 'unpack'
  | 'aggregate';

export interface Row {
  readonly operation: Operation;
  readonly implementation: 'sealsum' | 'paillier-bigint';
  readonly backend: BackendName;
  readonly key_bits: number;
  /** Values that are encrypted by each owner. */
  readonly values: number;
  readonly owners: number;
  readonly median_ms: number;
  /** Bytes of ciphertext that one owner sends for one value; 0 where none are made. */
  readonly bytes_per_value: number;
  /** The number of values that were measured, where the rest is scaled. */
  readonly scaled_from?: number;
  readonly table_bytes?: number;
  readonly remark?: string;
}

/** One thing to measure: what it does once, and the row that its time goes to. */
export interface Case {
  readonly row: Omit<Row, 'median_ms'>;
  /** How many times `run` does it; its time is divided by that. */
  readonly repeats: number;
  /** Its time is multiplied by this. */
  readonly scale?: number;
  readonly run: () => void;
}

/** Throws unless a result is right. */
export function expect(right: boolean, what: string): void {
  if (!right) throw new Error(`${what} gave a wrong result; there is nothing to measure`);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Runs all cases in turn, `rounds` times after a warm-up, so that whatever else the machine does falls on all alike. */
export function measure(cases: readonly Case[], rounds: number): Row[] {
  const times = cases.map((): number[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, each] of cases.entries()) {
      const started = performance.now();
      each.run();
      const elapsed = performance.now() - started;
      if (round > 0) times[index]?.push((elapsed * (each.scale ?? 1)) / each.repeats);
    }
  }
  return cases.map(({ row }, index) => ({ ...row, median_ms: Number(median(times[index] ?? []).toPrecision(4)) }));
}

export function repeat(times: number, run: () => void): () => void {
  return () => {
    for (let time = 0; time < times; time += 1) run();
  };
}

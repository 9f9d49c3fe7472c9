/** Wins and losses, in words: the fastest backend of sealsum beside whoever does the same. */
import type { AggregationRow } from './aggregations.ts';

/** The number of owners that comparisons are made for: 10, or the one in the middle of those measured. */
export function comparedOwners(rows: readonly AggregationRow[]): number {
  const owners = [...new Set(rows.map((row) => row.owners))].toSorted((a, b) => a - b);
  return owners.includes(10) ? 10 : (owners[owners.length >> 1] ?? 0);
}

/** The aggregations of most values for so many owners: of sealsum the fastest of each key size, of others all. */
export function comparedRows(rows: readonly AggregationRow[]): AggregationRow[] {
  const owners = comparedOwners(rows);
  const values = Math.max(...rows.map((row) => row.values));
  const there = rows.filter((row) => row.owners === owners && row.values === values);
  return there.filter(
    (row) =>
      row.implementation !== 'sealsum' ||
      there.every(
        (other) => other.implementation !== 'sealsum' || other.key_bits !== row.key_bits || other.cpu_ms >= row.cpu_ms,
      ),
  );
}

export interface Comparison {
  readonly key_bits: number;
  readonly backend: string;
  /** Whom it is compared with. */
  readonly other: Pick<AggregationRow, 'implementation' | 'backend'>;
  readonly owners: number;
  readonly values: number;
  /** How many times sealsum is better; below 1 it is worse. */
  readonly seal: number;
  readonly fold: number;
  readonly open: number;
  readonly bytes: number;
  readonly end_to_end: readonly { readonly mbit_per_s: number; readonly better: number }[];
}

export function comparisons(rows: readonly AggregationRow[]): Comparison[] {
  const compared = comparedRows(rows);
  return compared
    .filter((row) => row.implementation === 'sealsum')
    .flatMap((ours) =>
      compared
        .filter((row) => row.implementation !== 'sealsum' && (row.key_bits === null || row.key_bits === ours.key_bits))
        .map((theirs) => ({
          key_bits: ours.key_bits ?? 0,
          backend: ours.backend,
          other: { implementation: theirs.implementation, backend: theirs.backend },
          owners: ours.owners,
          values: ours.values,
          seal: ratio(theirs.seal_ms, ours.seal_ms),
          fold: ratio(theirs.fold_ms, ours.fold_ms),
          open: ratio(theirs.open_ms, ours.open_ms),
          bytes: ratio(theirs.contribution_bytes, ours.contribution_bytes),
          end_to_end: ours.end_to_end.map(({ mbit_per_s, seconds }) => ({
            mbit_per_s,
            better: ratio(
              theirs.end_to_end.find((other) => other.mbit_per_s === mbit_per_s)?.seconds ?? Number.NaN,
              seconds,
            ),
          })),
        })),
    );
}

function ratio(theirs: number, ours: number): number {
  return Number((theirs / ours).toPrecision(3));
}

/** Such as `3.2× faster`, `1.5× slower`, or `alike` where that would be once. */
export function inWords(better: number, win: string, loss: string): string {
  if (Number(Math.max(better, 1 / better).toPrecision(2)) === 1) return 'alike';
  return better >= 1 ? `${times(better)} ${win}` : `${times(1 / better)} ${loss}`;
}

function times(factor: number): string {
  return `${factor >= 100 ? factor.toFixed(0) : Number(factor.toPrecision(2))}×`;
}

/** Whole aggregations: every contender, for so many owners and so many values. */
import { type Aggregated, aggregateOften, type Contender, total } from './contender.ts';
import { endToEnd, linkRates } from './link.ts';

export interface AggregationRow extends Aggregated, Pick<Contender, 'implementation' | 'backend' | 'key_bits'> {
  readonly owners: number;
  /** Values in each owner's vector. */
  readonly values: number;
  /** What all parties compute together, in milliseconds of one core. */
  readonly cpu_ms: number;
  /** What one owner sends. */
  readonly contribution_bytes: number;
  /** The same for one value. */
  readonly bytes_per_value: number;
  /** The same with the library's own compression, and without, where it has one; the smaller is what is sent. */
  readonly compressed_bytes_per_value?: number;
  readonly uncompressed_bytes_per_value?: number;
  /** Computed; see link.ts. */
  readonly end_to_end: readonly { readonly mbit_per_s: number; readonly seconds: number }[];
  /** The number of values that were measured, where the rest is scaled by the number of ciphertexts. */
  readonly scaled_from?: number;
}

export interface Sizes {
  readonly owners: readonly number[];
  readonly values: readonly number[];
  /** What would take longer to measure is scaled from the largest that did not, in milliseconds. */
  readonly limit: number;
}

export function measureAggregations(contender: Contender, sizes: Sizes, say: (what: string) => void): AggregationRow[] {
  const rows: AggregationRow[] = [];
  const most = contender.most ?? Number.POSITIVE_INFINITY;
  for (const owners of sizes.owners) {
    let known: { readonly values: number; readonly aggregated: Aggregated } | undefined;
    for (const values of sizes.values.toSorted((a, b) => a - b)) {
      const measured = Math.min(values, most);
      const growth = (count: number, from: number): number =>
        contender.ciphertexts(owners, count) / contender.ciphertexts(owners, from);
      if (
        known === undefined ||
        (measured > known.values && total(known.aggregated) * growth(measured, known.values) <= sizes.limit)
      ) {
        say(`${owners} × ${measured} values`);
        known = { values: measured, aggregated: aggregateOften(contender, owners, measured) };
      }
      rows.push(rowOf(contender, owners, values, known, growth(values, known.values)));
    }
  }
  return rows;
}

function rowOf(
  contender: Contender,
  owners: number,
  values: number,
  known: { readonly values: number; readonly aggregated: Aggregated },
  growth: number,
): AggregationRow {
  const { aggregated } = known;
  const traffic = contender.traffic(owners, values);
  const seal_ms = aggregated.seal_ms * growth;
  const fold_ms = aggregated.fold_ms * growth;
  const open_ms = aggregated.open_ms * growth;
  const phases = { seal_ms, fold_ms, open_ms };
  return {
    implementation: contender.implementation,
    backend: contender.backend,
    key_bits: contender.key_bits,
    owners,
    values,
    seal_ms: rounded(seal_ms),
    fold_ms: rounded(fold_ms),
    open_ms: rounded(open_ms),
    cpu_ms: rounded(owners * seal_ms + fold_ms + open_ms),
    contribution_bytes: traffic.contribution,
    bytes_per_value: rounded(traffic.contribution / values),
    ...(traffic.compressed === undefined ? {} : { compressed_bytes_per_value: rounded(traffic.compressed / values) }),
    ...(traffic.uncompressed === undefined
      ? {}
      : { uncompressed_bytes_per_value: rounded(traffic.uncompressed / values) }),
    end_to_end: linkRates.map((rate) => ({
      mbit_per_s: rate,
      seconds: rounded(endToEnd(phases, traffic, owners, rate)),
    })),
    greatest_error: rounded(aggregated.greatest_error),
    ...(known.values === values ? {} : { scaled_from: known.values }),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

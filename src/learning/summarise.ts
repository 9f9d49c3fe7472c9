/**
 * What the columns of a data file look like, for the file's own people: counts, moments, quartiles, a histogram, frequent values. Exact, so
 * that it is shared as the records themselves are: with nobody.
 */
import { turn } from '../platform/event-loop.ts';
import { type ColumnProfile, profileColumn } from './column-profile.ts';
import { equalEdges } from './statistics/groups.ts';
import type { Table } from './table.ts';

/** How often numbers are within bins: a bin holds its lower edge and not its upper one, the last one holds both. */
export interface Histogram {
  /** Increasing, one more than there are bins; two of the same where all values are the same. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

export interface FrequentValue {
  readonly value: string;
  readonly count: number;
}

/** Of a column whose values are all numbers, in its own units. */
export interface NumbersSummary {
  readonly kind: 'numbers';
  readonly whole: boolean;
  /** How many different ones. */
  readonly distinct: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  /** With n − 1; null for a single value, and where doubles cannot hold it. */
  readonly standard_deviation: number | null;
  /** Of the values in order the first one that at least a quarter, half and three quarters of all do not exceed. */
  readonly quartiles: readonly [number, number, number];
  readonly histogram: Histogram;
}

export interface TextsSummary {
  readonly kind: 'texts';
  readonly distinct: number;
  /** The most frequent first, those that are equally frequent in order. */
  readonly most_frequent: readonly FrequentValue[];
}

export interface ColumnSummary {
  /** Undefined where the file has no header. */
  readonly name?: string;
  /** Counted from 0. */
  readonly col_idx: number;
  /** Cells that say something, and those that do not: empty, NA and the like. */
  readonly count: number;
  readonly missing: number;
  /** Undefined where all are missing. */
  readonly values?: NumbersSummary | TextsSummary;
}

export interface FileSummary {
  readonly records: number;
  readonly columns: readonly ColumnSummary[];
}

/** What a thread is asked for. */
export interface SummaryOrder {
  readonly path: string;
  /** Whether a text's first line holds the names of the columns. */
  readonly header: boolean;
}

/** Bins of a histogram, at most. */
const mostBins = 20;
/** Frequent texts that are told. */
const mostFrequent = 10;

/** Between two columns others have their turn. */
export async function summariseTable(table: Pick<Table, 'header' | 'rows' | 'width'>): Promise<FileSummary> {
  const { header, rows, width } = table;
  const columns: ColumnSummary[] = [];
  for (let column = 0; column < width; column += 1) {
    await turn();
    const profile = profileColumn(table, column, Number.POSITIVE_INFINITY);
    const { kind, present, missing } = profile;
    const name = header?.[column];
    columns.push({
      ...(name === undefined ? {} : { name }),
      col_idx: column,
      count: present,
      missing,
      ...(kind === 'empty' ? {} : { values: kind === 'numbers' ? summariseNumbers(profile) : summariseTexts(profile) }),
    });
  }
  return { records: rows.length, columns };
}

function summariseTexts({ distinct, counts = noCounts }: ColumnProfile): TextsSummary {
  const ordered = [...counts].sort(([left, many], [right, more]) => more - many || (left < right ? -1 : 1));
  return {
    kind: 'texts',
    distinct,
    most_frequent: ordered.slice(0, mostFrequent).map(([value, count]) => ({ value, count })),
  };
}

const noCounts: ReadonlyMap<string, number> = new Map();

function summariseNumbers(profile: ColumnProfile): NumbersSummary {
  const { present: length, least: minimum, greatest: maximum, whole, distinct } = profile;
  const values = valuesOf(profile).sort();
  const at = (index: number): number => values[index] ?? Number.NaN;
  // Of numbers below 2, so that no sum overflows; a power of two, so that nothing is rounded by it.
  const scale = 2 ** Math.floor(Math.log2(Math.max(Math.abs(minimum), Math.abs(maximum)) || 1));
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value / scale;
  const mean = sum / length;
  for (const value of values) squares += (value / scale - mean) ** 2;
  const deviation = scale * Math.sqrt(squares / (length - 1));
  const quantile = (share: number): number => at(Math.ceil(share * length) - 1);
  return {
    kind: 'numbers',
    whole,
    distinct,
    minimum,
    maximum,
    mean: mean * scale,
    standard_deviation: length > 1 && Number.isFinite(deviation) ? deviation : null,
    quartiles: [quantile(0.25), quantile(0.5), quantile(0.75)],
    histogram: histogramOf(values, binEdges(minimum, maximum, whole)),
  };
}

/** Each as often as it occurs. */
function valuesOf({ present, counts = noCounts }: ColumnProfile): Float64Array {
  const values = new Float64Array(present);
  let filled = 0;
  for (const [text, count] of counts) {
    values.fill(Number(text), filled, filled + count);
    filled += count;
  }
  return values;
}

/** A bin for each whole number where they are few. */
function binEdges(minimum: number, maximum: number, whole: boolean): number[] {
  if (minimum === maximum) return [minimum, maximum];
  const last = maximum + 1;
  if (whole && last - minimum <= mostBins && Number.isSafeInteger(last))
    return Array.from({ length: last - minimum + 1 }, (_, index) => minimum + index);
  return equalEdges(minimum, maximum, mostBins);
}

/** @param values in order, none of them beyond the edges */
function histogramOf(values: Float64Array, edges: readonly number[]): Histogram {
  const counts = new Array<number>(edges.length - 1).fill(0);
  let bin = 0;
  for (const value of values) {
    while (bin < counts.length - 1 && value >= (edges[bin + 1] ?? Number.POSITIVE_INFINITY)) bin += 1;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges, counts };
}

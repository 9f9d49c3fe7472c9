/**
 * What a job for statistics sums, group by group: products of columns for moments and covariances, cells for histograms and
 * contingency tables. Follows from model.json alone, so that every party has the same.
 *
 * A record adds to a group either its values or, where one that is needed is missing, one to the group's count of missing ones.
 */
import { fieldName, isNumeric, type LevelField, type NumericField } from '../fields.ts';
import { triangleLength } from '../normal-equations.ts';
import { type LinearScale, ordinalScale, rangeScale } from '../scaling.ts';
import type { ColumnReference, HistogramRequest, StatisticsColumn, StatisticsKind, StatisticsModel } from './model.ts';

interface Place {
  readonly kind: StatisticsKind;
  /** Where model.json asks for it, such as `statistics.histograms[0]`. */
  readonly field: string;
  /** Positions in `data_props.columns`. */
  readonly columns: readonly number[];
  /** The first of its values in a record's vector, and how many there are. */
  readonly offset: number;
  readonly length: number;
  /** The position, among its values, of the count of records with a missing value; undefined: there cannot be any. */
  readonly missing: number | undefined;
  /** The greatest L2 norm of what a record adds. */
  readonly norm: number;
}

/** Σ of the columns and of their products, scaled to [−1, 1]: the triangle of z·zᵀ with z = (1, columns), without its first entry. */
export interface Products extends Place {
  readonly kind: 'moments' | 'covariance';
  readonly scales: readonly LinearScale[];
}

/** The number of records in each cell; a record is in one of them. */
export interface Cells extends Place {
  readonly kind: 'histograms' | 'contingency';
  readonly axes: readonly Axis[];
}

/** Into which bin a value falls. */
export interface Axis {
  readonly column: string;
  /** All bins, those for values below the first edge and above the last among them. */
  readonly size: number;
  /** The bin of a value in the column's units, of a level by its position. */
  readonly binOf: (value: number) => number;
  readonly edges?: readonly number[];
  readonly levels?: readonly string[];
  /** Whether the first bin is for values below the edges, and the last one for those above. */
  readonly below: boolean;
  readonly above: boolean;
}

export type Group = Products | Cells;

export function isProducts(group: Group): group is Products {
  return group.kind === 'moments' || group.kind === 'covariance';
}

/** Whether a column is declared with this name or position. */
export function isColumn({ name, col_idx }: StatisticsColumn, reference: ColumnReference): boolean {
  return typeof reference === 'string' ? name === reference : name === undefined && col_idx === reference;
}

/** The groups in the order of a vector's values. */
export function groupsOf({ data_props: { columns }, statistics }: StatisticsModel): Group[] {
  const positionOf = (reference: ColumnReference): number => columns.findIndex((each) => isColumn(each, reference));
  const columnAt = (position: number): StatisticsColumn => columns[position] as StatisticsColumn;
  const { moments, covariance, histograms, contingency } = statistics;
  let offset = 0;
  const place = (
    positions: readonly number[],
    values: number,
  ): Pick<Place, 'columns' | 'offset' | 'length' | 'missing'> => {
    const counts = positions.some((position) => columnAt(position).missing === 'count');
    const length = values + Number(counts);
    const placed = { columns: positions, offset, length, missing: counts ? values : undefined };
    offset += length;
    return placed;
  };
  const products = (kind: Products['kind'], field: string, positions: readonly number[]): Products => {
    const values = triangleLength(positions.length);
    const scales = positions.map((position) => scaleOf(columnAt(position)));
    // Σ_{i≤j} zᵢ²zⱼ² without 1·1 is at most the number of its entries, since |zᵢ| ≤ 1.
    return { kind, field, scales, norm: Math.sqrt(values), ...place(positions, values) };
  };
  const cells = (kind: Cells['kind'], field: string, positions: readonly number[], axes: readonly Axis[]): Cells => {
    const values = axes.reduce((size, axis) => size * axis.size, 1);
    return { kind, field, axes, norm: 1, ...place(positions, values) };
  };
  return [
    ...moments.map((each, index) => products('moments', `statistics.moments[${index}]`, [positionOf(each)])),
    ...(covariance.length === 0 ? [] : [products('covariance', 'statistics.covariance', covariance.map(positionOf))]),
    ...histograms.map((asked, index) => {
      const position = positionOf(asked.column);
      const axis = histogramAxis(columnAt(position), asked);
      return cells('histograms', `statistics.histograms[${index}]`, [position], [axis]);
    }),
    ...contingency.map((pair, index) => {
      const positions = pair.map(positionOf);
      const axes = positions.map((position) => levelAxis(columnAt(position)));
      return cells('contingency', `statistics.contingency[${index}]`, positions, axes);
    }),
  ];
}

/** Levels, or of a discrete column its whole numbers; undefined for columns that have neither. */
export function levelsOf(
  column: NumericField | LevelField,
): { readonly length: number; readonly at: (position: number) => string } | undefined {
  if (!isNumeric(column)) return { length: column.levels.length, at: (position) => column.levels[position] ?? '' };
  if (column.type === 'continuous') return undefined;
  const [low, high] = column.range;
  return { length: high - low + 1, at: (position) => String(low + position) };
}

/** Of moments: ordinal levels count by their position, from 0. */
export function scaleOf(column: NumericField | LevelField): LinearScale {
  return isNumeric(column) ? rangeScale(column) : ordinalScale(column);
}

function levelAxis(column: StatisticsColumn): Axis {
  const levels = levelsOf(column) ?? { length: 0, at: () => '' };
  const first = isNumeric(column) ? column.range[0] : 0;
  return {
    column: fieldName(column),
    size: levels.length,
    binOf: (value) => value - first,
    levels: Array.from({ length: levels.length }, (_, position) => levels.at(position)),
    below: false,
    above: false,
  };
}

function histogramAxis(column: StatisticsColumn, { edges: given, bins }: HistogramRequest): Axis {
  if (!isNumeric(column) || (given === undefined && bins === undefined)) return levelAxis(column);
  const [low, high] = column.range;
  const edges = given ?? equalEdges(low, high, bins ?? 1);
  const [first = low] = edges;
  const last = edges.at(-1) ?? high;
  const below = first > low;
  const above = last < high;
  const within = edges.length - 1;
  return {
    column: fieldName(column),
    size: within + Number(below) + Number(above),
    binOf: (value) => {
      if (value < first) return 0;
      if (value > last) return within + Number(below);
      return Math.min(lastAtMost(edges, value), within - 1) + Number(below);
    },
    edges,
    below,
    above,
  };
}

/** Bins of the same width; the last edge is exactly the end of the range. */
export function equalEdges(low: number, high: number, bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, index) =>
    index === bins ? high : low * ((bins - index) / bins) + high * (index / bins),
  );
}

/** The position of the last edge that is at most the value; the first one is. */
function lastAtMost(edges: readonly number[], value: number): number {
  let low = 0;
  let high = edges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((edges[middle] ?? Infinity) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** How many values every entry asks for at the most, told before anything of that length is made. */
export function lengthsAsked({
  data_props: { columns },
  statistics,
}: StatisticsModel): { readonly field: string; readonly values: number }[] {
  const columnOf = (reference: ColumnReference): StatisticsColumn | undefined =>
    columns.find((each) => isColumn(each, reference));
  const levelCount = (reference: ColumnReference): number => {
    const column = columnOf(reference);
    return column === undefined ? 0 : (levelsOf(column)?.length ?? 0);
  };
  const { moments, covariance, histograms, contingency } = statistics;
  return [
    ...moments.map((_, index) => ({ field: `statistics.moments[${index}]`, values: 3 })),
    ...(covariance.length === 0
      ? []
      : [{ field: 'statistics.covariance', values: triangleLength(covariance.length) + 1 }]),
    ...histograms.map(({ column, edges, bins }, index) => ({
      field: `statistics.histograms[${index}]`,
      values: (edges === undefined ? (bins ?? levelCount(column)) : edges.length + 1) + 1,
    })),
    ...contingency.map(([left, right], index) => ({
      field: `statistics.contingency[${index}]`,
      values: levelCount(left) * levelCount(right) + 1,
    })),
  ];
}

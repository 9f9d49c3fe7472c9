/** Made-up records that a model.json accepts: every value within its range or one of its levels, by chance. */
import { type FieldPlace, isNumeric, type LevelField, type NumericField } from '../../learning/fields.ts';
import type { AnyModel } from '../../learning/model-document.ts';

type Column = FieldPlace & (NumericField | LevelField);

/** The columns of a model in the order of a data file. */
function columnsOf({ data_props }: AnyModel): (Column | undefined)[] {
  const asked: readonly Column[] =
    'columns' in data_props ? data_props.columns : [...data_props.features, data_props.target];
  const columns: (Column | undefined)[] = [];
  for (const column of asked) if (column.col_idx !== undefined) columns[column.col_idx] = column;
  let free = 0;
  for (const column of asked) {
    if (column.col_idx !== undefined) continue;
    while (columns[free] !== undefined) free += 1;
    columns[free] = column;
  }
  return Array.from(columns);
}

/** A data file. @param chance uniform in [0, 1) */
export function madeUpRecords(model: AnyModel, records: number, chance: () => number = Math.random): string {
  const columns = columnsOf(model);
  const delimiter = model.data_props.delimiter ?? ',';
  const line = (cells: readonly string[]): string => cells.map(quoted).join(delimiter);
  const header = columns.map((column, index) => column?.name ?? `column ${index}`);
  const rows = Array.from({ length: records }, () => line(columns.map((column) => madeUpValue(column, chance))));
  return `${[...(model.data_props.header ? [line(header)] : []), ...rows].join('\n')}\n`;
}

function quoted(text: string): string {
  return /^[A-Za-z0-9._+-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

function madeUpValue(column: Column | undefined, chance: () => number): string {
  if (column === undefined) return '0';
  if (!isNumeric(column)) return column.levels[Math.floor(chance() * column.levels.length)] ?? '';
  const [low, high] = column.range;
  const share = chance();
  const value = low * (1 - share) + high * share;
  if (column.type === 'discrete') return String(Math.min(high, Math.max(low, Math.round(value))));
  return String(Math.min(high, Math.max(low, Number(value.toPrecision(6)))));
}

/** Values of a line. */
export function cellsOfRecord(model: AnyModel): number {
  return columnsOf(model).length;
}

/** An owner's data set: a file or a query that is read when a job asks for it and never leaves. */
import { basename, resolve } from 'node:path';
import { statDataFile } from '../../src/config/files.ts';
import { SealsumError } from '../../src/errors.ts';
import { type ColumnProfile, profileColumn } from '../../src/learning/column-profile.ts';
import { type DataFormat, formatOf, readDataFile } from '../../src/learning/data-file.ts';
import { encodeTable, type FeatureMap, type Records } from '../../src/learning/features.ts';
import { fieldName } from '../../src/learning/fields.ts';
import { type AnyModel, columnsAsked } from '../../src/learning/model-document.ts';
import { encodeColumns, type StatisticsMap } from '../../src/learning/statistics/records.ts';
import type { FileSummary } from '../../src/learning/summarise.ts';
import { type SummaryOptions, summariseFile } from '../../src/learning/summarise-file.ts';
import type { Table } from '../../src/learning/table.ts';
import { turn } from '../../src/platform/event-loop.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';

/** A data set as its owner's own people see it. */
export interface DatasetView {
  readonly name: string;
  /** Of a query: the database, without the password. */
  readonly path: string;
  /** Of a file. */
  readonly bytes?: number;
  /** Of a file; RFC 3339. */
  readonly modified_at?: string;
  readonly format: DataFormat | 'query';
}

/** A column, as it may be declared in model.json. */
export interface DescribedColumn {
  /** Undefined where the file has no header. */
  readonly name?: string;
  /** Counted from 0. */
  readonly col_idx: number;
  readonly missing: number;
  /** Undefined where all are missing; `levels` in order, where they are few. */
  readonly values?:
    | { readonly kind: 'numbers'; readonly whole: boolean; readonly least: number; readonly greatest: number }
    | { readonly kind: 'texts'; readonly distinct: number; readonly levels?: readonly string[] };
}

/** What stands in it. */
export interface DatasetDescription extends DatasetView {
  readonly records: number;
  readonly columns: readonly DescribedColumn[];
}

/** What its columns look like. Exact: nothing of it goes to anybody but its owner's people. */
export type DatasetSummary = DatasetView & FileSummary;

export interface Dataset {
  /**
   * What the ledger and model.json call it: the file's name, or the query's. Whatever it holds, the same name spends the same budget; another
   * name says that the records are others.
   */
  readonly name: string;
  view(): Promise<DatasetView>;
  /** @param header whether a text's first line holds the names of the columns @throws SealsumError data_invalid naming the line */
  describe(header: boolean, signal: AbortSignal): Promise<DatasetDescription>;
  /** Computed once for a file as it is. @throws SealsumError data_invalid naming the line; aborted */
  summary(options: SummaryOptions): Promise<DatasetSummary>;
  /** As a job computes on it: the same records however often they are asked for. */
  heldFor(job: JobId): HeldDataset;
  /** What was kept for a job goes. */
  letGo(job: JobId): void;
}

export interface HeldDataset {
  readonly name: string;
  /** The records that a model asks for. @throws SealsumError data_invalid naming line and column */
  records(model: AnyModel, map: FeatureMap | StatisticsMap, signal: AbortSignal): Promise<Records>;
}

/**
 * The records of a table.
 *
 * @throws SealsumError data_invalid; its field is told to others, and is a column of the model or a setting of it, never another one of the data
 */
export async function recordsOf(
  model: AnyModel,
  map: FeatureMap | StatisticsMap,
  read: () => Promise<Table>,
): Promise<Records> {
  const asked = new Set(columnsAsked(model).map(fieldName));
  try {
    const table = await read();
    return 'features' in map ? encodeTable(map, table) : encodeColumns(map, table);
  } catch (error) {
    if (!(error instanceof SealsumError) || error.code !== 'data_invalid' || error.field === undefined) throw error;
    if (asked.has(error.field) || error.field.startsWith('data_props.')) throw error;
    const { message, line } = error;
    throw new SealsumError('data_invalid', message, { cause: error, ...(line === undefined ? {} : { line }) });
  }
}

/** What stands in a table, for its own people. Between two columns others have their turn. */
export async function describeTable(table: Table): Promise<Pick<DatasetDescription, 'records' | 'columns'>> {
  const columns: DescribedColumn[] = [];
  for (let column = 0; column < table.width; column += 1) {
    await turn();
    const name = table.header?.[column];
    columns.push({ ...(name === undefined ? {} : { name }), ...describeColumn(profileColumn(table, column)) });
  }
  return { records: table.rows.length, columns };
}

function describeColumn({ kind, counts, ...profile }: ColumnProfile): DescribedColumn {
  const { col_idx, missing, whole, least, greatest, distinct } = profile;
  if (kind === 'empty') return { col_idx, missing };
  if (kind === 'numbers') return { col_idx, missing, values: { kind, whole, least, greatest } };
  const levels = counts === undefined ? {} : { levels: [...counts.keys()].sort() };
  return { col_idx, missing, values: { kind: 'texts', distinct, ...levels } };
}

/** Opens a file as a data set. @throws SealsumError data_invalid when there is no such file */
export async function openDataset(path: string): Promise<Dataset> {
  const full = resolve(path);
  const name = basename(full);
  const view = async (): Promise<DatasetView> => {
    const found = await statDataFile(full, 'data');
    const format = await formatOf(full);
    return { name, path: full, bytes: found.size, modified_at: found.mtime.toISOString(), format };
  };
  await view();
  const held: HeldDataset = {
    name,
    records: (model, map, signal) => recordsOf(model, map, () => readDataFile(full, { ...model.data_props, signal })),
  };
  const summaries = new Map<boolean, { readonly of: string; readonly summary: Promise<FileSummary> }>();

  /** Who asks meanwhile waits for the same. */
  function summarised(of: string, options: SummaryOptions): Promise<FileSummary> {
    const { header } = options;
    const known = summaries.get(header);
    if (known?.of === of) return known.summary;
    const summary = summariseFile(full, options);
    summaries.set(header, { of, summary });
    summary.catch(() => {
      if (summaries.get(header)?.summary === summary) summaries.delete(header);
    });
    return summary;
  }

  return {
    name,
    view,
    summary: async (options) => {
      const seen = await view();
      return { ...seen, ...(await summarised(`${seen.bytes} ${seen.modified_at}`, options)) };
    },
    describe: async (header, signal) => {
      const table = await readDataFile(full, { header, signal });
      return { ...(await view()), ...(await describeTable(table)) };
    },
    // The file itself is neither replaced nor removed meanwhile.
    heldFor: () => held,
    letGo: () => undefined,
  };
}

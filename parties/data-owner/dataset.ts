/** An owner's data set: a CSV, TSV, JSON lines or Parquet file that is read when a job asks for it and never leaves. */
import { basename, resolve } from 'node:path';
import { statDataFile } from '../../src/config/files.ts';
import { type DataFormat, formatOf, readDataFile } from '../../src/learning/data-file.ts';
import { type DescribedColumn, describeColumns } from '../../src/learning/describe.ts';
import { encodeTable, type FeatureMap, type Records } from '../../src/learning/features.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import { encodeColumns, type StatisticsMap } from '../../src/learning/statistics/records.ts';

/** A data set as its owner's own people see it. */
export interface DatasetView {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** RFC 3339. */
  readonly modified_at: string;
  readonly format: DataFormat;
}

/** What stands in it. */
export interface DatasetDescription extends DatasetView {
  readonly records: number;
  readonly columns: readonly DescribedColumn[];
}

export interface Dataset {
  /**
   * What the ledger and model.json call it: the file's name. Whatever the file holds, the same name spends the same budget; another
   * name says that the records are others.
   */
  readonly name: string;
  view(): Promise<DatasetView>;
  /** @param header whether a text's first line holds the names of the columns @throws SealsumError data_invalid naming the line */
  describe(header: boolean, signal: AbortSignal): Promise<DatasetDescription>;
  /** The records that a model asks for. @throws SealsumError data_invalid naming line and column */
  records(model: AnyModel, map: FeatureMap | StatisticsMap, signal: AbortSignal): Promise<Records>;
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
  return {
    name,
    view,
    describe: async (header, signal) => {
      const table = await readDataFile(full, { header, signal });
      return { ...(await view()), records: table.rows.length, columns: describeColumns(table) };
    },
    records: async (model, map, signal) => {
      const table = await readDataFile(full, { ...model.data_props, signal });
      return 'features' in map ? encodeTable(map, table) : encodeColumns(map, table);
    },
  };
}

/** An owner's data set: a CSV or TSV file that is read when a job asks for it and never leaves. */
import { basename, resolve } from 'node:path';
import { statDataFile } from '../../src/config/files.ts';
import { encodeTable, type FeatureMap, type Records } from '../../src/learning/features.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import { encodeColumns, type StatisticsMap } from '../../src/learning/statistics/records.ts';
import { readTable } from '../../src/learning/table.ts';

/** A data set as its owner's own people see it. */
export interface DatasetView {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** RFC 3339. */
  readonly modified_at: string;
}

export interface Dataset {
  /**
   * What the ledger calls it: the file's name. Whatever the file holds, the same name spends the same budget; another name says that
   * the records are others.
   */
  readonly name: string;
  view(): Promise<DatasetView>;
  /** The records that a model asks for. @throws SealsumError data_invalid naming line and column */
  records(model: AnyModel, map: FeatureMap | StatisticsMap, signal: AbortSignal): Promise<Records>;
}

/** Opens a file as a data set. @throws SealsumError data_invalid when there is no such file */
export async function openDataset(path: string): Promise<Dataset> {
  const full = resolve(path);
  const name = basename(full);
  const view = async (): Promise<DatasetView> => {
    const found = await statDataFile(full, 'data');
    return { name, path: full, bytes: found.size, modified_at: found.mtime.toISOString() };
  };
  await view();
  return {
    name,
    view,
    records: async (model, map, signal) => {
      const table = await readTable({ path: full }, { ...model.data_props, signal });
      return 'features' in map ? encodeTable(map, table) : encodeColumns(map, table);
    },
  };
}

/**
 * A data set that is a query of a database. What it gives when a job is accepted is kept in a file for that job, which nobody else may read,
 * so that all rounds see the same records, after a restart too; the file goes when the job is over.
 */
import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, syncFolder } from '../../src/config/files.ts';
import { SealsumError } from '../../src/errors.ts';
import { readJsonLines } from '../../src/learning/json-lines.ts';
import { databaseName, type PostgresQuery, readQuery, withQuery } from '../../src/learning/postgres-query.ts';
import { summariseTable } from '../../src/learning/summarise.ts';
import type { Table } from '../../src/learning/table.ts';
import { type JobId, jobIdSchema } from '../../src/protocol/identifiers.ts';
import { type Dataset, type DatasetView, describeTable, recordsOf } from './dataset.ts';
import { writeWhole } from './whole-file.ts';

/** @param folder where the files are, each named after its job: beside the data sets that were uploaded */
export function openQueryDataset(query: PostgresQuery, folder: string): Dataset {
  const { name } = query;
  const view = (): DatasetView => ({ name, path: databaseName(query.url), format: 'query' });
  const keptFor = (job: JobId): string => join(folder, `.query-${job}@${name}`);
  let removing: Promise<unknown> = Promise.resolve();

  async function taken(path: string, signal: AbortSignal): Promise<Table> {
    const beside = join(folder, `.upload-${randomUUID()}`);
    try {
      await keepRows(query, beside, folder, signal);
      await rename(beside, path);
      await syncFolder(folder);
    } finally {
      await rm(beside, { force: true });
    }
    return await readRows(path, signal);
  }

  return {
    name,
    view: () => Promise.resolve(view()),
    describe: async (_header, signal) => ({ ...view(), ...(await describeTable(await readQuery(query, signal))) }),
    summary: async ({ signal }) => ({ ...view(), ...(await summariseTable(await readQuery(query, signal))) }),
    heldFor: (job) => ({
      name,
      records: (model, map, signal) =>
        recordsOf(model, map, async () => {
          await removing;
          const path = keptFor(job);
          return (await exists(path)) ? await readRows(path, signal) : await taken(path, signal);
        }),
    }),
    letGo: (job) => {
      removing = removing.then(() => rm(keptFor(job), { force: true })).catch(() => undefined);
    },
  };
}

/** For which job such a file was kept, by its name; undefined for other files. */
export function jobOfKept(file: string): JobId | undefined {
  return jobIdSchema.safeParse(/^\.query-([^@]+)@/.exec(file)?.[1]).data;
}

/** The names on the first line, then a row a line. Nobody else's to read, and on the disk. */
async function keepRows(query: PostgresQuery, path: string, folder: string, signal: AbortSignal): Promise<void> {
  await writeWhole(folder, path, async (file) => {
    const rows = await withQuery(query, signal, async ({ names, portions }) => {
      let count = 0;
      await file.writeFile(`${JSON.stringify(names)}\n`);
      for await (const portion of portions) {
        await file.writeFile(portion.map((row) => `${JSON.stringify(row)}\n`).join(''));
        count += portion.length;
      }
      return count;
    });
    if (rows === 0) throw new SealsumError('data_invalid', `data set ${query.name}: the query gives no row`);
  });
}

async function readRows(path: string, signal: AbortSignal): Promise<Table> {
  const table = await readJsonLines({ path }, { header: true, signal });
  return { ...table, headerLine: undefined, lines: table.lines.map((_, index) => index + 1), place: 'row' };
}

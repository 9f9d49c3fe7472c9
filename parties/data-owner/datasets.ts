/**
 * The data sets of an owner: the file and the queries that its config.toml names, and what its own people have uploaded to a folder.
 *
 * A file is received under another name, read from beginning to end, flushed to the disk, and then given its name, so that whatever has
 * a name is whole. What a job that is not over computes on is neither replaced nor removed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exists, reasonOf, syncFolder } from '../../src/config/files.ts';
import { SealsumError } from '../../src/errors.ts';
import { datasetName } from '../../src/learning/column-schema.ts';
import { readDataFile } from '../../src/learning/data-file.ts';
import type { PostgresQuery } from '../../src/learning/postgres-query.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import { type Dataset, type DatasetView, type HeldDataset, openDataset } from './dataset.ts';
import { jobOfKept, openQueryDataset } from './query-dataset.ts';
import { writeWhole } from './whole-file.ts';

export interface NewDataset {
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Whether it may take the place of another one of this name. */
  readonly replace: boolean;
}

/** For jobs. */
export interface DatasetHolder {
  /**
   * The data set that a job computes on, which stays as it is until the job lets go of it.
   *
   * @param name what the job's document says; undefined: that of config.toml, or the only one there is
   * @throws SealsumError dataset_unknown, of which others may be told
   */
  hold(job: JobId, name: string | undefined): HeldDataset;
  /** The same without holding it. @throws SealsumError dataset_unknown */
  chosen(name: string | undefined): Pick<Dataset, 'name'>;
  letGo(job: JobId): void;
  /** Removes what earlier processes have kept for other jobs than these. @throws SealsumError config_invalid */
  keepOnly(jobs: ReadonlySet<JobId>): Promise<void>;
}

/** For the owner's own people. */
export interface Datasets extends DatasetHolder {
  /** The file of config.toml first, then its queries, then by name. @throws SealsumError data_invalid when a file is gone */
  views(): Promise<readonly DatasetView[]>;
  /** What the ledger may be asked for. */
  names(): readonly string[];
  /** @throws SealsumError dataset_unknown */
  named(name: string): Dataset;
  /**
   * Receives a data set. The very same again changes nothing.
   *
   * @throws SealsumError data_invalid naming the line or column, dataset_conflict, message_invalid for a name that is none; aborted; what
   *   reading the content throws. Nothing of it is left then.
   */
  add(dataset: NewDataset, signal: AbortSignal): Promise<{ readonly created: boolean; readonly view: DatasetView }>;
  /** Removes an uploaded one. What was spent on it stays in the ledger. @throws SealsumError dataset_unknown, dataset_conflict */
  remove(name: string): Promise<void>;
}

const uploading = /^\.upload-/;

/**
 * @param file the path of the one that config.toml names
 * @param queries those that config.toml names
 * @param folder where uploads go, and what queries gave to jobs; made when there is one
 * @throws SealsumError data_invalid, config_invalid
 */
export async function openDatasets({
  file,
  queries = [],
  folder,
}: {
  readonly file?: string | undefined;
  readonly queries?: readonly PostgresQuery[];
  readonly folder: string;
}): Promise<Datasets> {
  const place = resolve(folder);
  const configured = file === undefined ? undefined : await openDataset(file);
  const asked = new Map(queries.map((query) => [query.name, openQueryDataset(query, place)]));
  const uploaded = new Map<string, Dataset>();
  /** Those under way, and whether their documents name the data set. */
  const held = new Map<JobId, { readonly name: string; readonly asked: boolean }>();
  /** One change after the other. */
  let turn: Promise<unknown> = Promise.resolve();

  for (const name of await readdir(place).catch(nothingThere)) {
    // What a process that died had not received.
    if (uploading.test(name)) await rm(join(place, name), { force: true });
    else if (datasetName.test(name) && name !== configured?.name && !asked.has(name))
      uploaded.set(name, await openDataset(join(place, name)));
  }

  const all = (): readonly Dataset[] => [
    ...(configured === undefined ? [] : [configured]),
    ...asked.values(),
    ...[...uploaded.keys()].sort().flatMap((name) => uploaded.get(name) ?? []),
  ];
  const find = (name: string): Dataset | undefined =>
    configured?.name === name ? configured : (asked.get(name) ?? uploaded.get(name));

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  }

  function chosen(name: string | undefined): Dataset {
    if (name !== undefined) return named(name);
    const [only, ...others] = all();
    if (configured !== undefined) return configured;
    if (only === undefined) throw unknown('this owner has no data set; upload one with POST /datasets');
    if (others.length > 0)
      throw unknown('this owner has several data sets; model.json must name one in data_props.dataset');
    return only;
  }

  function named(name: string): Dataset {
    const found = find(name);
    if (found === undefined) throw unknown(`this owner has no data set ${name}`);
    return found;
  }

  function requireFree(name: string): void {
    if (name === configured?.name)
      throw conflict(`${name} is the file that config.toml names; upload under another name, or change it there`);
    if (asked.has(name))
      throw conflict(`${name} is a query that config.toml names; upload under another name, or change it there`);
    const job = [...held].find(([, each]) => each.name === name)?.[0];
    if (job !== undefined)
      throw conflict(`job ${job} computes on ${name}; wait for its end, or upload under another name`);
  }

  async function putInPlace(
    beside: string,
    { name, replace }: NewDataset,
    signal: AbortSignal,
  ): Promise<{ readonly created: boolean; readonly view: DatasetView }> {
    const path = join(place, name);
    const before = uploaded.get(name);
    if (before !== undefined && (await digestOf(beside, signal)) === (await digestOf(path, signal)))
      return { created: false, view: await before.view() };
    if (before !== undefined && !replace)
      throw conflict(
        `there is another data set ${name}; add replace=true if these are the same people's records (what was spent on them stays ` +
          'spent), or upload under another name',
      );
    if (before === undefined && (await exists(path)))
      throw conflict(`the folder of data sets has a file ${name} that was not there when this owner started`);
    requireFree(name);
    // After a restart nobody would know any more which one was meant.
    const unasked = [...held].find(([, each]) => !each.asked)?.[0];
    if (before === undefined && configured === undefined && unasked !== undefined)
      throw conflict(
        `job ${unasked} computes on the only data set without naming it; wait for its end, or have jobs name it in data_props.dataset`,
      );
    await rename(beside, path);
    await syncFolder(place);
    const dataset = await openDataset(path);
    uploaded.set(name, dataset);
    return { created: before === undefined, view: await dataset.view() };
  }

  return {
    views: () => Promise.all(all().map((dataset) => dataset.view())),
    names: () => all().map(({ name }) => name),
    named,
    chosen,
    hold: (job, name) => {
      const dataset = chosen(name);
      held.set(job, { name: dataset.name, asked: name !== undefined });
      return dataset.heldFor(job);
    },
    letGo: (job) => {
      held.delete(job);
      for (const query of asked.values()) query.letGo(job);
    },
    keepOnly: async (jobs) => {
      for (const name of await readdir(place).catch(nothingThere)) {
        const job = jobOfKept(name);
        if (job !== undefined && !jobs.has(job)) await rm(join(place, name), { force: true });
      }
    },
    add: async (dataset, signal) => {
      const { name, content } = dataset;
      if (!datasetName.test(name))
        throw new SealsumError(
          'message_invalid',
          'name: expected letters, digits, dots, dashes and underscores, at most 100, a letter or digit first: trial-2026.csv',
          { field: 'name' },
        );
      if (name === configured?.name || asked.has(name)) requireFree(name);
      const beside = join(place, `.upload-${randomUUID()}`);
      try {
        await receive(beside, content, place, signal);
        // Everything that can be said of it without a model: that it is a table.
        await readDataFile(beside, { header: false, signal });
        return await inTurn(() => putInPlace(beside, dataset, signal));
      } finally {
        await rm(beside, { force: true });
      }
    },
    remove: (name) =>
      inTurn(async () => {
        named(name);
        requireFree(name);
        await rm(join(place, name), { force: true });
        await syncFolder(place);
        uploaded.delete(name);
      }),
  };
}

/** Nobody else's to read, and on the disk. */
async function receive(
  path: string,
  content: AsyncIterable<Uint8Array>,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await writeWhole(folder, path, async (file) => {
    for await (const chunk of content) {
      if (signal.aborted) throw new SealsumError('aborted', 'receiving the data set was stopped');
      await file.writeFile(chunk);
    }
  });
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

function nothingThere(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
  throw new SealsumError('config_invalid', `datasets: the folder cannot be read: ${reasonOf(error)}`, {
    field: 'datasets',
    cause: error,
  });
}

function unknown(message: string): SealsumError {
  return new SealsumError('dataset_unknown', message, { field: 'data_props.dataset' });
}

function conflict(message: string): SealsumError {
  return new SealsumError('dataset_conflict', message, { field: 'name' });
}

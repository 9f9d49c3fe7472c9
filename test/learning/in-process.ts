/** A whole training in one process without encryption: split, contribute, add the integers, absorb, until it is finished. */
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import type { FeatureMap, Records } from '../../src/learning/features.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import type { Model } from '../../src/learning/model.ts';
import { parseModel } from '../../src/learning/model.ts';
import type { Table, TableSource } from '../../src/learning/table.ts';
import { readTable } from '../../src/learning/table.ts';
import type { Task } from '../../src/learning/task.ts';
import { contribution, createTask, statisticsOf } from '../../src/learning/task.ts';
import type { Trainer } from '../../src/learning/trainer.ts';
import { createTrainer } from '../../src/learning/trainer.ts';

export interface Setting {
  readonly model: Model;
  readonly map: FeatureMap;
  readonly task: Task;
  readonly table: Table;
  /** All rows. */
  readonly records: Records;
}

export async function prepare(json: unknown, source: TableSource): Promise<Setting> {
  const model = parseModel(json);
  const map = compileFeatures(model);
  const table = await readTable(source, model.data_props);
  return { model, map, task: createTask(model, map), table, records: encodeTable(map, table) };
}

/** The records of one owner: the rows for which `keep` says so. */
export function share({ map, table }: Setting, keep: (row: number) => boolean): Records {
  const kept = table.rows.map((_, index) => index).filter(keep);
  return encodeTable(map, {
    ...table,
    rows: kept.map((index) => table.rows[index] ?? []),
    lines: kept.map((index) => table.lines[index] ?? 0),
  });
}

/** Every row goes to the next owner in turn. */
export function deal(setting: Setting, owners: number): Records[] {
  return Array.from({ length: owners }, (_, owner) => share(setting, (row) => row % owners === owner));
}

export function addUp(vectors: readonly WeightedVector[]): WeightedVector {
  const [first] = vectors;
  return {
    weight: vectors.reduce((sum, { weight }) => sum + weight, 0n),
    values: (first?.values ?? []).map((_, index) =>
      vectors.reduce((sum, { values }) => sum + (values[index] ?? 0n), 0n),
    ),
  };
}

/** @param noise what the model owner adds to a sum, nothing unless given */
export function train(
  { model, map, task }: Pick<Setting, 'model' | 'map' | 'task'>,
  owners: readonly Records[],
  noise: (sum: WeightedVector) => WeightedVector = (sum) => sum,
): Trainer {
  const trainer = createTrainer(model, map, task);
  while (!trainer.finished) {
    const { parameters } = trainer;
    const sum = addUp(owners.map((records) => contribution(task, records, parameters)));
    trainer.absorb(statisticsOf(task, noise(sum), owners.length));
  }
  return trainer;
}

/** The greatest |a − b| / |b|, over all positions. */
export function relativeDifference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length || a.length === 0) return Number.POSITIVE_INFINITY;
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? 0)) / Math.abs(b[index] ?? 0)));
}

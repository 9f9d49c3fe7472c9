/**
 * What is summed in a simulation: one record an owner, with a one where no other owner has one. Two of the same contribution in
 * a sum, or one that is missing, show in the sum itself.
 */
import type { DatasetHolder } from '../../parties/data-owner/datasets.ts';
import { encodeTable, type FeatureMap, type Records } from '../../src/learning/features.ts';
import type { Table } from '../../src/learning/table.ts';

/** A model.json over one column an owner. */
export function modelDocument(options: {
  readonly owners: number;
  readonly training: Readonly<Record<string, unknown>>;
  readonly quorum: number;
  readonly deadlineSeconds: number;
}): object {
  const { owners, training, quorum, deadlineSeconds } = options;
  return {
    model_type: 'LINEAR_REGRESSION',
    data_props: {
      features: columns(owners).map((name) => ({ name, type: 'continuous', range: [0, 1] })),
      target: { name: 'outcome', range: [0, 100] },
    },
    training: { l2: 0.1, ...training },
    encryption: { key_bits: 2048 },
    participation: { quorum, deadline_seconds: deadlineSeconds },
  };
}

/** The one record of an owner, counted from 0. */
export function recordsOf(owner: number, owners: number, map: FeatureMap): Records {
  const names = columns(owners);
  const table: Table = {
    header: [...names, 'outcome'],
    headerLine: 1,
    width: owners + 1,
    delimiter: ',',
    rows: [[...names.map((_, index) => (index === owner ? '1' : '0')), String(10 * (owner + 1))]],
    lines: [2],
    place: 'line',
  };
  return encodeTable(map, table);
}

/** The same as the only data set. */
export function datasetsOf(owner: number, owners: number): DatasetHolder {
  const records = (_model: unknown, map: FeatureMap): Promise<Records> =>
    Promise.resolve(recordsOf(owner, owners, map));
  const dataset = { name: 'one-hot', records };
  return { hold: () => dataset, chosen: () => dataset, letGo: () => undefined, keepOnly: () => Promise.resolve() };
}

function columns(owners: number): string[] {
  return Array.from({ length: owners }, (_, index) => `owner_${index}`);
}

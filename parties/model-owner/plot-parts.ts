/** What the pictures of models have in common. */
import type { LegendEntry } from '../../src/charts/panels.ts';
import type { ModelRecord } from '../../src/storage/model-store.ts';

const fewText = 'fewer than 10 records';

export function legendOfFew(small: readonly boolean[], kind: 'bar' | 'point'): LegendEntry[] {
  return small.includes(true) ? [{ kind, class: 'few', text: fewText }] : [];
}

export function titled(what: string, { id, model }: ModelRecord): string {
  return `${what}: ${model.name ?? id}`;
}

/** A number for people, to four digits. */
export function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}

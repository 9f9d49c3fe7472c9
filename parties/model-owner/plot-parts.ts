/** What the pictures of models have in common. */
import type { LegendEntry, Shape } from '../../src/charts/panels.ts';
import { shortened } from '../../src/charts/text.ts';
import type { Bins } from '../../src/learning/inference/diagnostics.ts';
import type { ModelRecord } from '../../src/storage/model-store.ts';

const fewText = 'fewer than 10 records';

export function legendOfFew(small: readonly boolean[], kind: 'bar' | 'point'): LegendEntry[] {
  return small.includes(true) ? [{ kind, class: 'few', text: fewText }] : [];
}

/** A bar for every bin that has records. */
export function countBars({ edges, counts, small }: Bins): Shape[] {
  return counts.flatMap((count, bin): Shape[] => {
    if (count === 0) return [];
    const [from, to] = [edges[bin] ?? 0, edges[bin + 1] ?? 0];
    return [{ kind: 'bar', from, to, height: count, class: small[bin] === true ? 'few' : 'mark' }];
  });
}

/** A point for a bin, with how far up and down it may be where that is known. */
export function markedPoint(
  [x, y]: readonly [number, number],
  spread: readonly [number, number] | undefined,
  isSmall: boolean,
  label: string,
): Shape[] {
  const line = spread?.map((each) => [x, each] as const);
  return [
    ...(line === undefined ? [] : [{ kind: 'line', points: line, class: isSmall ? 'spreadfew' : 'spread' } as const]),
    { kind: 'point', x, y, class: isSmall ? 'few' : 'mark', label },
  ];
}

export function titled(what: string, { id, model }: ModelRecord): string {
  return `${what}: ${model.name ?? id}`;
}

/** A column or class in the label of an axis. */
export function labelled(name: string): string {
  return shortened(name, 28);
}

/** A number for people, to four digits. */
export function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}

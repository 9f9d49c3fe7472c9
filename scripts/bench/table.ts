/** Tables of text, and numbers as people read them. */

/** A table's lines: the first columns to the left, the others to the right, each as wide as it has to be. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left: number): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => (column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** The units that times are told in, each from so many milliseconds on. */
const units = [
  { unit: 'd', ms: 86_400_000, from: 172_800_000 },
  { unit: 'h', ms: 3_600_000, from: 7_200_000 },
  { unit: 's', ms: 1000, from: 1000 },
  { unit: 'ms', ms: 1, from: 0.1 },
] as const;

/** A time in milliseconds, to three digits. */
export function duration(ms: number): string {
  const { unit, ms: one } = units.find(({ from }) => ms >= from) ?? { unit: 'µs', ms: 1e-3 };
  return `${Number((ms / one).toPrecision(3))} ${unit}`;
}

export function megabytes(bytes: number): string {
  return `${Number((bytes / 1e6).toPrecision(2))} MB`;
}

/** Bytes, to three digits. */
export function size(bytes: number): string {
  return bytes >= 1e6 ? `${Number((bytes / 1e6).toPrecision(3))} MB` : `${Number((bytes / 1e3).toPrecision(3))} kB`;
}

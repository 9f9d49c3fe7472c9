/** Records as numbers, and what is done with several of them at once. */

export interface Records {
  readonly count: number;
  readonly width: number;
  /** count × width, row by row; the first column is 1, all are within [−1, 1]. */
  readonly x: Float64Array;
  /** The target of every record: scaled to [−1, 1], or for classifiers the index of its class. */
  readonly y: Float64Array;
  /** The line of the data file that each record comes from. */
  readonly lines: Int32Array;
  /** Records left out because a value was missing where the model says `drop`. */
  readonly dropped: number;
  /** Where a model divides records (division.ts): 1 for one that is held out and 0 for the others; or its fold, counted from 0. */
  readonly parts?: Uint8Array | undefined;
}

/** The same records in memory that threads share, so that none of them needs a copy. */
export function shareRecords(records: Records): Records {
  return { ...records, x: shared(records.x), y: shared(records.y) };
}

function shared(numbers: Float64Array): Float64Array {
  const copy = new Float64Array(new SharedArrayBuffer(numbers.byteLength));
  copy.set(numbers);
  return copy;
}

/** The records at these positions, in their order. */
export function selectRecords(records: Records, positions: readonly number[]): Records {
  const { width, parts } = records;
  const x = new Float64Array(positions.length * width);
  for (const [index, position] of positions.entries())
    x.set(records.x.subarray(position * width, (position + 1) * width), index * width);
  return {
    count: positions.length,
    width,
    x,
    y: Float64Array.from(positions, (position) => records.y[position] ?? 0),
    lines: Int32Array.from(positions, (position) => records.lines[position] ?? 0),
    dropped: records.dropped,
    ...(parts === undefined ? {} : { parts: Uint8Array.from(positions, (position) => parts[position] ?? 0) }),
  };
}

/** Those in one part; all of them where they are not divided and it is the first. */
export function recordsInPart(records: Records, part: number): Records {
  const { parts, count } = records;
  if (parts === undefined && part === 0) return records;
  const positions: number[] = [];
  for (let index = 0; index < count; index += 1) if (parts?.[index] === part) positions.push(index);
  return selectRecords(records, positions);
}

/** The records of several owners in one place, each in the part that its owner has it in. @param all at least one, of one width */
export function joinRecords(all: readonly Records[]): Records {
  const count = all.reduce((sum, records) => sum + records.count, 0);
  const width = all[0]?.width ?? 0;
  const x = new Float64Array(count * width);
  const y = new Float64Array(count);
  const lines = new Int32Array(count);
  const parts = new Uint8Array(count);
  let at = 0;
  for (const records of all) {
    x.set(records.x, at * width);
    y.set(records.y, at);
    lines.set(records.lines, at);
    if (records.parts !== undefined) parts.set(records.parts, at);
    at += records.count;
  }
  const dropped = all.reduce((sum, records) => sum + records.dropped, 0);
  return { count, width, x, y, lines, dropped, ...(all[0]?.parts === undefined ? {} : { parts }) };
}

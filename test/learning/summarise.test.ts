/** Summaries of columns against definitions, on records of any kind; on a thread and here. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteFile } from 'hyparquet-writer';
import { suite } from 'uvu';
import { type ColumnSummary, type NumbersSummary, summariseTable } from '../../src/learning/summarise.ts';
import { summariseFile } from '../../src/learning/summarise-file.ts';
import { createThreadPool } from '../../src/threads/pool.ts';

const test = suite('summaries of columns');

const never = new AbortController().signal;

async function column(...cells: readonly string[]): Promise<ColumnSummary> {
  const { columns } = await summariseTable({ header: ['x'], rows: cells.map((cell) => [cell]), width: 1 });
  return columns[0] ?? assert.fail('no column');
}

async function numbers(...cells: readonly string[]): Promise<NumbersSummary> {
  const { values } = await column(...cells);
  assert.ok(values?.kind === 'numbers');
  return values;
}

test('by hand', async () => {
  assert.deepEqual(await column('3', '1', '', '2', '2', 'NA'), {
    name: 'x',
    col_idx: 0,
    count: 4,
    missing: 2,
    values: {
      kind: 'numbers',
      whole: true,
      distinct: 3,
      minimum: 1,
      maximum: 3,
      mean: 2,
      standard_deviation: Math.sqrt(2 / 3),
      quartiles: [1, 2, 2],
      histogram: { edges: [1, 2, 3, 4], counts: [1, 2, 1] },
    },
  });
  assert.deepEqual((await column('b', 'a', 'c', 'c', '?', '7')).values, {
    kind: 'texts',
    distinct: 4,
    most_frequent: [
      { value: 'c', count: 2 },
      { value: '7', count: 1 },
      { value: 'a', count: 1 },
      { value: 'b', count: 1 },
    ],
  });
  assert.deepEqual(await column('', 'null'), { name: 'x', col_idx: 0, count: 0, missing: 2 });
  const { columns, records } = await summariseTable({ header: undefined, rows: [['1', 'a']], width: 2 });
  assert.deepEqual(
    [records, columns.map(({ name, col_idx }) => [name, col_idx])],
    [
      1,
      [
        [undefined, 0],
        [undefined, 1],
      ],
    ],
  );
});

test('one value, the same value, and numbers at the ends of what doubles hold', async () => {
  const one = await numbers('5');
  assert.deepEqual([one.standard_deviation, one.histogram], [null, { edges: [5, 5], counts: [1] }]);
  assert.deepEqual((await numbers('0.1', '0.1', '0.1')).histogram, { edges: [0.1, 0.1], counts: [3] });
  const far = await numbers('-1e308', '1e308', '1e308');
  assert.ok(Math.abs(far.mean - 1e308 / 3) < 1e295);
  assert.deepEqual([far.histogram.counts[0], far.histogram.counts.at(-1)], [1, 2]);
  // What is too great for a double is no number.
  assert.equal((await column('1e999', '1')).values?.kind, 'texts');
  assert.equal(
    (await numbers('9007199254740993', '9007199254740991')).histogram.counts.reduce((sum, each) => sum + each),
    2,
  );
});

test('any numbers: every value is in the bin that holds it, and moments are those of the definition', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.integer({ min: -30, max: 30 }), fc.double({ min: -1e6, max: 1e6, noNaN: true })), {
        minLength: 2,
        maxLength: 200,
      }),
      async (values) => {
        const found = await numbers(...values.map((value) => value.toExponential(20).replace('e+', 'e')));
        const { edges, counts } = found.histogram;
        assert.equal(counts.length, edges.length - 1);
        for (const [bin, count] of counts.entries()) {
          const [from = 0, to = 0] = edges.slice(bin, bin + 2);
          const isLast = bin === counts.length - 1;
          const inside = values.filter((value) => value >= from && (isLast ? value <= to : value < to));
          assert.equal(count, inside.length, `bin ${bin}`);
        }
        const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
        const variance = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (values.length - 1);
        const near = (left: number, right: number): boolean =>
          Math.abs(left - right) <= 1e-9 * (1 + found.maximum - found.minimum);
        assert.ok(near(found.mean, mean), `${found.mean} ${mean}`);
        assert.ok(near(found.standard_deviation ?? -1, Math.sqrt(variance)));
        for (const [index, quartile] of found.quartiles.entries()) {
          const share = (index + 1) / 4;
          assert.ok(values.filter((value) => value <= quartile).length >= share * values.length);
          assert.ok(values.filter((value) => value < quartile).length < share * values.length);
        }
        assert.equal(found.distinct, new Set(values.map((value) => value + 0)).size);
      },
    ),
  );
});

test('texts are told by how often they occur, and no more than ten of them', async () => {
  const cells = Array.from({ length: 12 }, (_, index) =>
    Array.from({ length: index + 1 }, () => `level ${index}`),
  ).flat();
  const { values } = await column(...cells);
  assert.ok(values?.kind === 'texts');
  assert.equal(values.distinct, 12);
  assert.deepEqual(
    values.most_frequent.map(({ count }) => count),
    [12, 11, 10, 9, 8, 7, 6, 5, 4, 3],
  );
});

test('a thread says the same as this one, of texts and of Parquet, and refuses the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-summary-'));
  const pool = createThreadPool({ threads: 1 });
  try {
    const path = join(folder, 'a.csv');
    await writeFile(path, 'age,city\n40,Bern\n41,Köln\n,Bern\n');
    const parquet = join(folder, 'a.parquet');
    parquetWriteFile({
      filename: parquet,
      columnData: [
        { name: 'age', data: [40, 41, null], type: 'DOUBLE' },
        { name: 'city', data: ['Bern', 'Köln', 'Bern'], type: 'STRING' },
      ],
    });
    const here = await summariseFile(path, { header: true, signal: never });
    assert.deepEqual(
      here.columns.map(({ missing }) => missing),
      [1, 0],
    );
    for (const each of [path, parquet])
      assert.deepEqual(await summariseFile(each, { header: true, pool, signal: never }), here, each);
    await writeFile(path, 'age,city\n40,Bern,1\n');
    for (const option of [{}, { pool }])
      await assert.rejects(summariseFile(path, { header: true, signal: never, ...option }), {
        code: 'data_invalid',
        line: 2,
      });
  } finally {
    await pool.close();
    await rm(folder, { recursive: true });
  }
});

test.run();

/** Parquet files as tables, as another program writes them (hyparquet-writer), and files that are damaged. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type ParquetWriteOptions, parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { readDataFile } from '../../src/learning/data-file.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { readParquet } from '../../src/learning/parquet.ts';
import { readTable } from '../../src/learning/table.ts';

interface Context {
  folder: string;
}

const test = suite<Context>('parquet', { folder: '' });

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'sealsum-parquet-'));
});
test.after(async ({ folder }) => {
  await rm(folder, { recursive: true, force: true });
});

type Column = ParquetWriteOptions['columnData'][number];

async function written(folder: string, columnData: Column[], options: object = {}): Promise<string> {
  const path = join(folder, `${Math.random()}.data`);
  await writeFile(path, Buffer.from(parquetWriteBuffer({ columnData, ...options })));
  return path;
}

async function refusal(work: Promise<unknown>): Promise<SealsumError> {
  const error: unknown = await work.then(
    () => 'nothing was refused',
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SealsumError, String(error));
  return error;
}

const anyHeader = { header: true };

/** Milliseconds that are given to files which may keep their reader busy for ever. */
const patience = 4000;

const dose = process.env.SLOW === undefined ? 1 : 10;

test('every type of column becomes the text that a CSV file would have', async ({ folder }) => {
  const path = await written(folder, [
    { name: 'weight', data: [1.5, -2, null], type: 'DOUBLE', nullable: true },
    { name: 'group', data: ['x', ' y ', null], type: 'STRING', nullable: true },
    { name: 'stays', data: [1n, -2n, 2n ** 53n + 1n], type: 'INT64' },
    { name: 'age', data: [1, 2, 3], type: 'INT32' },
    { name: 'again', data: [true, false, true], type: 'BOOLEAN' },
    { name: 'seen', data: [new Date(0), new Date(1e12), new Date(2e12)], type: 'TIMESTAMP' },
  ]);
  // What `header` says is of text only.
  for (const header of [true, false]) {
    const table = await readDataFile(path, { header });
    assert.deepEqual(table.header, ['weight', 'group', 'stays', 'age', 'again', 'seen']);
    assert.deepEqual(table.rows, [
      ['1.5', 'x', '1', '1', 'true', '1970-01-01T00:00:00.000Z'],
      ['-2', 'y', '-2', '2', 'false', '2001-09-09T01:46:40.000Z'],
      ['', '', '9007199254740993', '3', 'true', '2033-05-18T03:33:20.000Z'],
    ]);
    assert.deepEqual([table.lines, table.place, table.width], [[1, 2, 3], 'record', 6]);
  }
});

test('the same records in CSV and in Parquet give the same to a model, whatever the size of row groups', async ({
  folder,
}) => {
  const model = parseModel({
    model_type: 'LINEAR_REGRESSION',
    data_props: {
      features: [
        { name: 'x', type: 'continuous', range: [-1e6, 1e6], missing: 0 },
        { name: 'kind', type: 'nominal', levels: ['a', 'b', 'c'] },
      ],
      target: { name: 'y', range: [-1e6, 1e6] },
    },
  });
  const map = compileFeatures(model);
  const cell = fc.record({
    x: fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true })),
    kind: fc.constantFrom('a', 'b', 'c'),
    y: fc.integer({ min: -1e6, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(cell, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 70 }),
      fc.constantFrom('SNAPPY' as const, 'UNCOMPRESSED' as const),
      async (cells, rowGroupSize, codec) => {
        const columns: Column[] = [
          { name: 'x', data: cells.map(({ x }) => x), type: 'DOUBLE', nullable: true },
          { name: 'kind', data: cells.map(({ kind }) => kind), type: 'STRING' },
          { name: 'y', data: cells.map(({ y }) => y), type: 'INT32' },
        ];
        const path = await written(folder, columns, { rowGroupSize, codec });
        const text = ['x,kind,y', ...cells.map(({ x, kind, y }) => `${x ?? ''},${kind},${y}`)].join('\n');
        const [left, right] = [await readDataFile(path, anyHeader), await readTable({ text }, anyHeader)];
        const [ours, theirs] = [encodeTable(map, left), encodeTable(map, right)];
        assert.deepEqual([ours.x, ours.y, ours.count], [theirs.x, theirs.y, theirs.count]);
      },
    ),
    { numRuns: 10 * dose },
  );
});

test('more records than are read at once come in their order', async ({ folder }) => {
  const data = Array.from({ length: 40_000 }, (_, index) => index);
  const path = await written(folder, [{ name: 'n', data, type: 'INT32' }], { rowGroupSize: 7000 });
  const { rows, lines } = await readDataFile(path, anyHeader);
  assert.deepEqual(
    rows.map(([cell]) => Number(cell)),
    data,
  );
  assert.equal(lines.at(-1), 40_000);
});

test('a value that does not fit is told by its record, and by no word of itself', async ({ folder }) => {
  const model = parseModel({
    model_type: 'LINEAR_REGRESSION',
    data_props: { features: [{ name: 'x', type: 'continuous', range: [0, 1] }], target: { name: 'y', range: [0, 9] } },
  });
  const path = await written(folder, [
    { name: 'x', data: [0.5, 7.125], type: 'DOUBLE' },
    { name: 'y', data: [1, 2], type: 'INT32' },
  ]);
  const table = await readDataFile(path, anyHeader);
  const error = await refusal(Promise.resolve(table).then((found) => encodeTable(compileFeatures(model), found)));
  assert.deepEqual([error.code, error.field, error.line], ['data_invalid', 'x', 2]);
  assert.match(error.message, /^record 2, x: expected a number within \[0, 1\]/);
  assert.doesNotMatch(error.message, /7\.125/);
});

test('columns that are no single values, of one name, or none, are refused by name', async ({ folder }) => {
  const lists = await written(folder, [{ name: 'tags', data: [{ a: 1 }, { a: 2 }], type: 'JSON' }]);
  assert.deepEqual((await refusal(readDataFile(lists, anyHeader))).field, 'tags');
  const twice = await written(folder, [
    { name: 'x', data: [1], type: 'INT32' },
    { name: 'x ', data: [1], type: 'INT32' },
  ]);
  assert.match(
    (await refusal(readDataFile(twice, anyHeader))).message,
    /^x: the data file has two columns of this name/,
  );
  const empty = await written(folder, [{ name: 'x', data: [], type: 'INT32' }]);
  assert.match((await refusal(readDataFile(empty, anyHeader))).message, /columns and no records/);
});

test('a damaged file is refused whatever is damaged in it, and says nothing of what stands in it', async ({
  folder,
}) => {
  const data = Array.from({ length: 50 }, (_, index) => `secret-${index}`);
  const bytes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'x', data, type: 'STRING' }] }));
  const path = join(folder, 'damaged.parquet');
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 4, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, change, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.with(at, (bytes[at] ?? 0) ^ change);
        await writeFile(path, damaged);
        try {
          await readParquet(path, undefined, patience);
          assert.ok(!cut, 'a file without its end was read');
        } catch (error) {
          assert.ok(error instanceof SealsumError, String(error));
          assert.equal(error.code, 'data_invalid');
          assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/);
          refused += 1;
        }
      },
    ),
    { numRuns: 25 * dose },
  );
  assert.ok(refused > 5, `${refused} were refused`);
});

test('a file that would be read for ever is given up, and others are served meanwhile', async ({ folder }) => {
  const data = Array.from({ length: 50 }, (_, index) => `secret-${index}`);
  const bytes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'x', data, type: 'STRING' }] }));
  const path = join(folder, 'endless.parquet');
  // A byte of a page's header: its reader counts without getting on.
  await writeFile(path, bytes.with(13, (bytes[13] ?? 0) ^ 4));
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 10);
  const error = await refusal(readParquet(path, undefined, 3000)).finally(() => {
    clearInterval(ticking);
  });
  assert.equal(error.code, 'data_invalid');
  assert.match(error.message, /does not come to an end/);
  assert.ok(turns > 10, `${turns} turns`);
});

test('reading ends when it is told to, and says why a file cannot be read', async ({ folder }) => {
  const path = await written(folder, [{ name: 'x', data: [1], type: 'INT32' }]);
  assert.equal((await refusal(readDataFile(path, { header: true, signal: AbortSignal.abort() }))).code, 'aborted');
  assert.match((await refusal(readDataFile(join(folder, 'none'), anyHeader))).message, /cannot be read \(ENOENT\)/);
});

test.run();

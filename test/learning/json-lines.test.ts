/** JSON lines as tables, beside the same records in the other formats as other programs write them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import { formatOf, readDataFile } from '../../src/learning/data-file.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { readJsonLines } from '../../src/learning/json-lines.ts';
import { parseModel } from '../../src/learning/model.ts';
import type { Table } from '../../src/learning/table.ts';

interface Context {
  folder: string;
}

const test = suite<Context>('JSON lines', { folder: '' });

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'sealsum-json-lines-'));
});
test.after(async ({ folder }) => {
  await rm(folder, { recursive: true, force: true });
});

const read = (text: string, header = true): Promise<Table> => readJsonLines({ text }, { header });

async function refusal(text: string, header = true): Promise<SealsumError> {
  const error: unknown = await read(text, header).then(
    () => 'nothing was refused',
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SealsumError, String(error));
  assert.equal(error.code, 'data_invalid');
  return error;
}

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const dose = process.env.SLOW === undefined ? 1 : 10;

test('objects give columns by name, arrays by position or by the names in the first line', async () => {
  for (const header of [true, false]) {
    const table = await read('{"age":40,"kind":" a "}\n{"kind":"b","age":41.50}\n', header);
    assert.deepEqual(table.header, ['age', 'kind']);
    assert.deepEqual(table.rows, [
      ['40', 'a'],
      ['41.5', 'b'],
    ]);
    assert.deepEqual([table.lines, table.headerLine, table.width, table.place], [[1, 2], undefined, 2, 'line']);
  }
  const arrays = await read('[1,"a"]\n[2,null]', false);
  assert.deepEqual(
    [arrays.header, arrays.rows, arrays.width],
    [
      undefined,
      [
        ['1', 'a'],
        ['2', ''],
      ],
      2,
    ],
  );
  const named = await read('\n["age","kind"]\n[1,"a"]\n');
  assert.deepEqual([named.header, named.headerLine, named.rows, named.lines], [['age', 'kind'], 2, [['1', 'a']], [3]]);
});

test('null and a name that a line does not have are missing, truths are texts, long whole numbers stay as they are', async () => {
  const { header, rows } = await read(
    '{"a":null,"b":true}\n{"c":12345678901234567890,"a":1e3,"b":false}\n{"a":-0.0,"c":9007199254740991}\n',
  );
  assert.deepEqual(header, ['a', 'b', 'c']);
  assert.deepEqual(rows, [
    ['', 'true', ''],
    ['1000', 'false', '12345678901234567890'],
    ['0', '', '9007199254740991'],
  ]);
});

test('names and texts with anything in them keep it', async () => {
  const { header, rows } = await read(
    '{"__proto__":1,"2":"}, \\"x\\": [","1":"\\u2028\\ud83d\\ude00:","constructor":"\u2028y"}\n',
  );
  assert.deepEqual(header, ['__proto__', '2', '1', 'constructor']);
  assert.deepEqual(rows, [['1', '}, "x": [', '😀:', 'y']]);
});

test('a byte order mark, either line end, empty lines and chunks of any size change nothing', async ({ folder }) => {
  const text = '\ufeff\r\n{"ä":1,"b":"é😀"}\r\n\n{"ä":2,"b":"日"}';
  for (const size of [1, 2, 3, 7, 1000]) {
    const stream = (async function* () {
      await Promise.resolve();
      yield* cut(new TextEncoder().encode(text), size);
    })();
    const table = await readJsonLines({ stream }, { header: true });
    assert.deepEqual(
      [table.header, table.rows, table.lines],
      [
        ['ä', 'b'],
        [
          ['1', 'é😀'],
          ['2', '日'],
        ],
        [2, 4],
      ],
    );
  }
  const path = join(folder, 'marked.data');
  await writeFile(path, text);
  assert.equal(await formatOf(path), 'json-lines');
});

test('what is no table is refused with its line and column, and by no word of its values', async () => {
  const cases: [
    text: string,
    line: number | undefined,
    field: string | undefined,
    message: RegExp,
    header?: boolean,
  ][] = [
    ['{"a":1}\n{"a":secret}\n', 2, undefined, /^line 2: expected one JSON object or array$/],
    ['{"a":NaN,"b":"secret"}\n', 1, undefined, /NaN and Infinity are none of its numbers: write null$/],
    ['{"b":"secret","a": -Infinity}\n', 1, undefined, /write null$/],
    ['[\n  {"a":1}\n]\n', 1, undefined, /^line 1: .*whole on its line \(jq -c/],
    ['[{"a":1},{"a":2}]\n', 1, undefined, /a record must be on a line of its own/],
    ['{"a":1}\n5\n', 2, undefined, /values of one record/],
    ['{"a":1}\nnull\n', 2, undefined, /values of one record/],
    ['{"a":1}\n[1]\n', 2, undefined, /^line 2: expected an object, as the lines before it/],
    ['[1]\n{"a":1}\n', 2, undefined, /^line 2: expected an array, as the lines before it/, false],
    ['{"a":1,"b":{"c":"secret"}}\n', 1, 'b', /^line 1, b: expected a number, a text, true, false or null/],
    ['{"a":1}\n{"a":["secret"]}\n', 2, 'a', /^line 2, a: expected a number/],
    ['{"a":1,"b":2,"a":3}\n', 1, 'a', /^line 1, a: the line has this name twice/],
    ['{"a":"","\\u0061":3}\n', 1, 'a', /this name twice/],
    ['{"a":1," a":3}\n', 1, 'a', /this name twice/],
    ['["a","a"]\n[1,2]\n', 1, 'a', /this name twice/],
    ['{"":1}\n', 1, undefined, /a name is empty/],
    ['{"a":1e999}\n', 1, 'a', /greater than doubles hold/],
    ['[1,2]\n[1]\n', 2, undefined, /^line 2: the array has 1 values where line 1 has 2/, false],
    ['[1,"x"]\n[1,2]\n', 1, 'data_props.header', /does not hold the names of the columns/],
    ['["a","b"]\n', 1, undefined, /a header and no records below it/],
    ['[]\n', 1, undefined, /the array is empty/],
    ['\n \n', undefined, undefined, /^the data file is empty/],
    [
      Array.from({ length: 1000 }, (_, index) => `{"secret-${index}":1}`).join('\n'),
      undefined,
      undefined,
      /1000 names together and 1 each/,
    ],
  ];
  for (const [text, line, field, message, header] of cases) {
    const error = await refusal(text, header);
    assert.deepEqual([error.line, error.field], [line, field], text.slice(0, 60));
    assert.match(error.message, message);
    assert.doesNotMatch(`${error.message}${String(error.cause)}`, /secret/);
  }
});

test('what is not UTF-8, not there or not wanted any more is said', async ({ folder }) => {
  const path = join(folder, 'broken.jsonl');
  await writeFile(path, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
  await assert.rejects(readDataFile(path, { header: true }), /not UTF-8 text: save it as JSON lines in UTF-8/);
  await assert.rejects(readJsonLines({ path: join(folder, 'none') }, { header: true }), /cannot be read \(ENOENT\)/);
  await assert.rejects(readJsonLines({ text: '{"a":1}' }, { header: true, signal: AbortSignal.abort() }), {
    code: 'aborted',
  });
});

test('a line that does not end does not fill the memory', async () => {
  const stream = (async function* () {
    yield new TextEncoder().encode('{"a":"');
    for (;;) {
      await Promise.resolve();
      yield Buffer.alloc(2 ** 20, 'x');
    }
  })();
  await assert.rejects(readJsonLines({ stream }, { header: true }), /line 1: the line is longer than/);
});

test('a line may be long, deep, full of escapes, and is read or refused as any', async () => {
  const [long, escapes] = ['x'.repeat(8_000_000), '\\\\\\"'.repeat(2_000_000)];
  assert.deepEqual((await read(`{"a":"${long}","b":1}`)).rows, [[long, '1']]);
  assert.equal((await read(`{"a":"${escapes}","b":1}`)).rows[0]?.[0]?.length, 4_000_000);
  const digits = '1'.repeat(300);
  assert.deepEqual((await read(`[${digits},${'0.5,'.repeat(100_000)}1]`, false)).rows[0]?.slice(0, 2), [digits, '0.5']);
  const depth = 1_000_000;
  const deep = await refusal(`{"b":1,"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
  assert.deepEqual([deep.line, deep.field], [1, 'a']);
});

test('lines that all have names of their own are refused before they fill the memory', async () => {
  // As rows of a table they would be 5 · 10^9 cells.
  const lines = Array.from({ length: 100_000 }, (_, index) => `{"secret-${index}":1}`);
  const error = await refusal(lines.join('\n'));
  assert.match(error.message, /^the lines have \d+ names together and 1 each: expected the names of columns/);
  // A table may begin thin.
  const thin = Array.from({ length: 300 }, (_, index) => `{"c${index}":1}`);
  const full = JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`c${index}`, 2])));
  const table = await read([...thin, ...Array.from({ length: 6000 }, () => full)].join('\n'));
  assert.deepEqual([table.width, table.rows.length], [300, 6300]);
});

test('CSV files keep being CSV, whatever their first value begins with', async ({ folder }) => {
  const cases: [string, string][] = [
    ['{x},y\n1,2\n', 'text'],
    ['[mm],y\n1,2\n', 'text'],
    ['"{""a"":1}",2\n', 'text'],
    ['{"a":1}\n', 'json-lines'],
    [' \n [ 1, 2]\n', 'json-lines'],
    ['[null]\n', 'json-lines'],
    ['{ }\n', 'json-lines'],
    ['', 'text'],
  ];
  for (const [text, format] of cases) {
    const path = join(folder, 'any');
    await writeFile(path, text);
    assert.equal(await formatOf(path), format, text);
  }
});

test('the same records in CSV, TSV, JSON lines and Parquet give the same to a model', async ({ folder }) => {
  const map = compileFeatures(
    parseModel({
      model_type: 'LINEAR_REGRESSION',
      data_props: {
        features: [
          { name: 'x', type: 'continuous', range: [-1e6, 1e6], missing: 0 },
          { name: 'n', type: 'discrete', range: [-1e6, 1e6], missing: 'drop' },
          { name: 'kind', type: 'nominal', levels: ['true', 'a,b', 'c"d', 'é日', '7'] },
        ],
        target: { name: 'y', range: [-1e6, 1e6] },
      },
    }),
  );
  const record = fc.record({
    x: fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true })),
    n: fc.option(fc.integer({ min: -1e6, max: 1e6 })),
    kind: fc.constantFrom('true', 'a,b', 'c"d', 'é日', '7'),
    y: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(
      // A name that no line has is no column.
      fc
        .tuple(fc.array(record, { maxLength: 40 }), record)
        .map(([some, one]) => [...some, { ...one, x: one.x ?? 0, n: 1 }]),
      async (records) => {
        const names = ['x', 'n', 'kind', 'y'] as const;
        const separated = (by: string): string =>
          [names, ...records.map((each) => names.map((name) => each[name]))]
            .map((row) => row.map((cell) => `"${String(cell ?? '').replaceAll('"', '""')}"`).join(by))
            .join('\n');
        const columnData = [
          { name: 'x', data: records.map(({ x }) => x), type: 'DOUBLE' as const, nullable: true },
          { name: 'n', data: records.map(({ n }) => n), type: 'INT32' as const, nullable: true },
          { name: 'kind', data: records.map(({ kind }) => kind), type: 'STRING' as const },
          { name: 'y', data: records.map(({ y }) => y), type: 'DOUBLE' as const },
        ];
        const written: [string, string | Buffer][] = [
          ['csv', separated(',')],
          ['tsv', separated('\t')],
          ['objects', records.map((each) => JSON.stringify(each)).join('\r\n')],
          [
            'without nulls',
            records.map((each) => JSON.stringify(each, (_, value: unknown) => value ?? undefined)).join('\n'),
          ],
          [
            'arrays',
            [names, ...records.map((each) => names.map((name) => each[name]))]
              .map((row) => JSON.stringify(row))
              .join('\n'),
          ],
          ['parquet', Buffer.from(parquetWriteBuffer({ columnData }))],
        ];
        const encoded = [];
        for (const [name, content] of written) {
          const path = join(folder, name);
          await writeFile(path, content);
          const { x, y, count, dropped } = encodeTable(map, await readDataFile(path, { header: true }));
          encoded.push({ x, y, count, dropped });
        }
        for (const each of encoded) assert.deepEqual(each, encoded[0]);
      },
    ),
    { numRuns: 15 * dose },
  );
});

test.run();

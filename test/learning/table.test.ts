import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import type { Table, TableOptions } from '../../src/learning/table.ts';
import { readTable } from '../../src/learning/table.ts';

const test = suite('data files');

const plain: TableOptions = { header: false };
const withHeader: TableOptions = { header: true };

const read = (text: string, options = plain): Promise<Table> => readTable({ text }, options);

/** Bytes in chunks of the given size, as a network might deliver them. */
async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    await Promise.resolve();
    yield bytes.subarray(start, start + size);
  }
}

test('reads rows and the lines they come from', async () => {
  assert.deepEqual(await read('age,stay\n50,3\n60,4\n', withHeader), {
    header: ['age', 'stay'],
    headerLine: 1,
    width: 2,
    delimiter: ',',
    rows: [
      ['50', '3'],
      ['60', '4'],
    ],
    lines: [2, 3],
    place: 'line',
  });
  assert.deepEqual(await read('50,3\n60,4'), {
    header: undefined,
    headerLine: undefined,
    width: 2,
    delimiter: ',',
    rows: [
      ['50', '3'],
      ['60', '4'],
    ],
    lines: [1, 2],
    place: 'line',
  });
});

test('takes the three line ends, mixed too, and leaves empty lines out of the rows but not out of the count', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const { rows, lines } = await read(['1,2', '', '3,4', '', '', '5,6', ''].join(end));
    assert.deepEqual(rows, [
      ['1', '2'],
      ['3', '4'],
      ['5', '6'],
    ]);
    assert.deepEqual(lines, [1, 3, 6]);
  }
  assert.deepEqual((await read('1,2\r\n3,4\n5,6\r7,8')).lines, [1, 2, 3, 4]);
  assert.deepEqual((await read('\n\nage,stay\n1,2', withHeader)).headerLine, 3);
});

test('takes quoted values with delimiters, quotes and line ends, and still counts lines as an editor does', async () => {
  const { rows, lines } = await read('"a,b","say ""x""",1\n"two\nlines",2,3\n"two\r\nmore",4,5\r\n6,7,8\n');
  assert.deepEqual(rows, [
    ['a,b', 'say "x"', '1'],
    ['two\nlines', '2', '3'],
    ['two\r\nmore', '4', '5'],
    ['6', '7', '8'],
  ]);
  assert.deepEqual(lines, [1, 2, 4, 6]);
});

test('drops the spaces around values, and a byte order mark', async () => {
  const { rows } = await read('\ufeff 1 ,\t2,"  3 "\n');
  assert.deepEqual(rows, [['1', '2', '3']]);
  const bytes = new TextEncoder().encode('\ufeffage,stay\n1,2\n');
  assert.deepEqual((await readTable({ stream: chunks(bytes, 1) }, withHeader)).header, ['age', 'stay']);
});

test('finds the delimiter that the first line has most of, outside quotes', async () => {
  const found = async (text: string): Promise<string | undefined> => (await read(text)).delimiter;
  assert.equal(await found('1,2,3\n'), ',');
  assert.equal(await found('1;2;3\n'), ';');
  assert.equal(await found('1\t2\t3\n'), '\t');
  assert.equal(await found('a b;c d;1,5\n'), ';');
  assert.equal(await found('"a,b,c,d";2\n'), ';');
  assert.equal(await found('\n\r\n1;2\n'), ';');
  assert.equal(await found('1\n2\n'), ',');
});

test('keeps empty values at both ends of a line, also between tabs', async () => {
  assert.deepEqual((await read('\t1\t\n2\t\t3\n')).rows, [
    ['', '1', ''],
    ['2', '', '3'],
  ]);
});

test('uses the delimiter that is declared, whatever the first line has', async () => {
  assert.deepEqual((await readTable({ text: '1;2;3,4\n' }, { header: false, delimiter: ',' })).rows, [['1;2;3', '4']]);
});

test('gives back any table that was written by the rules, in chunks of any size', async () => {
  const value = fc.string({ unit: fc.constantFrom('a', 'é', '日', '1', ',', ';', '\t', '"', '\n', '\r\n', ' ') });
  const table = fc
    .tuple(fc.integer({ min: 2, max: 4 }), fc.constantFrom(',', ';', '\t'), fc.constantFrom('\n', '\r\n', '\r'))
    .chain(([width, delimiter, end]) =>
      fc.record({
        delimiter: fc.constant(delimiter),
        end: fc.constant(end),
        rows: fc.array(fc.array(value, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 }),
        size: fc.integer({ min: 1, max: 7 }),
      }),
    );
  await fc.assert(
    fc.asyncProperty(table, async ({ delimiter, end, rows, size }) => {
      const written = rows.map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(delimiter) + end);
      const bytes = new TextEncoder().encode(written.join(''));
      const read = await readTable({ stream: chunks(bytes, size) }, { header: false, delimiter });
      assert.deepEqual(
        read.rows,
        rows.map((row) => row.map((text) => text.trim())),
      );
      let line = 1;
      for (const [index, text] of written.entries()) {
        assert.equal(read.lines[index], line);
        line += text.match(/\r\n|\n|\r/g)?.length ?? 0;
      }
    }),
    { numRuns: 300 },
  );
});

test('refuses a ragged line by its number', async () => {
  await assert.rejects(read('1,2,3\n4,5\n'), {
    code: 'data_invalid',
    line: 2,
    field: undefined,
    message:
      'line 2 has 2 values where line 1 has 3: every line must have as many (values are separated by commas; quote a value that contains one)',
  });
  await assert.rejects(read('a;b\n1;2\n\n"x\ny";4\n5;6;7\n', withHeader), {
    code: 'data_invalid',
    line: 6,
    message:
      'line 6 has 3 values where line 1 has 2: every line must have as many (values are separated by semicolons; quote a value that contains one)',
  });
});

test('refuses an empty file, and a header without records', async () => {
  for (const text of ['', '\n', '\r\n\r\n', '\ufeff', '\ufeff\n']) {
    for (const options of [plain, withHeader]) {
      await assert.rejects(read(text, options), {
        code: 'data_invalid',
        line: undefined,
        message: 'the data file is empty: expected a line for every record',
      });
    }
  }
  await assert.rejects(read('age,stay\n', withHeader), {
    code: 'data_invalid',
    line: 1,
    message: 'the data file has a header and no records below it',
  });
});

test('refuses stray quotes by the line, and never shows what stands there', async () => {
  const cases: [string, number, string][] = [
    [
      '1,2\nSECRET"x,3\n',
      2,
      'line 2: a quote stands within a value that does not begin with one; quote the whole value',
    ],
    [
      '1,2\n3,4\n"SECRET"x,3\n',
      3,
      'line 3: a closing quote is followed by something other than a delimiter; write a quote inside quotes twice',
    ],
    ['1,2\n"SECRET,3\n', 2, 'line 2: a quote that is opened here or below is not closed before the end of the file'],
    [
      '"1\r\n2",3\r\n3,"SECRET\n\n\n',
      3,
      'line 3: a quote that is opened here or below is not closed before the end of the file',
    ],
    [
      '"1\r\n2",3\r\n3,SECRET"\n\n\n',
      3,
      'line 3: a quote stands within a value that does not begin with one; quote the whole value',
    ],
  ];
  for (const [text, line, message] of cases) {
    const expected = { code: 'data_invalid', line, message };
    for (const options of [plain, withHeader]) {
      await assert.rejects(read(text, options), (error) => {
        assert.ok(error instanceof SealsumError);
        const { code, cause } = error;
        assert.deepEqual({ code, line: error.line, message: error.message, cause }, { ...expected, cause: undefined });
        return true;
      });
    }
  }
});

test('refuses what is not UTF-8', async () => {
  const bytes = Uint8Array.from([0x31, 0x2c, 0xe9, 0x0a]);
  for (const size of [1, 4]) {
    await assert.rejects(readTable({ stream: chunks(bytes, size) }, plain), {
      code: 'data_invalid',
      message: 'the data file is not UTF-8 text: save it as CSV or TSV in UTF-8',
    });
  }
  // A character that is cut off at the end of the file.
  await assert.rejects(readTable({ stream: chunks(Uint8Array.from([0x31, 0xc3]), 1) }, plain), {
    code: 'data_invalid',
  });
});

test('reads files, and says when it cannot', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealsum-table-'));
  try {
    const path = join(folder, 'data.tsv');
    writeFileSync(path, '1\t2\n3\t4\n');
    assert.deepEqual((await readTable({ path }, plain)).rows, [
      ['1', '2'],
      ['3', '4'],
    ]);
    await assert.rejects(readTable({ path: join(folder, 'none.csv') }, plain), {
      code: 'data_invalid',
      message: 'the data file cannot be read (ENOENT)',
    });
    await assert.rejects(readTable({ path: folder }, plain), {
      code: 'data_invalid',
      message: 'the data file cannot be read (EISDIR)',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('stops when it is told to', async () => {
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<Uint8Array> {
    const line = new TextEncoder().encode('1,2\n');
    for (let count = 0; ; count += 1) {
      if (count === 10) controller.abort();
      await Promise.resolve();
      yield line;
    }
  }
  await assert.rejects(readTable({ stream: endless() }, { header: false, signal: controller.signal }), {
    code: 'aborted',
    message: 'reading the data file was aborted',
  });
  await assert.rejects(readTable({ text: '1,2\n' }, { header: false, signal: controller.signal }), { code: 'aborted' });
});

test.run();

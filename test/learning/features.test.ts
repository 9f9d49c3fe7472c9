import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { FeatureMap, Records } from '../../src/learning/features.ts';
import { compileFeatures, encodeRows, encodeTable, rowsOf } from '../../src/learning/features.ts';
import type { Cell, FeatureRow } from '../../src/learning/fields.ts';
import { parseModel } from '../../src/learning/model.ts';
import { readTable } from '../../src/learning/table.ts';

const test = suite('features');

type Json = Record<string, unknown>;

const age = { name: 'age', type: 'continuous', range: [0, 100] };
const visits = { name: 'visits', type: 'discrete', range: [0, 10], missing: 4 };
const severity = { name: 'severity', type: 'ordinal', levels: ['mild', 'moderate', 'severe'], missing: 'drop' };
const ward = { name: 'ward', type: 'nominal', levels: ['surgery', 'medicine', 'other'], missing: 'other' };
const stay = { name: 'stay', range: [0, 60], missing: 'drop' };

function compile(features: Json[] = [age, visits, severity, ward], target: Json = stay, rest: Json = {}): FeatureMap {
  return compileFeatures(
    parseModel({ model_type: 'LINEAR_REGRESSION', data_props: { features, target }, participation: {}, ...rest }),
  );
}

async function encode(map: FeatureMap, text: string, header = true): Promise<Records> {
  return encodeTable(map, await readTable({ text }, { header }));
}

/** The same columns by position in a file without a header. */
function byPosition(columns: Json[]): Json[] {
  return columns.map((column, position) => ({ ...column, name: undefined, col_idx: position }));
}

test('names the columns: the intercept, a name, or a name and level', () => {
  const map = compile();
  assert.deepEqual(map.columns, ['intercept', 'age', 'visits', 'severity', 'ward=medicine', 'ward=other']);
  assert.equal(map.width, 6);
  assert.equal(map.classes, undefined);
  const [nominal, numeric] = byPosition([ward, age]);
  const unnamed = compile([nominal ?? {}, numeric ?? {}], { col_idx: 2, range: [0, 60] });
  assert.deepEqual(unnamed.columns, ['intercept', 'column 0=medicine', 'column 0=other', 'column 1']);
});

test('knows the classes of a classifier', () => {
  const classes = (modelType: string, target: Json): readonly string[] | undefined =>
    compile([age], { name: 'outcome', ...target }, { model_type: modelType }).classes;
  assert.deepEqual(classes('LOGISTIC_REGRESSION', { levels: ['alive', 'dead'] }), ['alive', 'dead']);
  assert.deepEqual(classes('LOGISTIC_REGRESSION', { range: [0, 1] }), ['0', '1']);
  assert.deepEqual(classes('SOFTMAX_REGRESSION', { levels: ['a', 'b', 'c'] }), ['a', 'b', 'c']);
});

test('turns rows into records: scaled, imputed, dropped, wherever the columns stand', async () => {
  const records = await encode(
    compile(),
    [
      'ward,note,stay,severity,age,visits',
      'surgery,x,0,mild,0,0',
      'medicine,x,60,severe,100,10',
      ',x,30,moderate,50,NA',
      'other,x,30,?,50,5',
      '"other",x,,moderate,50,5',
      '',
      'other,x,15,moderate,25,5',
    ].join('\n'),
  );
  assert.equal(records.count, 4);
  assert.equal(records.width, 6);
  assert.equal(records.dropped, 2);
  assert.deepEqual([...records.lines], [2, 3, 4, 8]);
  assert.deepEqual([...records.y], [-1, 1, 0, -0.5]);
  assert.deepEqual(
    rowsOf(records).map((row) => [...row]),
    [
      [1, -1, -1, -1, 0, 0],
      [1, 1, 1, 1, 1, 0],
      [1, 0, -0.2, 0, 0, 1],
      [1, -0.5, 0, 0, 0, 1],
    ],
  );
});

test('leaves nothing of a dropped record in the next one', async () => {
  const records = await encode(compile([ward, severity]), 'ward,severity,stay\nmedicine,NA,1\nsurgery,mild,1\n');
  assert.deepEqual([...records.x], [1, 0, 0, -1]);
});

test('gives classes their position', async () => {
  const text = 'age,died\n1,no\n2,yes\n3,no\n';
  const died = (target: Json): FeatureMap =>
    compile([age], { name: 'died', ...target }, { model_type: 'LOGISTIC_REGRESSION' });
  assert.deepEqual([...(await encode(died({ levels: ['no', 'yes'] }), text)).y], [0, 1, 0]);
  assert.deepEqual([...(await encode(died({ levels: ['yes', 'no'] }), text)).y], [1, 0, 1]);
  const numbers = text.replaceAll('no', '0').replaceAll('yes', '1');
  assert.deepEqual([...(await encode(died({ range: [0, 1] }), numbers)).y], [0, 1, 0]);
  const softmax = compile(
    [age],
    { name: 'died', levels: ['maybe', 'yes', 'no'] },
    { model_type: 'SOFTMAX_REGRESSION' },
  );
  assert.deepEqual([...(await encode(softmax, text)).y], [2, 1, 2]);
});

test('reads a file without a header by position', async () => {
  const map = compile(byPosition([age, ward]), { col_idx: 3, range: [0, 60] });
  const records = await encode(map, '50;surgery;unused;30\n0;other;unused;60\n', false);
  assert.deepEqual([...records.x], [1, 0, 0, 0, 1, -1, 0, 1]);
  assert.deepEqual([...records.y], [0, 1]);
});

test('reads columns by position below a header, and by name and position mixed', async () => {
  const map = compile([{ ...age, name: undefined, col_idx: 1 }, ward], { col_idx: 2, range: [0, 60] });
  assert.deepEqual([...(await encode(map, 'ward,years,days\nother,100,0\n')).x], [1, 1, 0, 1]);
});

/** What a record is refused for: its cells in the order age, visits, severity, ward, stay; the column; what was expected. */
const refusals: [string, string, string][] = [
  ['abc,1,mild,other,1', 'age', 'expected a number within [0, 100]; this is not a number'],
  ['100.5,1,mild,other,1', 'age', 'expected a number within [0, 100]; this is out of range'],
  ['-1e-9,1,mild,other,1', 'age', 'expected a number within [0, 100]; this is out of range'],
  ['5,2.5,mild,other,1', 'visits', 'expected a whole number within [0, 10]; this is not whole'],
  ['5,11,mild,other,1', 'visits', 'expected a whole number within [0, 10]; this is out of range'],
  ['5,1,Mild,other,1', 'severity', 'expected one of the declared levels mild, moderate, severe'],
  ['5,1,mild,icu,1', 'ward', 'expected one of the declared levels surgery, medicine, other'],
  ['5,1,mild,other,61', 'stay', 'expected a number within [0, 60]; this is out of range'],
  ['5,1,mild,other,long', 'stay', 'expected a number within [0, 60]; this is not a number'],
  // Errors are found in records that will be dropped, too.
  ['abc,1,mild,other,', 'age', 'expected a number within [0, 100]; this is not a number'],
  ['5,1,NA,icu,1', 'ward', 'expected one of the declared levels surgery, medicine, other'],
  [
    ',1,mild,other,1',
    'age',
    'the value is missing, and the model refuses missing values here; fill it in, or declare "missing" in model.json',
  ],
];

test('refuses what is undeclared, out of range or missing, by line and column, without showing it', async () => {
  const good = '5,1,mild,other,1';
  for (const [row, field, expected] of refusals) {
    for (const header of [true, false]) {
      const map = header
        ? compile()
        : compile(byPosition([age, visits, severity, ward]), { ...stay, name: undefined, col_idx: 4 });
      const column = header ? field : `column ${['age', 'visits', 'severity', 'ward', 'stay'].indexOf(field)}`;
      const lines = [...(header ? ['age,visits,severity,ward,stay'] : []), good, '', row, good];
      await assert.rejects(encode(map, lines.join('\r\n'), header), {
        name: 'SealsumError',
        code: 'data_invalid',
        field: column,
        line: header ? 4 : 3,
        message: `line ${header ? 4 : 3}, ${column}: ${expected}`,
      });
    }
  }
});

test('refuses a missing target unless it is to be dropped', async () => {
  const map = compile([age], { name: 'stay', range: [0, 60] });
  await assert.rejects(encode(map, 'age,stay\n1,2\n1,NA\n'), {
    code: 'data_invalid',
    field: 'stay',
    line: 3,
    message:
      'line 3, stay: the value is missing, and the model refuses missing values here; fill it in, or declare "missing" in model.json',
  });
});

test('refuses a column that is not there, by name', async () => {
  const separated = '(values are separated by commas; data_props.delimiter says otherwise)';
  const cases: [string, string][] = [
    ['age,visits,severity,stay', `ward: the header has no such column among its 4 ${separated}`],
    [
      'age,visits,severity,Ward,stay',
      `ward: the header has no such column among its 5; it has one that differs in capital letters only ${separated}`,
    ],
    ['age,visits,severity,ward,days', `stay: the header has no such column among its 5 ${separated}`],
    ['ward,age,visits,severity,ward,stay', 'ward: the header has this column twice'],
    [
      '5,1,mild,other,1',
      'age: the first line holds numbers, so it does not look like a header: give the columns by col_idx and set data_props.header to false, or add a header',
    ],
  ];
  for (const [header, message] of cases) {
    const row = header.replace(/[^,]+/g, '1');
    await assert.rejects(encode(compile(), `${header}\n${row}\n`), {
      code: 'data_invalid',
      field: message.split(':')[0],
      line: 1,
      message,
    });
  }
});

test('refuses a column that is not there, by position', async () => {
  const map = compile(byPosition([age]), { col_idx: 7, range: [0, 60] });
  await assert.rejects(encode(map, '1;2;3\n', false), {
    code: 'data_invalid',
    field: 'column 7',
    line: undefined,
    message:
      'column 7: there is no such column: the data file has 3, counted from 0 to 2 (values are separated by semicolons; data_props.delimiter says otherwise)',
  });
});

test('refuses names in a file that was read without a header', async () => {
  await assert.rejects(encode(compile(), '1,2,3\n', false), {
    code: 'data_invalid',
    field: 'age',
    message: 'age: the data file was read without a header, so no column has a name',
  });
});

test('refuses two declarations of one column', async () => {
  const map = compile([age, { type: 'continuous', range: [0, 1], col_idx: 1 }], stay);
  await assert.rejects(encode(map, 'stay,age\n1,2\n'), {
    code: 'data_invalid',
    field: 'column 1',
    message: 'column 1: this is the same column as age',
  });
});

test('refuses a header that is read as a record', async () => {
  const looksLikeHeader = {
    code: 'data_invalid',
    field: 'data_props.header',
    line: 1,
    message: 'line 1 looks like a header, and data_props.header is false: set it to true, or remove the line',
  };
  const map = compile(byPosition([age, ward]), { col_idx: 2, range: [0, 60] });
  await assert.rejects(encode(map, 'age,ward,stay\n5,other,1\n', false), looksLikeHeader);
  // A record with a mistake is not a header: one column holds what was declared for it.
  await assert.rejects(encode(map, 'abc,other,xyz\n5,other,1\n', false), { field: 'column 2', line: 1 });
  await assert.rejects(encode(map, 'abc,ward,1\n5,other,1\n', false), { field: 'column 0', line: 1 });
  // Nor is one whose numbers are missing.
  assert.equal(
    (
      await encode(
        compile([{ ...visits, name: undefined, col_idx: 0 }], { col_idx: 1, range: [0, 60], missing: 'drop' }),
        'NA,\n3,1\n',
        false,
      )
    ).count,
    1,
  );
});

test('refuses a record that is read as a header', async () => {
  const features = byPosition([age, ward]);
  const target = { col_idx: 2, range: [0, 60] };
  const map = compile([], {}, { data_props: { header: true, features, target } });
  await assert.rejects(encode(map, '5,other,1\n6,other,2\n'), {
    code: 'data_invalid',
    field: 'data_props.header',
    line: 1,
    message:
      'line 1 looks like a record, and data_props.header is true: set it to false, or add a line with the names of the columns',
  });
  assert.equal((await encode(map, 'age,ward,stay\n6,other,2\n')).count, 1);
});

test('refuses a file of which nothing is left, or more than the model allows', async () => {
  await assert.rejects(encode(compile(), 'age,visits,severity,ward,stay\n5,1,NA,other,1\n5,1,mild,other,\n'), {
    code: 'data_invalid',
    message: 'no record is left: every one misses a value in a column declared with "drop"',
  });
  const few = compile([age], stay, { participation: { max_records: 2 } });
  assert.equal((await encode(few, 'age,stay\n1,1\n2,2\n3,\n')).count, 2);
  await assert.rejects(encode(few, 'age,stay\n1,1\n2,2\n3,3\n'), {
    code: 'data_invalid',
    message:
      'the data file has more than the 2 records that the model allows an owner: raise participation.max_records',
  });
});

test('encodes rows of JSON as it encodes the same rows of a file', async () => {
  const map = compile();
  const text = '7,3,mild,medicine,1\n77.5,10,severe,surgery,2\n0,NA,moderate,,3\n';
  const fromFile = rowsOf(await encode(map, `age,visits,severity,ward,stay\n${text}`));
  const objects: FeatureRow[] = [
    { age: 7, visits: '3', severity: 'mild', ward: 'medicine' },
    { ward: 'surgery', severity: 'severe', visits: 10, age: ' 77.5 ', stay: 99 },
    // What may be missing may be left out.
    { age: '0', severity: 'moderate', visits: null },
  ];
  const arrays: FeatureRow[] = [
    [7, 3, 'mild', 'medicine'],
    ['77.5', '10', 'severe', 'surgery'],
    [0, null, 'moderate', ''],
  ];
  assert.deepEqual(encodeRows(map, objects), fromFile);
  assert.deepEqual(encodeRows(map, arrays), fromFile);
  const unnamed = compile(byPosition([age, visits, severity, ward]), { col_idx: 4, range: [0, 60] });
  assert.deepEqual(encodeRows(unnamed, arrays), fromFile);
  const wholeLines: FeatureRow[] = arrays.map((row) => [...(row as Cell[]), 12]);
  assert.deepEqual(encodeRows(unnamed, wholeLines), fromFile);
  assert.deepEqual(
    encodeRows(unnamed, [{ 'column 0': 7, 'column 1': 3, 'column 2': 'mild', 'column 3': 'medicine' }]),
    [fromFile[0]],
  );
});

test('gives null for a row that a missing value drops', () => {
  assert.deepEqual(
    encodeRows(compile([age, severity]), [
      [5, null],
      [0, 'mild'],
    ]),
    [null, Float64Array.of(1, -1, -1)],
  );
  assert.deepEqual(encodeRows(compile([age, severity]), [{ age: 5 }]), [null]);
});

test('refuses rows of JSON by their path', () => {
  const named = compile();
  const unnamed = compile(byPosition([age, ward]), { col_idx: 4, range: [0, 60] });
  const mixed = compile([age, { type: 'continuous', range: [0, 1], col_idx: 1 }]);
  const cases: [FeatureMap, FeatureRow, string, string][] = [
    [named, [1, 2, 'mild'], 'rows[1]', "expected 4 values, one per feature in the model's order, not 3"],
    [named, [1, 2, 'mild', 'other', 5], 'rows[1]', "expected 4 values, one per feature in the model's order, not 5"],
    [unnamed, [1], 'rows[1]', 'expected at least 2 values, by position as in the data file, not 1'],
    [
      mixed,
      [1, 1],
      'rows[1]',
      'expected an object, since the model declares some features by name and some by col_idx',
    ],
    [named, { visits: 3, severity: 'mild', ward: 'other' }, 'rows[1].age', 'expected a value for every feature'],
    [
      named,
      { age: null, severity: 'mild' },
      'rows[1].age',
      'the value is missing, and the model refuses missing values here',
    ],
    [named, { age: 3, severity: 'mild', sex: 'f' }, 'rows[1].sex', 'the model has no such feature'],
    [named, { age: 300, severity: 'mild' }, 'rows[1].age', 'expected a number within [0, 100]; this is out of range'],
    [
      named,
      { age: 30, severity: 'dire' },
      'rows[1].severity',
      'expected one of the declared levels mild, moderate, severe',
    ],
    [unnamed, [1, 'icu'], 'rows[1].column 1', 'expected one of the declared levels surgery, medicine, other'],
  ];
  for (const [map, row, field, expected] of cases) {
    const good: FeatureRow =
      map === named ? [1, 2, 'mild', 'other'] : map === unnamed ? [1, 'other'] : { age: 1, 'column 1': 1 };
    assert.throws(() => encodeRows(map, [good, row]), {
      name: 'SealsumError',
      code: 'data_invalid',
      field,
      message: `${field}: ${expected}`,
    });
  }
});

test.run();

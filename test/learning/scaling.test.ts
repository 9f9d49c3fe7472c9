import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Feature } from '../../src/learning/fields.ts';
import { featureWidth } from '../../src/learning/fields.ts';
import type { CellValue } from '../../src/learning/scaling.ts';
import {
  cellReader,
  featureScale,
  imputedValue,
  rangeScale,
  scaleValue,
  unscaleValue,
  writeFeature,
} from '../../src/learning/scaling.ts';

const test = suite('scaling');

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
/** Ranges as parseModel lets them through. */
const ranges = fc
  .tuple(finite, finite)
  .map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)])
  .filter(([low, high]) => 1 / (high / 2 - low / 2) < Number.POSITIVE_INFINITY && high / 2 - low / 2 > 0);

const read = (feature: Feature, text: string): CellValue => cellReader(feature)(text);

function write(feature: Feature, value: number): number[] {
  const into = new Float64Array(featureWidth(feature) + 2);
  writeFeature(feature, value, into, 1);
  assert.deepEqual([into[0], into.at(-1)], [0, 0], 'nothing is written outside the feature’s columns');
  return [...into.subarray(1, -1)];
}

test('takes the ends of a range to −1 and 1 and its middle to 0', () => {
  const scale = rangeScale({ range: [25, 346] });
  assert.deepEqual(
    [25, 185.5, 346].map((value) => scaleValue(scale, value)),
    [-1, 0, 1],
  );
  assert.deepEqual(
    [-1, 0, 1].map((value) => unscaleValue(scale, value)),
    [25, 185.5, 346],
  );
});

test('keeps every value of every range within [−1, 1], in order', () => {
  fc.assert(
    fc.property(
      ranges,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (range, s, t) => {
        const [low, high] = range;
        const scale = rangeScale({ range });
        const within = (share: number): number => Math.min(high, Math.max(low, low * (1 - share) + high * share));
        const [small, great] = [within(Math.min(s, t)), within(Math.max(s, t))];
        const [a, b] = [scaleValue(scale, small), scaleValue(scale, great)];
        assert.ok(a >= -1 && b <= 1);
        assert.ok(small > great || a <= b);
      },
    ),
    { numRuns: 2000 },
  );
});

test('comes back from [−1, 1] to within rounding', () => {
  fc.assert(
    fc.property(ranges, fc.double({ min: -1, max: 1, noNaN: true }), (range, scaled) => {
      const scale = rangeScale({ range });
      const value = unscaleValue(scale, scaled);
      const magnitude = Math.max(Math.abs(range[0]), Math.abs(range[1]));
      const again = unscaleValue(scale, scaleValue(scale, value));
      assert.ok(Math.abs(again - value) <= 2 ** -50 * magnitude);
    }),
    { numRuns: 2000 },
  );
});

test('reads numbers as data files write them', () => {
  const feature: Feature = { name: 'x', type: 'continuous', range: [-1e6, 1e6], missing: 'refuse' };
  const numbers: [string, number][] = [
    ['0', 0],
    ['-12.50', -12.5],
    ['+3', 3],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['-1.5E-3', -0.0015],
    ['007', 7],
  ];
  for (const [text, value] of numbers) assert.deepEqual(read(feature, text), { kind: 'value', value });
  for (const text of [
    'abc',
    '1,5',
    '1 000',
    '0x10',
    '1e',
    '.',
    '-',
    '--1',
    '1.2.3',
    'Infinity',
    'inf',
    '1_000',
    '١',
    'true',
  ]) {
    assert.deepEqual(read(feature, text), {
      kind: 'refused',
      expected: 'expected a number within [-1000000, 1000000]; this is not a number',
    });
  }
  assert.deepEqual(read(feature, '1e400'), {
    kind: 'refused',
    expected: 'expected a number within [-1000000, 1000000]; this is out of range',
  });
});

test('goes to the ends of a range and not beyond them', () => {
  const feature: Feature = { name: 'x', type: 'continuous', range: [-0.5, 2], missing: 'refuse' };
  for (const text of ['-0.5', '2', '2.0', '2e0']) assert.equal(read(feature, text).kind, 'value');
  for (const text of ['-0.50000001', '2.0000000001', '1e9']) {
    assert.deepEqual(read(feature, text), {
      kind: 'refused',
      expected: 'expected a number within [-0.5, 2]; this is out of range',
    });
  }
});

test('takes only whole numbers for a discrete column, however they are written', () => {
  const feature: Feature = { name: 'x', type: 'discrete', range: [0, 20], missing: 'refuse' };
  for (const text of ['0', '20', '3.0', '2e1', '-0']) assert.equal(read(feature, text).kind, 'value');
  for (const [text, why] of [
    ['3.5', 'not whole'],
    ['21', 'out of range'],
    ['-1', 'out of range'],
    ['three', 'not a number'],
  ] as const) {
    assert.deepEqual(read(feature, text), {
      kind: 'refused',
      expected: `expected a whole number within [0, 20]; this is ${why}`,
    });
  }
});

test('knows missing values by their spelling, in any case', () => {
  const numeric: Feature = { name: 'x', type: 'continuous', range: [0, 1], missing: 'refuse' };
  const nominal: Feature = { name: 'x', type: 'nominal', levels: ['a', 'b'], missing: 'refuse' };
  for (const text of ['', 'NA', 'na', 'N/A', 'n/a', 'NaN', 'nan', 'null', 'NULL', '?']) {
    assert.deepEqual(read(numeric, text), { kind: 'missing' }, text);
    assert.deepEqual(read(nominal, text), { kind: 'missing' }, text);
  }
  for (const text of ['none', '-', 'missing', '??']) {
    assert.equal(read(numeric, text).kind, 'refused');
    assert.equal(read(nominal, text).kind, 'refused');
  }
});

test('takes a declared level for what it is, even when it is spelt like a missing value', () => {
  const feature: Feature = { name: 'country', type: 'nominal', levels: ['DE', 'NA', '?'], missing: 'drop' };
  assert.deepEqual(read(feature, 'NA'), { kind: 'value', value: 1 });
  assert.deepEqual(read(feature, '?'), { kind: 'value', value: 2 });
  assert.deepEqual(read(feature, 'na'), { kind: 'missing' });
});

test('refuses undeclared levels, and other capital letters', () => {
  const feature: Feature = { name: 'x', type: 'ordinal', levels: ['low', 'mid', 'high'], missing: 'refuse' };
  for (const text of ['Low', 'medium', '0', 'low high', 'constructor', '__proto__']) {
    assert.deepEqual(read(feature, text), {
      kind: 'refused',
      expected: 'expected one of the declared levels low, mid, high',
    });
  }
  const many: Feature = {
    name: 'x',
    type: 'nominal',
    levels: Array.from({ length: 15 }, (_, level) => `l${level}`),
    missing: 'refuse',
  };
  assert.deepEqual(read(many, 'x'), {
    kind: 'refused',
    expected: 'expected one of the declared levels l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11 and 3 more',
  });
});

test('spaces ordinal levels equally from −1 to 1', () => {
  const feature = (count: number): Feature => ({
    name: 'x',
    type: 'ordinal',
    levels: Array.from({ length: count }, (_, level) => String(level)),
    missing: 'refuse',
  });
  assert.deepEqual(
    [0, 1].flatMap((level) => write(feature(2), level)),
    [-1, 1],
  );
  assert.deepEqual(
    [0, 1, 2].flatMap((level) => write(feature(3), level)),
    [-1, 0, 1],
  );
  assert.deepEqual(
    [0, 1, 2, 3, 4].flatMap((level) => write(feature(5), level)),
    [-1, -0.5, 0, 0.5, 1],
  );
});

test('writes nominal levels as indicators, none for the first', () => {
  fc.assert(
    fc.property(
      fc
        .uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 9 })
        .chain((levels) => fc.record({ levels: fc.constant(levels), level: fc.nat({ max: levels.length - 1 }) })),
      ({ levels, level }) => {
        const feature: Feature = { name: 'x', type: 'nominal', levels, missing: 'refuse' };
        const text = levels[level] ?? '';
        assert.deepEqual(read(feature, text), { kind: 'value', value: level });
        const indicators = write(feature, level);
        assert.equal(indicators.length, levels.length - 1);
        assert.deepEqual(
          indicators,
          levels.slice(1).map((each) => Number(each === text)),
        );
      },
    ),
  );
});

test('imputes a declared number or level as if it had been there', () => {
  const numeric: Feature = { name: 'x', type: 'continuous', range: [0, 10], missing: 7.5 };
  assert.deepEqual(write(numeric, imputedValue(numeric)), [0.5]);
  const nominal: Feature = { name: 'x', type: 'nominal', levels: ['a', 'b', 'c'], missing: 'c' };
  assert.deepEqual(write(nominal, imputedValue(nominal)), [0, 1]);
  const ordinal: Feature = { name: 'x', type: 'ordinal', levels: ['a', 'b', 'c'], missing: 'a' };
  assert.deepEqual(write(ordinal, imputedValue(ordinal)), [-1]);
});

test('says how a column relates to the units of the data file', () => {
  const common = { name: 'x', missing: 'refuse' } as const;
  assert.deepEqual(featureScale({ ...common, type: 'continuous', range: [10, 20] }), { mid: 15, half: 5 });
  assert.deepEqual(featureScale({ ...common, type: 'ordinal', levels: ['a', 'b', 'c', 'd'] }), { mid: 1.5, half: 1.5 });
  assert.deepEqual(featureScale({ ...common, type: 'nominal', levels: ['a', 'b'] }), { mid: 0, half: 1 });
});

test.run();

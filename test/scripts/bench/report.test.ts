/** What is computed from figures, on figures whose results are known: links, comparisons, exponents, pictures, units. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type AggregationRow, measureAggregations } from '../../../scripts/bench/aggregations.ts';
import { comparedOwners, comparisons, inWords } from '../../../scripts/bench/compare.ts';
import type { Contender } from '../../../scripts/bench/contender.ts';
import { endToEnd } from '../../../scripts/bench/link.ts';
import { plot } from '../../../scripts/bench/plot.ts';
import { growthInWords, growths, keyOf, pointsOf, sweeps, wholeSizes } from '../../../scripts/bench/scaling.ts';
import { duration, size, table } from '../../../scripts/bench/table.ts';

const test = suite('bench figures');

test('end to end is what all compute one after the other, and every byte through one link', () => {
  const phases = { seal_ms: 1000, fold_ms: 200, open_ms: 300 };
  // 3 × 1.25 MB and 2.5 MB are 50 Mbit.
  const traffic = { contribution: 1_250_000, aggregate: 2_500_000 };
  assert.equal(endToEnd(phases, traffic, 3, 10), 1.5 + 5);
  assert.equal(endToEnd(phases, traffic, 3, 1000), 1.5 + 0.05);
});

/** A contender whose times are known: a ciphertext holds ten values and takes 1, 2 and 3 ms a phase. */
function tenInOne(asked: number[]): Contender {
  const ciphertexts = (_: number, values: number): number => Math.ceil(values / 10);
  return {
    implementation: 'ckks',
    backend: 'known',
    key_bits: null,
    ciphertexts,
    traffic: (owners, values) => {
      const bytes = 100 * ciphertexts(owners, values);
      return { contribution: bytes, aggregate: bytes, compressed: bytes, uncompressed: 2 * bytes };
    },
    aggregate: (owners, values) => {
      asked.push(values);
      const count = ciphertexts(owners, values);
      return { seal_ms: count, fold_ms: 2 * count, open_ms: 3 * count, greatest_error: 0.5 };
    },
  };
}

test('what would take too long is scaled by its ciphertexts from the largest that did not, and says so', () => {
  const asked: number[] = [];
  const sizes = { owners: [4], values: [1, 1000, 100_000, 10_005], limit: 8000 };
  const rows = measureAggregations(tenInOne(asked), sizes, () => undefined);
  // A ciphertext takes 7 ms with two owners' sealing: 1001 of them are measured, 10 000 are not.
  assert.deepEqual([...new Set(asked)], [1, 1000, 10_005]);
  assert.deepEqual(
    rows.map((row) => [row.values, row.seal_ms, row.fold_ms, row.open_ms, row.cpu_ms, row.scaled_from]),
    [
      [1, 1, 2, 3, 9, undefined],
      [1000, 100, 200, 300, 900, undefined],
      [10_005, 1001, 2002, 3003, 9009, undefined],
      [100_000, 10_000, 20_000, 30_000, 90_000, 10_005],
    ],
  );
  const [one] = rows;
  assert.deepEqual([one?.bytes_per_value, one?.uncompressed_bytes_per_value, one?.greatest_error], [100, 200, 0.5]);
});

test('whoever is never measured beyond some values is scaled from these', () => {
  const asked: number[] = [];
  const sizes = { owners: [3], values: [10, 1000], limit: 8000 };
  const rows = measureAggregations({ ...tenInOne(asked), most: 20 }, sizes, () => undefined);
  assert.deepEqual([...new Set(asked)], [10, 20]);
  assert.deepEqual(
    rows.map((row) => [row.seal_ms, row.scaled_from]),
    [
      [1, undefined],
      [100, 20],
    ],
  );
});

function row(implementation: AggregationRow['implementation'], backend: string, factor: number): AggregationRow {
  return {
    implementation,
    backend,
    key_bits: implementation === 'ckks' ? null : 3072,
    owners: 10,
    values: 1000,
    seal_ms: factor,
    fold_ms: 8 / factor,
    open_ms: factor,
    cpu_ms: 10 * factor,
    contribution_bytes: 1000 * factor,
    bytes_per_value: factor,
    end_to_end: [{ mbit_per_s: 10, seconds: factor }],
    greatest_error: 0,
  };
}

test("compares sealsum's fastest backend with everybody else, wins and losses alike", () => {
  const rows = [
    row('sealsum', 'openssl', 9),
    row('sealsum', 'native', 2),
    row('ckks', 'a&b', 1),
    row('paillier-bigint', 'bigint', 8),
  ];
  const found = comparisons([...rows, { ...row('ckks', 'a&b', 1), owners: 3 }]);
  assert.deepEqual(
    found.map(({ backend, other, seal, fold, open, bytes, end_to_end }) => [
      backend,
      other.implementation,
      [seal, fold, open, bytes, end_to_end[0]?.better],
    ]),
    [
      ['native', 'ckks', [0.5, 2, 0.5, 0.5, 0.5]],
      ['native', 'paillier-bigint', [4, 0.25, 4, 4, 4]],
    ],
  );
  assert.equal(inWords(0.5, 'faster', 'slower'), '2× slower');
  assert.equal(inWords(2.04, 'faster', 'slower'), '2× faster');
  assert.equal(inWords(1 / 1.01, 'faster', 'slower'), 'alike');
  assert.equal(inWords(12_345.6, 'less', 'more'), '12346× less');
  assert.equal(comparedOwners([3, 100, 30].map((owners) => ({ ...row('ckks', 'a', 1), owners }))), 30);

  const picture = plot(rows);
  // Twice as a series, and once each in the title and the legend.
  assert.equal(picture.split('CKKS a&amp;b').length, 5);
  assert.ok(!/NaN|Infinity|undefined/.test(picture));
});

test('finds the exponents of known growth, and none where memory is lost in noise', () => {
  const figures = new Map(
    sweeps
      .flatMap((sweep) => pointsOf(sweep, wholeSizes))
      .map((point) => {
        const cpu_ms = 1e-9 * point.values * point.key_bits ** 2 * Math.sqrt(point.owners);
        const bytes = point.party === 'owner' ? 100 * point.values : 1e5;
        return [keyOf(point), { ...point, cpu_ms, prepared_bytes: 1e8, peak_bytes: 1e8 + bytes }];
      }),
  );
  const found = growths(wholeSizes, figures);
  const expected = { values: 1, owners: 0.5, key_bits: 2 };
  for (const each of found.filter(({ of }) => of === 'time'))
    assert.deepEqual([each.exponent, each.error], [expected[each.with], 0], each.party);
  const memory = found.filter(({ of, with: grown }) => of === 'memory' && grown === 'values').map(growthInWords);
  // 4 MB and more: of 100 000, 300 000 and a million values.
  assert.deepEqual(memory, [
    'memory ~ values^1.00 ± 0.00',
    ...new Array<string>(2).fill('memory: less than 4 MB, whatever the values'),
  ]);
});

test('times and sizes have the unit in which people read them, and tables are as wide as they have to be', () => {
  assert.deepEqual([0.0123, 0.1, 999, 1234, 7_199_000, 7_200_000, 1e9].map(duration), [
    '12.3 µs',
    '0.1 ms',
    '999 ms',
    '1.23 s',
    '7200 s',
    '2 h',
    '11.6 d',
  ]);
  assert.deepEqual([512, 1_234_567].map(size), ['0.512 kB', '1.23 MB']);
  assert.deepEqual(table(['what', 'how'], [['a', 'much more']], 1), ['what        how', 'a     much more']);
});

test.run();

/** Predictions as a file for spreadsheets. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { predictionsCsv } from '../../../parties/model-owner/dashboard.ts';

const test = suite('predictions as CSV');

test('values, classes with what speaks for them, and a head even where there is nothing', () => {
  assert.equal(predictionsCsv([1.5, -2e-7]), 'prediction\r\n1.5\r\n-2e-7\r\n');
  assert.equal(predictionsCsv([]), 'prediction\r\n');
  assert.equal(predictionsCsv([{ class: 'no', probability: 0.25 }]), 'class,probability\r\nno,0.25\r\n');
  assert.equal(predictionsCsv([{ class: 'a', probabilities: { a: 0.75, b: 0.25 } }]), 'class,a,b\r\na,0.75,0.25\r\n');
});

test('levels are whatever somebody has declared: quoted where they must be, and never a formula', () => {
  for (const [level, written] of [
    ['a,b', '"a,b"'],
    ['say "no"', '"say ""no"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['+cmd|, x', '"\'+cmd|, x"'],
    ['-5', '-5'],
    ['-', "'-"],
  ])
    assert.equal(
      predictionsCsv([{ class: level ?? '', probability: 1 }]),
      `class,probability\r\n${written},1\r\n`,
      level,
    );
});

test.run();

/** Where a text stops being JSON. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { positionIn } from '../../src/learning/json-position.ts';

const test = suite('where a text stops being JSON');

test('known mistakes, with what is wrong', () => {
  for (const [text, line, column, what] of [
    ['{ "model_type": }', 1, 17, /"}" is not expected/],
    ['{\n  "a": 1,\n}', 3, 1, /"}" is not expected/],
    ['{"a" 1}', 1, 6, /"1" is not expected/],
    ['{"a": tru}', 1, 10, /"}" is not expected/],
    ["{'a': 1}", 1, 2, /"'" is not expected/],
    ['[1, 2', 1, 6, /ends too soon/],
    ['', 1, 1, /ends too soon/],
    ['{"a": "b\n"}', 1, 9, /the end of the line is not expected/],
    ['{} {}', 1, 4, /"{" is not expected/],
    ['// x\n{}', 1, 1, /"\/" is not expected/],
  ] as const) {
    const found = positionIn(text);
    assert.deepEqual([found.line, found.column], [line, column], text);
    assert.match(found.detail, what);
  }
});

test('a character that belongs nowhere is found wherever it was put outside of a string', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.nat(), (numbers, at) => {
      const text = JSON.stringify(numbers);
      const place = at % text.length;
      const { column } = positionIn(`${text.slice(0, place)}#${text.slice(place)}`);
      assert.equal(column, place + 1);
    }),
  );
});

test.run();

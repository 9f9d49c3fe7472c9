/** Names that travel: of their alphabet and length, and nothing beside. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { jobIdSchema, ownerIdSchema, partyIdSchema, roundNumberSchema } from '../../src/protocol/identifiers.ts';

const test = suite('identifiers');

test('names are of their alphabet and length, and nothing beside', () => {
  for (const schema of [partyIdSchema, ownerIdSchema, jobIdSchema]) {
    for (const name of ['a', '7', 'St.Mary-2_b', 'x'.repeat(63), 'constructor']) assert.equal(schema.parse(name), name);
    for (const name of ['', '.', '-a', '_a', 'a b', 'a/b', 'a\n', 'ä', 'x'.repeat(64), 7, null, undefined, ['a']])
      assert.ok(!schema.safeParse(name).success, JSON.stringify(name));
  }
});

test('rounds are counted from 1', () => {
  for (const round of [1, 2, 1_000_000_000]) assert.equal(roundNumberSchema.parse(round), round);
  for (const round of [0, -1, 1.5, 1_000_000_001, '1', Number.NaN])
    assert.ok(!roundNumberSchema.safeParse(round).success);
});

test.run();

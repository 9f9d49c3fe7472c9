/** Parts of messages: lists that are read up to their first mistake, fields that may be left out, digests, integers and keys. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { z } from 'zod';
import { decimal, digestSchema, list, owners, tagKeySchema } from '../../src/protocol/message-parts.ts';
import { optional } from '../../src/protocol/optional.ts';
import { createTagSecret } from '../../src/protocol/tags.ts';

const test = suite('parts of messages');

test('a list is looked through up to its first wrong element and no further', () => {
  let looked = 0;
  const element = z.custom<number>((value) => {
    looked += 1;
    return typeof value === 'number';
  });
  const counted = list(element, 1000);
  assert.deepEqual(counted.parse([1, 2, 3]), [1, 2, 3]);
  looked = 0;
  const { error } = counted.safeParse([1, 'a', ...new Array<string>(900).fill('b')]);
  assert.deepEqual(
    error?.issues.map(({ path }) => path),
    [[1]],
  );
  // Once to find it, once to say what is wrong.
  assert.equal(looked, 4);
  looked = 0;
  assert.equal(counted.safeParse(new Array<number>(1_000_000).fill(1)).error?.issues[0]?.code, 'too_big');
  assert.ok(looked <= 2 * 1001, String(looked));
  for (const wrong of [null, undefined, {}, 'ab', { length: 2 }]) assert.ok(!counted.safeParse(wrong).success);
});

test('owners are named once each, and at least as many as it needs', () => {
  const schema = owners(2, 'expected at least two owners');
  assert.deepEqual(schema.parse(['anna', 'bert']), ['anna', 'bert']);
  assert.equal(schema.safeParse(['anna']).error?.issues[0]?.message, 'expected at least two owners');
  assert.equal(schema.safeParse(['anna', 'bert', 'anna']).error?.issues[0]?.message, 'an owner is named twice');
  // Names are compared as they are written.
  assert.deepEqual(schema.parse(['anna', 'Anna']), ['anna', 'Anna']);
});

test('a field that may be left out comes back left out', () => {
  const schema = z.strictObject({ name: z.string(), reason: optional(z.string()) });
  const bare: { name: string; reason?: string } = schema.parse({ name: 'a' });
  assert.deepEqual(Object.keys(bare), ['name']);
  assert.deepEqual(schema.parse({ name: 'a', reason: 'b' }), { name: 'a', reason: 'b' });
  for (const reason of [null, 1, {}]) assert.ok(!schema.safeParse({ name: 'a', reason }).success);
});

test('integers are written in one form', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 3000n }), (value) => {
      assert.equal(decimal.parse(String(value)), String(value));
    }),
  );
  for (const wrong of [
    '',
    '00',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '1\n',
    '0x1',
    '٣',
    '1'.repeat(1001),
    7,
    7n,
    null,
  ])
    assert.ok(!decimal.safeParse(wrong).success, String(wrong));
});

test('digests are of 64 lowercase hexadecimal digits, and tag keys of 32 bytes', () => {
  const digest = '0123456789abcdef'.repeat(4);
  assert.equal(digestSchema.parse(digest), digest);
  for (const wrong of [digest.slice(1), `${digest}0`, digest.toUpperCase(), `${digest}\n`, digest.replace('f', 'g'), 7])
    assert.ok(!digestSchema.safeParse(wrong).success, String(wrong));
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      const { publicKey } = createTagSecret(seed);
      assert.equal(tagKeySchema.parse(publicKey), publicKey);
      const loose = publicKey.slice(0, -1) + String.fromCharCode(publicKey.charCodeAt(42) + 1);
      for (const wrong of [loose, publicKey.slice(1), `${publicKey}A`, `${publicKey}=`])
        assert.ok(!tagKeySchema.safeParse(wrong).success, wrong);
    }),
    { numRuns: 30 },
  );
});

test.run();

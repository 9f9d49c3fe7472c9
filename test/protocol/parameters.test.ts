/** Parameters as they travel: every bit there and back, one text for each list, and nothing else is read. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { decodeParameters, encodeParameters, parametersSchema } from '../../src/protocol/parameters.ts';

const test = suite('parameters');

const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const bitsOf = (values: Float64Array): string => Buffer.from(values.buffer).toString('hex');

test('IEEE 754, section 3.4, least significant byte first, and RFC 4648, section 5', () => {
  // 1 is 3ff0000000000000, −2.5 is c004000000000000, the least subnormal 0000000000000001.
  const bytes = Buffer.from('000000000000f03f00000000000004c00100000000000000', 'hex');
  assert.equal(encodeParameters([1, -2.5, 5e-324]), bytes.toString('base64url'));
  assert.equal(encodeParameters([1]), 'AAAAAAAA8D8');
  assert.deepEqual([encodeParameters([]), decodeParameters('')], ['', new Float64Array()]);
});

test('every list comes back to the last bit, and a zero without its sign', () => {
  fc.assert(
    fc.property(fc.array(finite, { maxLength: 50 }), (values) => {
      const text = encodeParameters(values);
      assert.equal(bitsOf(decodeParameters(text)), bitsOf(Float64Array.from(values)));
      assert.equal(parametersSchema.parse(text), text);
      assert.equal(encodeParameters(decodeParameters(text)), text);
    }),
  );
  assert.equal(encodeParameters([-0]), encodeParameters([0]));
});

test('whatever is read is written the same way: any other text is refused', () => {
  const [one] = [encodeParameters([1])];
  const bytes = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
  for (const text of [
    'A',
    'AAAA',
    `${one}=`,
    ` ${one}`,
    `${one}\n`,
    // A stray bit in the last character, and the other alphabet.
    'AAAAAAAA8D9',
    Buffer.from('fffffffffffff0bf', 'hex').toString('base64'),
    bytes('000000000000f07f'),
    bytes('000000000000f0ff'),
    bytes('000000000000f87f'),
    bytes('0000000000000080'),
  ]) {
    assert.throws(() => decodeParameters(text), { code: 'message_invalid', field: 'parameters' }, text);
    assert.ok(!parametersSchema.safeParse(text).success, text);
  }
  assert.throws(() => decodeParameters(encodeParameters([1, 2, Number.NaN])), /value 2 is no finite number/);
  // Texts are read some thousand values at a time.
  const many = Array.from({ length: 20_000 }, (_, index) => index / 7);
  assert.deepEqual(decodeParameters(encodeParameters(many)), Float64Array.from(many));
  assert.equal(parametersSchema.parse(encodeParameters(many)), encodeParameters(many));
  for (const at of [6143, 6144, 19_999]) {
    const text = encodeParameters(many.with(at, Number.POSITIVE_INFINITY));
    assert.throws(() => decodeParameters(text), new RegExp(`value ${at} is no finite number`));
    assert.ok(!parametersSchema.safeParse(text).success);
  }
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('A', 'Q', '-', '_', '8', '=', '+', 'é') }), (text) => {
      let values: Float64Array;
      try {
        values = decodeParameters(text);
      } catch {
        return;
      }
      assert.equal(encodeParameters(values), text);
    }),
  );
});

test.run();

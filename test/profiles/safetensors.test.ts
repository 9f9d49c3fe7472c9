/** Files of safetensors: those of the format's own library byte for byte, every number of two bytes, and files that are none. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { bfloat16, binary16, decodeSmall, encodeSmall } from '../../src/profiles/floats.ts';
import { type FloatType, readSafetensors, writeSafetensors } from '../../src/profiles/safetensors.ts';

const test = suite('safetensors');

/**
 * safetensors 0.8.0, of Python with NumPy: save({'layer.weight': float16 [[1, -2.5, 3], [0.1, 5e-8, 65504]], 'layer.bias': float32
 * [0.1, -1e30], 'scale': float64 1/3, 'empty': float32 of shape (0, 3)}, metadata={'format': 'np'}).
 */
const theirs = Buffer.from(
  'GAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJucCJ9LCJzY2FsZSI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbXSwiZGF0YV9vZmZzZXRzIjpbMCw4' +
    'XX0sImVtcHR5Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDNdLCJkYXRhX29mZnNldHMiOls4LDhdfSwibGF5ZXIuYmlhcyI6eyJkdHlwZSI6IkYzMiIsInNo' +
    'YXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzgsMTZdfSwibGF5ZXIud2VpZ2h0Ijp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOlsyLDNdLCJkYXRhX29mZnNldHMiOlsx' +
    'NiwyOF19fSAgVVVVVVVV1T/NzMw9yvJJ8QA8AMEAQmYuAQD/ew==',
  'base64',
);

test('a file of the format’s own library is read, and written byte for byte', () => {
  const { tensors, types, metadata } = readSafetensors(theirs);
  const values = (name: string): unknown => tensors.get(name)?.values;
  assert.deepEqual(values('scale'), Float64Array.of(1 / 3));
  assert.deepEqual(tensors.get('scale')?.shape, []);
  assert.deepEqual(tensors.get('empty')?.shape, [0, 3]);
  assert.deepEqual(values('layer.bias'), Float64Array.from(Float32Array.of(0.1, -1e30)));
  assert.deepEqual(tensors.get('layer.weight')?.shape, [2, 3]);
  assert.deepEqual(values('layer.weight'), Float64Array.of(1, -2.5, 3, 0.0999755859375, 2 ** -24, 65504));
  assert.deepEqual([...types].sort(), [
    ['empty', 'F32'],
    ['layer.bias', 'F32'],
    ['layer.weight', 'F16'],
    ['scale', 'F64'],
  ]);
  assert.deepEqual(metadata, { format: 'np' });
  assert.deepEqual(Buffer.from(writeSafetensors({ tensors, types, metadata })), theirs);
});

test('all numbers of two bytes come back, and every double becomes the nearest, the even one of two', () => {
  for (const [type, greatest] of [
    [binary16, 65504],
    [bfloat16, 3.3895313892515355e38],
  ] as const) {
    const finite: { bits: number; value: number }[] = [];
    for (let bits = 0; bits < 2 ** 16; bits += 1) {
      const value = decodeSmall(type, bits);
      if (!Number.isFinite(value)) continue;
      assert.equal(encodeSmall(type, value), bits);
      if (bits < 2 ** 15) finite.push({ bits, value });
    }
    assert.equal(finite.at(-1)?.value, greatest);
    for (const [index, { bits, value }] of finite.entries()) {
      const next = finite[index + 1];
      if (next === undefined) break;
      assert.ok(next.value > value && next.bits === bits + 1);
      const middle = value / 2 + next.value / 2;
      assert.equal(encodeSmall(type, middle), bits % 2 === 0 ? bits : next.bits);
      assert.equal(encodeSmall(type, -middle * (1 + 2 ** -52)), next.bits | 0x8000);
    }
    const unit = greatest - (finite.at(-2)?.value ?? 0);
    assert.equal(encodeSmall(type, greatest + unit / 2), undefined);
    assert.equal(encodeSmall(type, greatest + unit / 4), finite.at(-1)?.bits);
  }
  // A bfloat16 is the upper half of a binary32.
  const view = new DataView(new ArrayBuffer(4));
  for (const bits of [0x3f80, 0xc049, 0x0001, 0x8000, 0x7f7f]) {
    view.setUint16(0, bits);
    assert.ok(Object.is(decodeSmall(bfloat16, bits), view.getFloat32(0)));
  }
});

test('what is written is read again, whatever it is called', () => {
  const tensor = fc
    .tuple(
      fc.constantFrom<FloatType>('F64', 'F32', 'BF16', 'F16'),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    )
    .chain(([type, shape]) => {
      const size = shape.reduce((product, each) => product * each, 1);
      // Whole numbers that every type holds.
      return fc.record({
        type: fc.constant(type),
        shape: fc.constant(shape),
        values: fc.array(fc.integer({ min: -256, max: 256 }), { minLength: size, maxLength: size }),
      });
    });
  const names = fc.string({ minLength: 1, unit: 'grapheme' }).filter((name) => name !== '__metadata__');
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(names, tensor), { selector: ([name]) => name, maxLength: 5 }), (all) => {
      const tensors = new Map(
        all.map(([name, { shape, values }]) => [name, { shape, values: Float64Array.from(values) }]),
      );
      const types = new Map(all.map(([name, { type }]) => [name, type]));
      const back = readSafetensors(writeSafetensors({ tensors, types }));
      assert.deepEqual([...back.tensors].sort(), [...tensors].sort());
      assert.deepEqual([...back.types].sort(), [...types].sort());
    }),
  );
});

/** A file with this header, and so many bytes of values. */
function fileOf(header: string, bytes: number, stated = Buffer.byteLength(header)): Uint8Array {
  const file = new Uint8Array(8 + Buffer.byteLength(header) + bytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(stated), true);
  file.set(Buffer.from(header), 8);
  return file;
}
const entry = (begin: number, end: number, shape = '[2]', dtype = 'F32'): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

for (const [what, file, field, message] of [
  ['an empty file', new Uint8Array(0), 'header', /0 bytes/],
  ['a file of 7 bytes', new Uint8Array(7), 'header', /7 bytes/],
  ['a header beyond the file', fileOf('{}', 0, 3), 'header', /the file ends before/],
  ['a header of 2^63 bytes', fileOf('{}', 0, 2 ** 63), 'header', /more than 100000000/],
  ['no JSON', fileOf('{"a":', 0), 'header', /no JSON/],
  ['a list', fileOf('[]', 0), 'header', /begins with/],
  ['space before the header', fileOf(' {}', 0), 'header', /begins with/],
  ['no UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d), 'header', /no JSON/],
  ['metadata of numbers', fileOf('{"__metadata__":{"a":1}}', 0), 'header', /texts/],
  ['a hole', fileOf(`{"a":${entry(0, 8)},"b":${entry(12, 20)}}`, 20), 'tensor "b"', /begins at byte 12/],
  ['an overlap', fileOf(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), 'tensor "b"', /begins at byte 4/],
  ['values after the last tensor', fileOf(`{"a":${entry(0, 8)}}`, 9), 'header', /end at byte 8/],
  ['values that are missing', fileOf(`{"a":${entry(0, 8)}}`, 7), 'header', /end at byte 8/],
  ['fewer bytes than the shape has', fileOf(`{"a":${entry(0, 4)}}`, 4), 'tensor "a"', /its shape and type 8/],
  ['offsets that go back', fileOf(`{"a":${entry(8, 0)}}`, 8), 'tensor "a"', /-8 bytes/],
  ['offsets below 0', fileOf(`{"a":${entry(-8, 0)}}`, 8), 'tensor "a"', /data_offsets/],
  ['a shape of halves', fileOf(`{"a":${entry(0, 8, '[0.5]')}}`, 8), 'tensor "a"', /shape/],
  ['a shape beyond counting', fileOf(`{"a":${entry(0, 8, '[4294967296,4294967296]')}}`, 8), 'tensor "a"', /counted/],
  ['integers', fileOf(`{"a":${entry(0, 16, '[2]', 'I64')}}`, 16), 'tensor "a"', /type I64; only F64, F32, BF16, F16/],
  ['a tensor that is twice there', fileOf(`{"a":${entry(0, 8)},"a":${entry(0, 8)}}`, 8), 'tensor "a"', /twice/],
  [
    'a name that is twice there, spelt otherwise',
    fileOf(`{"a":${entry(0, 8)},"\\u0061":${entry(0, 8)}}`, 8),
    'tensor "a"',
    /twice/,
  ],
  ['a tensor that is a number', fileOf('{"a":1}', 0), 'tensor "a"', /an object/],
  [
    'what the format does not know',
    fileOf('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}', 4),
    'tensor "a"',
    /"x"/,
  ],
] as const)
  test(`${what}: refused by its field`, () => {
    assert.throws(() => readSafetensors(file), { code: 'data_invalid', field, message });
  });

test('NaN and infinity are refused where they are, and so is what a type cannot hold', () => {
  const file = fileOf(`{"a":${entry(0, 8)}}`, 8);
  new DataView(file.buffer).setFloat32(file.length - 4, Number.NaN, true);
  assert.throws(() => readSafetensors(file), { code: 'number_not_finite', field: 'tensor "a" value 1' });
  const tensors = new Map([['a', { shape: [2], values: Float64Array.of(0, 1e39) }]]);
  for (const type of ['F32', 'BF16', 'F16'] as const)
    assert.throws(() => writeSafetensors({ tensors, types: new Map([['a', type]]) }), {
      code: 'number_out_of_bounds',
      field: 'tensor "a" value 1',
    });
  assert.throws(() => writeSafetensors({ tensors, types: new Map() }), { code: 'data_invalid', field: 'tensor "a"' });
});

test('bytes that are cut or changed anywhere never do more than be refused or read', () => {
  fc.assert(
    fc.property(fc.nat(theirs.length), fc.nat(theirs.length - 1), fc.nat(255), (length, at, byte) => {
      const changed = Uint8Array.from(theirs);
      changed[at] = byte;
      for (const file of [changed, theirs.subarray(0, length)])
        try {
          readSafetensors(file);
        } catch (error) {
          const { code } = error as { code?: string };
          assert.ok(code === 'data_invalid' || code === 'number_not_finite', String(error));
        }
    }),
    { numRuns: 2000 },
  );
});

test.run();

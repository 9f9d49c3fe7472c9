/** Tensors by name as one list of numbers and back, and what is refused of them by name. */
import assert from 'node:assert/strict';
import { array, dictionary, double, property as holds, integer, assert as property, string, tuple } from 'fast-check';
import { suite } from 'uvu';
import { createTensorLayout, layoutOf, type NamedTensors, tensorOf } from '../../src/averaging/tensors.ts';
import type { SealsumError } from '../../src/errors.ts';

const test = suite('tensors');

const finite = double({ noNaN: true, noDefaultInfinity: true });
const tensors = dictionary(
  string({ minLength: 1 }),
  array(integer({ min: 0, max: 3 }), { maxLength: 3 }).chain((shape) => {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    return tuple(array(finite, { minLength: size, maxLength: size })).map(([values]) => tensorOf(values, shape));
  }),
).map((each): NamedTensors => new Map(Object.entries(each)));

test('what is flattened comes back, tensor by tensor, in the order of the layout', () => {
  property(
    holds(tensors, (given) => {
      const layout = layoutOf(given);
      const flat = layout.flatten(new Map([...given].reverse()));
      assert.equal(flat.length, layout.length);
      assert.deepEqual(layout.unflatten(flat), given);
      assert.deepEqual(
        [...flat],
        [...given.values()].flatMap(({ values }) => [...values]),
      );
    }),
  );
});

test('a layout says where the values of a tensor are', () => {
  const layout = createTensorLayout([
    { name: 'weight', shape: [2, 3] },
    { name: 'empty', shape: [0, 5] },
    { name: 'bias', shape: [] },
  ]);
  assert.equal(layout.length, 7);
  assert.deepEqual(
    layout.places.map(({ offset, size }) => [offset, size]),
    [
      [0, 6],
      [6, 0],
      [6, 1],
    ],
  );
  assert.equal(layout.place('bias')?.offset, 6);
  assert.equal(layout.fieldOf(5), 'tensor "weight" value 5');
  assert.equal(layout.fieldOf(6), 'tensor "bias" value 0');
  assert.equal(layout.fieldOf(7), 'value 7');
});

test('what is unflattened is a copy, and what was flattened too', () => {
  const given = new Map([['weight', tensorOf([1, 2])]]);
  const layout = layoutOf(given);
  const flat = layout.flatten(given);
  const back = layout.unflatten(flat);
  flat.fill(7);
  assert.deepEqual(back, given);
  assert.deepEqual([...(given.get('weight')?.values ?? [])], [1, 2]);
});

const layout = createTensorLayout([
  { name: 'weight', shape: [2, 2] },
  { name: 'bias', shape: [1] },
]);
const weight = tensorOf([1, 2, 3, 4], [2, 2]);
const bias = tensorOf([5]);
const broken = { shape: [2, 2], values: Float64Array.of(0, 1, Number.NaN, 3) };

for (const [what, given, code, field, message] of [
  ['a missing tensor', { weight }, 'data_invalid', 'tensor "bias"', /is missing/],
  ['an unexpected one', { weight, bias, extra: bias }, 'data_invalid', 'tensor "extra"', /has "weight", "bias"/],
  [
    'a transposed one',
    { weight: tensorOf([1, 2, 3, 4], [4]), bias },
    'data_invalid',
    'tensor "weight"',
    /\[4\].*\[2, 2\]/,
  ],
  ['one with a dimension more', { weight, bias: tensorOf([5], [1, 1]) }, 'data_invalid', 'tensor "bias"', /\[1, 1\]/],
  [
    'too few values',
    { weight, bias: { shape: [1], values: new Float64Array() } },
    'data_invalid',
    'tensor "bias"',
    /0 values/,
  ],
  ['a plain list', { weight, bias: { shape: [1], values: [5] } }, 'data_invalid', 'tensor "bias"', /Float64Array/],
  ['nothing', { weight, bias: null }, 'data_invalid', 'tensor "bias"', /Float64Array/],
  ['NaN', { weight: broken, bias }, 'number_not_finite', 'tensor "weight" value 2', /nothing is put in its place/],
  [
    'infinity',
    { weight, bias: { shape: [1], values: Float64Array.of(-Infinity) } },
    'number_not_finite',
    'tensor "bias" value 0',
    /NaN or infinite/,
  ],
] as const)
  test(`${what} is refused by name`, () => {
    assert.throws(
      () => layout.flatten(new Map(Object.entries(given)) as NamedTensors),
      (error: SealsumError) => error.code === code && error.field === field && message.test(error.message),
    );
  });

test('a layout of what are no tensors is refused by name', () => {
  const twice = [
    { name: 'weight', shape: [1] },
    { name: 'weight', shape: [2] },
  ];
  for (const [shapes, field] of [
    [twice, 'tensor "weight"'],
    [[{ name: '', shape: [] }], 'tensors'],
    [[{ name: 'weight', shape: [-1] }], 'tensor "weight"'],
    [[{ name: 'weight', shape: [1.5] }], 'tensor "weight"'],
    [[{ name: 'weight', shape: [2 ** 40, 2 ** 40] }], 'tensor "weight"'],
    [[{ name: 'weight', shape: 3 as unknown as number[] }], 'tensor "weight"'],
  ] as const)
    assert.throws(() => createTensorLayout(shapes), { code: 'data_invalid', field });
  assert.throws(() => layoutOf({ weight } as unknown as NamedTensors), { code: 'data_invalid', field: 'tensors' });
  assert.throws(() => layoutOf(new Map([['weight', broken]])), { code: 'number_not_finite' });
  assert.throws(() => tensorOf([1, 2, 3], [2, 2]), { code: 'data_invalid', field: 'shape' });
  assert.throws(() => tensorOf([1, Number.NaN]), { code: 'number_not_finite', field: 'value 1' });
  assert.throws(() => layout.unflatten([1, 2]), { code: 'data_invalid', field: 'values' });
});

test.run();

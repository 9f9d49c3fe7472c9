/** The document of a vector sum: its defaults, what it refuses by name, and the terms that both sides compute of it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { describePlan } from '../../src/encoding/plan.ts';
import { multiplyRationals, rational } from '../../src/privacy/rational.ts';
import { parseVectorSum } from '../../src/vector-sum/document.ts';
import { vectorSumTerms } from '../../src/vector-sum/terms.ts';

const test = suite('the document of a vector sum');

const plain = { model_type: 'VECTOR_SUM', length: 100, bits: 32, bound: 1 };
const hidden = { model_type: 'VECTOR_SUM', length: 100, bits: 32, norm: 1, privacy: { rho: 0.5 } };

test('defaults are filled in, and what comes of it is accepted unchanged', () => {
  const sum = parseVectorSum(plain);
  assert.deepEqual(sum, {
    ...plain,
    max_weight: 1,
    parameters: 0,
    rounds: 1,
    encryption: { key_bits: 3072 },
    participation: { quorum: 2, deadline_seconds: 30 },
  });
  assert.deepEqual(parseVectorSum(JSON.parse(JSON.stringify(sum))), sum);
  const { privacy } = parseVectorSum(hidden);
  assert.deepEqual(privacy, {
    rho: 0.5,
    place: 'model-owner',
    neighbours: 'zero-out',
    silent_owners: 0,
    unit: 'owner',
    sampling: 1,
  });
});

const tensors = [
  { name: 'weight', shape: [3, 30] },
  { name: 'bias', shape: [10] },
];
const averaged = { ...plain, parameters: 100, averaging: { tensors } };

test('what is averaged is as many values as the vector has, and more is said of it by default', () => {
  assert.deepEqual(parseVectorSum(averaged).averaging, { tensors, sends: 'parameters', settings: [], metrics: [] });
  const more = { tensors, sends: 'updates', settings: ['epochs', 'rate'], metrics: ['loss'] };
  const sum = parseVectorSum({ ...averaged, length: 101, parameters: 102, averaging: more });
  assert.deepEqual(sum.averaging, more);
});

for (const [field, document] of [
  ['levels', { ...plain, levels: 0 }],
  ['levels', { ...plain, levels: 4095 }],
  ['levels', { ...plain, levels: 2 ** 33 }],
  ['levels', { ...plain, bits: 64, levels: 2 ** 53 }],
  ['length', { ...averaged, length: 99 }],
  ['parameters', { ...averaged, parameters: 101 }],
  ['averaging.tensors', { ...averaged, averaging: { tensors: [] } }],
  ['averaging.tensors', { ...averaged, averaging: { tensors: [tensors[0], tensors[0]] } }],
  ['averaging.tensors[1].name', { ...averaged, averaging: { tensors: [tensors[0], { name: '', shape: [] }] } }],
  ['averaging.tensors[0].shape[1]', { ...averaged, averaging: { tensors: [{ name: 'weight', shape: [1, -1] }] } }],
  ['length', { ...averaged, averaging: { tensors: [{ name: 'weight', shape: Array(32).fill(2 ** 20) }] } }],
  ['averaging.sends', { ...averaged, averaging: { tensors, sends: 'gradients' } }],
  ['averaging.sends', { ...averaged, bound: undefined, norm: 1 }],
  ['averaging.metrics', { ...averaged, averaging: { tensors, metrics: ['loss', 'loss'] } }],
  ['averaging.settings[0]', { ...averaged, averaging: { tensors, settings: [1] } }],
  ['averaging.layers', { ...averaged, averaging: { tensors, layers: [] } }],
  ['length', { ...plain, length: 0 }],
  ['length', { ...plain, length: 2 ** 20 + 1 }],
  ['length', { ...plain, length: 2.5 }],
  ['bits', { ...plain, bits: 24 }],
  ['bits', { ...plain, bits: '32' }],
  ['bound', { ...plain, bound: 0 }],
  ['bound', { ...plain, bound: Number.POSITIVE_INFINITY }],
  ['bound', { ...plain, norm: 1 }],
  ['bound', { ...plain, bound: undefined }],
  ['bound', { ...hidden, norm: undefined, bound: 1 }],
  ['norm', { ...hidden, norm: -1 }],
  ['max_weight', { ...plain, max_weight: 0 }],
  ['max_weight', { ...hidden, max_weight: 2 }],
  ['parameters', { ...plain, parameters: -1 }],
  ['parameters', { ...plain, parameters: 2 ** 20 + 1 }],
  ['rounds', { ...plain, rounds: 0 }],
  ['encryption.key_bits', { ...plain, encryption: { key_bits: 1024 } }],
  ['participation.quorum', { ...plain, participation: { quorum: 1 } }],
  ['participation.quorum', { ...plain, participation: { quorum: 3, roster: ['a', 'b'] } }],
  ['privacy.unit', { ...hidden, privacy: { rho: 1, unit: 'record' } }],
  ['privacy.sampling', { ...hidden, privacy: { epsilon: 1, delta: 1e-6, sampling: 0.5 } }],
  ['privacy.silent_owners', { ...hidden, privacy: { rho: 1, silent_owners: 1 } }],
  ['privacy', { ...hidden, privacy: {} }],
  ['model_type', { ...plain, model_type: 'LINEAR_REGRESSION' }],
  ['clip', { ...plain, clip: 1 }],
] as const)
  test(`${field} is refused by name: ${JSON.stringify(document)}`, () => {
    assert.throws(() => parseVectorSum(document), { code: 'model_invalid', field });
  });

test('a slot has room for the greatest integer of every owner, of its weight', () => {
  for (const [bits, slot] of [
    [16, 15 + 10 + 2],
    [32, 31 + 10 + 2],
    [64, 63 + 10 + 2],
  ] as const) {
    const sum = parseVectorSum({ ...plain, bits, encryption: { key_bits: 2048 } });
    const { plan, calibration } = vectorSumTerms(sum, 1024);
    assert.equal(plan.slotBits, slot, describePlan(plan));
    assert.equal(plan.tags, true);
    assert.equal(calibration, undefined);
    assert.equal(vectorSumTerms({ ...sum, max_weight: 2 ** 20 }, 1024).plan.slotBits, slot + 20);
  }
});

test('levels take the place of the width: slots have room for half of them, and the noise is for as many', () => {
  for (const levels of [2 ** 22, 1_000_000]) {
    const sum = parseVectorSum({ ...plain, bound: 8, levels, max_weight: 1000 });
    const { plan } = vectorSumTerms(sum, 3);
    assert.equal(plan.valueBound, BigInt(levels / 2));
    assert.equal(plan.scale, levels / 16);
    assert.equal(plan.slotBits, Math.ceil(Math.log2(3000 * (levels / 2))) + 2);
    assert.equal(vectorSumTerms(parseVectorSum({ ...hidden, levels }), 3).calibration?.sensitivity, BigInt(levels / 2));
  }
});

test('the noise is for vectors of 2^(bits − 1) in length, twice that between neighbours by substitution', () => {
  for (const bits of [16, 32, 64] as const)
    for (const neighbours of ['zero-out', 'substitution'] as const) {
      const sum = parseVectorSum({ ...hidden, bits, rounds: 7, privacy: { rho: 0.5, neighbours } });
      const { calibration } = vectorSumTerms(sum, 3);
      assert.ok(calibration !== undefined);
      const greatest = 2n ** BigInt(bits - 1) * (neighbours === 'substitution' ? 2n : 1n);
      assert.equal(calibration.sensitivity, greatest);
      // The least whole σ² with 7·Δ²/2σ² ≤ 1/2.
      assert.deepEqual(calibration.variance, rational(7n * greatest ** 2n));
      assert.deepEqual(multiplyRationals(rational(7n), calibration.rhoPerRound), calibration.rhoTotal);
    }
});

test('data owners share the noise, as far as they are not silent, and slots have room for it', () => {
  const shared = { rho: 0.5, place: 'data-owners', silent_owners: 1 };
  const sum = parseVectorSum({ ...hidden, privacy: shared, participation: { quorum: 4 } });
  const { plan, calibration } = vectorSumTerms(sum, 10);
  assert.equal(calibration?.shares, 3);
  assert.ok(plan.noiseBound > 0n);
  assert.equal(vectorSumTerms(parseVectorSum(hidden), 10).plan.noiseBound, 0n);
});

test.run();

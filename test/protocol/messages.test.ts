/** What travels: names, plans, times and messages, there and back through JSON, and what none of them may be. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { z } from 'zod';
import { createPlan, type PlanRequest } from '../../src/encoding/plan.ts';
import { SealsumError } from '../../src/errors.ts';
import { parseModel } from '../../src/learning/model.ts';
import { systemClock, timestamp } from '../../src/protocol/clock.ts';
import { jobEventSchema } from '../../src/protocol/events.ts';
import { jobIdSchema, ownerIdSchema, roundNumberSchema } from '../../src/protocol/identifiers.ts';
import { jobDescriptorSchema, roundDescriptorSchema } from '../../src/protocol/messages.ts';
import { optional } from '../../src/protocol/optional.ts';
import { noiseToWire, termsOf } from '../../src/protocol/terms.ts';
import {
  planDifferences,
  planFromWire,
  planToWire,
  type WirePlan,
  wirePlanSchema,
} from '../../src/protocol/wire-plan.ts';

const test = suite('messages');

const travelled = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const requests: fc.Arbitrary<PlanRequest> = fc.record({
  keyBits: fc.constantFrom(2048, 3072, 4096),
  length: fc.integer({ min: 1, max: 5000 }),
  owners: fc.integer({ min: 2, max: 10_000 }),
  maxWeight: fc.bigInt({ min: 1n, max: 1n << 40n }),
  valueBound: fc.bigInt({ min: 1n, max: 1n << 96n }),
  scale: fc.oneof(
    fc.double({ min: 0, minExcluded: true, noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(1, 2 ** 40, 2 ** 96, 5e-324),
  ),
  weightUnit: fc.bigInt({ min: 1n, max: 1n << 20n }),
  noiseBound: fc.bigInt({ min: 0n, max: 1n << 60n }),
});

test('a plan travels to the last bit, and is computed again from what arrives', () => {
  fc.assert(
    fc.property(requests, (request) => {
      const plan = createPlan(request);
      const wire = wirePlanSchema.parse(travelled(planToWire(plan)));
      assert.deepEqual(wire, planToWire(plan));
      assert.deepEqual(planDifferences(planToWire(plan), wire), []);
      assert.deepEqual(planFromWire(wire), plan);
    }),
  );
});

test('a plan of which any field was changed is seen to differ, and is refused unless it is another plan as a whole', () => {
  const plan = createPlan({
    keyBits: 2048,
    length: 60,
    owners: 3,
    maxWeight: 1000n,
    valueBound: 1n << 20n,
    scale: 1024,
  });
  const wire = planToWire(plan);
  for (const field of Object.keys(wire) as (keyof WirePlan)[]) {
    for (const by of [1, -1]) {
      const changed = {
        ...wire,
        [field]: typeof wire[field] === 'number' ? wire[field] + by : String(BigInt(wire[field]) + BigInt(by)),
      };
      assert.deepEqual(planDifferences(wire, changed), [field]);
      try {
        assert.deepEqual(planToWire(planFromWire(changed)), changed);
        // Only what a request asks for may be another: nothing that follows from it.
        assert.ok(['scale', 'weight_unit', 'key_bits', 'length'].includes(field), field);
      } catch (error) {
        assert.ok(error instanceof SealsumError, String(error));
        assert.ok(['plan_mismatch', 'plan_unsafe'].includes(error.code));
      }
    }
  }
  assert.throws(
    () => planFromWire({ ...wire, ciphertexts: 7 }),
    (error) => {
      assert.ok(error instanceof SealsumError);
      assert.deepEqual(
        [error.code, error.field, error.message],
        ['plan_mismatch', 'plan.ciphertexts', 'plan.ciphertexts: expected 2, which follows from the others, found 7'],
      );
      return true;
    },
  );
});

test('names are of their alphabet and length, and nothing beside', () => {
  for (const schema of [ownerIdSchema, jobIdSchema]) {
    for (const name of ['a', '7', 'St.Mary-2_b', 'x'.repeat(63), 'constructor']) assert.equal(schema.parse(name), name);
    for (const name of ['', '.', '-a', '_a', 'a b', 'a/b', 'a\n', 'ä', 'x'.repeat(64), 7, null, undefined, ['a']])
      assert.ok(!schema.safeParse(name).success, JSON.stringify(name));
  }
  for (const round of [1, 2, 1_000_000_000]) assert.equal(roundNumberSchema.parse(round), round);
  for (const round of [0, -1, 1.5, 1_000_000_001, '1', Number.NaN])
    assert.ok(!roundNumberSchema.safeParse(round).success);
});

test('a field that may be left out comes back left out', () => {
  const schema = z.strictObject({ name: z.string(), reason: optional(z.string()) });
  const bare: { name: string; reason?: string } = schema.parse({ name: 'a' });
  assert.deepEqual(Object.keys(bare), ['name']);
  assert.deepEqual(schema.parse({ name: 'a', reason: 'b' }), { name: 'a', reason: 'b' });
  for (const reason of [null, 1, {}]) assert.ok(!schema.safeParse({ name: 'a', reason }).success);
});

test('an event is read as it was written, and no other type of event', () => {
  const event = { id: 7, type: 'owner.answered', job: 'j', owner: 'a', status: 'ready', at: timestamp(0) };
  assert.deepEqual(jobEventSchema.parse(travelled(event)), event);
  for (const change of [{ type: 'owner.lost' }, { id: 0 }, { id: 1.5 }, { job: '' }, { owner: null }, { round: 0 }])
    assert.ok(!jobEventSchema.safeParse({ ...event, ...change }).success, JSON.stringify(change));
});

test('a list of a round is cut at its first mistake, which is named, and at its greatest length', () => {
  const issues = (message: unknown): readonly string[] => {
    const parsed = roundDescriptorSchema.safeParse(message);
    return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`);
  };
  const parameters = Array.from({ length: 300 }, (_, index) => index / 7);
  assert.deepEqual(roundDescriptorSchema.parse({ roster: ['a', 'b'], parameters }).parameters, parameters);
  const wrong: unknown[] = [...parameters];
  for (const index of [299, 150, 17]) {
    wrong[index] = 'x';
    assert.deepEqual(issues({ roster: ['a', 'b'], parameters: wrong }), [`parameters.${index}: invalid_type`]);
  }
  const names = Array.from({ length: 10_001 }, (_, index) => `owner-${index}`);
  assert.deepEqual(issues({ roster: names, parameters: [] }), ['roster: too_big']);
  assert.deepEqual(issues({ roster: names.slice(1), parameters: [] }), []);
});

const model = {
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    features: [{ name: 'x', type: 'continuous', range: [0, 1] }],
    target: { name: 'y', range: [0, 1] },
  },
};

test('two who know the model and the number of owners compute the same terms, with and without noise', () => {
  const plain = parseModel(model);
  assert.deepEqual(planToWire(termsOf(plain, 3).plan), planToWire(termsOf(parseModel(travelled(model)), 3).plan));
  assert.notDeepEqual(planToWire(termsOf(plain, 3).plan), planToWire(termsOf(plain, 4).plan));
  assert.equal(noiseToWire(termsOf(plain, 3)), null);
  const noisy = termsOf(parseModel({ ...model, privacy: { epsilon: 1, delta: 1e-6 } }), 3);
  const noise = noiseToWire(noisy);
  assert.deepEqual(noise, {
    place: 'model-owner',
    variance: String(noisy.calibration?.variance.numerator),
    rho_per_round: {
      numerator: String(noisy.calibration?.rhoPerRound.numerator),
      denominator: String(noisy.calibration?.rhoPerRound.denominator),
    },
    rounds: 1,
  });
  // The variance is whole, so that nothing is lost in writing it as an integer.
  assert.equal(noisy.calibration?.variance.denominator, 1n);
  const descriptor = {
    job: 'j',
    model,
    public_key: { kty: 'DAJ', alg: 'PAI-GN1', n: 'AQAB' },
    plan: planToWire(noisy.plan),
    roster: ['a', 'b', 'c'],
    quorum: 2,
    deadline_seconds: 0.5,
    noise,
  };
  assert.deepEqual(jobDescriptorSchema.parse(travelled(descriptor)), descriptor);
});

test('a moment is written in UTC to the millisecond', () => {
  assert.equal(timestamp(0), '1970-01-01T00:00:00.000Z');
  assert.equal(timestamp(1_704_067_199_999), '2023-12-31T23:59:59.999Z');
});

test("the machine's clock fires once, in order, not when cancelled, and does not mistake a long wait for none", async () => {
  const before = Date.now();
  assert.ok(systemClock.now() >= before && systemClock.now() <= Date.now());
  const start = systemClock.monotonic();
  const fired: string[] = [];
  const cancelLong = systemClock.after(2 ** 31, () => fired.push('long'));
  const cancel = systemClock.after(1, () => fired.push('cancelled'));
  cancel();
  // Its timers keep no process alive, so this one is kept alive by one of its own.
  const alive = setInterval(() => undefined, 1000);
  await new Promise<void>((resolve) => {
    systemClock.after(20, () => {
      fired.push('second');
      resolve();
    });
    systemClock.after(-5, () => fired.push('first'));
  });
  clearInterval(alive);
  cancelLong();
  cancelLong();
  assert.deepEqual(fired, ['first', 'second']);
  assert.ok(systemClock.monotonic() > start);
});

test.run();

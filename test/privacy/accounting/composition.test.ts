/** Rounds with and without sampling, added up: figures by others, and the laws that a ledger rests on. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  type Composition,
  compose,
  epsilonOf,
  NO_ROUNDS,
  noiseMultiplierOf,
  rhoOf,
  roundsOf,
} from '../../../src/privacy/accounting/composition.ts';
import { RENYI_ORDERS, sampledGaussianDivergence } from '../../../src/privacy/accounting/renyi.ts';
import { epsilonFromRho } from '../../../src/privacy/accounting/zcdp.ts';
import {
  compareRationals,
  divideRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  sumRationals,
  toNumber,
  toNumberAbove,
  ZERO,
} from '../../../src/privacy/rational.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('composition');

/** ρ of a round with a noise multiplier, exactly. */
function rhoAt(noiseMultiplier: number): Rational {
  const z = rationalFromNumber(noiseMultiplier);
  return divideRationals(rational(1n, 2n), multiplyRationals(z, z));
}

testCases(test, 'rounds of one kind, within 1e-9', 'rdp_poisson_gaussian', (each) => {
  const { sigma, q: sampling, steps, delta } = each;
  const found = epsilonOf(roundsOf({ rho: rhoAt(sigma), sampling }, steps), delta);
  // All real orders without sampling may know better than whole ones with it.
  const unsampled = epsilonFromRho(toNumberAbove(rational(BigInt(steps))) * toNumber(rhoAt(sigma)), delta).epsilon;
  const expected = Math.min(each.epsilon_integer_orders, unsampled);
  assert.ok(agree(found.epsilon, expected, 1e-9), `${JSON.stringify(each)}: ${found.epsilon}`);
  if (sampling < 1 && expected < unsampled) assert.equal(found.order, each.order_integer);
});

testCases(test, 'never less than the exact ε is known to be', 'prv_poisson_gaussian', (each) => {
  const found = epsilonOf(roundsOf({ rho: rhoAt(each.sigma), sampling: each.q }, each.steps), each.delta);
  assert.ok(found.epsilon >= each.lower, `${JSON.stringify(each)}: ${found.epsilon}`);
});

testCases(test, "never less than Google's accountant of loss distributions finds", 'pld_poisson_gaussian', (each) => {
  const found = epsilonOf(roundsOf({ rho: rhoAt(each.sigma), sampling: each.q }, each.steps), each.delta);
  assert.ok(found.epsilon >= each.epsilon - 1e-4, `${JSON.stringify(each)}: ${found.epsilon}`);
});

const someRho = fc
  .integer({ min: -9000, max: 2000 })
  .map((thousandths) => rationalFromNumber(10 ** (thousandths / 1000)));
const someSampling = fc.oneof(
  fc.constant(1),
  fc.integer({ min: -6000, max: 0 }).map((thousandths) => 10 ** (thousandths / 1000)),
);
const someKind = fc.record({ rho: someRho, sampling: someSampling, rounds: fc.integer({ min: 1, max: 5000 }) });
const someDelta = fc.integer({ min: -12000, max: -500 }).map((thousandths) => 10 ** (thousandths / 1000));
const numRuns = 60;

type Kind = { readonly rho: Rational; readonly sampling: number; readonly rounds: number };

function composed(kinds: readonly Kind[]): Composition {
  return compose(kinds.map(({ rounds, ...loss }) => roundsOf(loss, rounds)));
}

test('what is added up is added order by order: divergences of each kind, and ρ·α where everybody takes part', () => {
  fc.assert(
    fc.property(fc.array(someKind, { minLength: 1, maxLength: 3 }), someDelta, (kinds, delta) => {
      const found = epsilonOf(composed(kinds), delta).epsilon;
      let expected = epsilonFromRho(
        kinds.reduce((sum, { rho, rounds }) => sum + rounds * toNumber(rho), 0),
        delta,
      ).epsilon;
      for (const order of RENYI_ORDERS) {
        const divergence = kinds.reduce((sum, { rho, sampling, rounds }) => {
          const one = sampledGaussianDivergence(order, 1 / Math.sqrt(2 * toNumber(rho)), sampling);
          return sum + rounds * one;
        }, 0);
        const converted = divergence + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
        expected = Math.min(expected, Math.max(0, converted));
      }
      // Where next to nothing is lost, ε is a difference of greater terms.
      assert.ok(Math.abs(found - expected) <= 1e-9 * expected + 1e-12, `${found}, by hand ${expected}`);
    }),
    { numRuns: 15 },
  );
});

test('it does not matter in which order rounds run, nor how they are divided among jobs', () => {
  fc.assert(
    fc.property(
      fc.array(someKind, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat({ max: 5000 }), { minLength: 4, maxLength: 4 }),
      someDelta,
      (kinds, cuts, delta) => {
        const whole = composed(kinds);
        const parts = kinds.flatMap(({ rounds, ...kind }, index) => {
          const cut = (cuts[index] ?? 0) % rounds;
          const counts = cut === 0 ? [rounds] : [cut, rounds - cut];
          return counts.map((count) => ({ ...kind, rounds: count }));
        });
        for (const other of [composed(kinds.toReversed()), composed(parts), composed(parts.toReversed())]) {
          assert.deepEqual(rhoOf(other), rhoOf(whole), 'ρ');
          const [one, two] = [epsilonOf(whole, delta).epsilon, epsilonOf(other, delta).epsilon];
          assert.ok(Math.abs(one - two) <= 1e-12 * one + 1e-14, `${one} and ${two}`);
        }
        assert.deepEqual(composed(parts).sampled.length, whole.sampled.length, 'every kind once');
        assert.deepEqual(compose([whole, NO_ROUNDS]), whole, 'nothing added');
      },
    ),
    { numRuns },
  );
});

test('ρ is added up exactly with no regard to sampling, and ε never exceeds what that ρ gives', () => {
  fc.assert(
    fc.property(fc.array(someKind, { maxLength: 3 }), someDelta, (kinds, delta) => {
      const whole = composed(kinds);
      const rho = sumRationals(kinds.map((kind) => multiplyRationals(rational(BigInt(kind.rounds)), kind.rho)));
      assert.deepEqual(rhoOf(whole), rho, 'ρ');
      const { epsilon } = epsilonOf(whole, delta);
      assert.ok(epsilon <= epsilonFromRho(toNumberAbove(rho), delta).epsilon, `${epsilon}`);
      assert.ok(epsilon >= 0, 'at least 0');
    }),
    { numRuns },
  );
});

test('more rounds, a greater ρ, a greater chance to take part, a smaller δ or another job never mean less', () => {
  fc.assert(
    fc.property(someKind, someKind, someDelta, (kind, other, delta) => {
      const of = (changed: Partial<Kind>, at = delta): number =>
        epsilonOf(composed([{ ...kind, ...changed }]), at).epsilon;
      const epsilon = of({});
      const least = epsilon * (1 - 1e-12) - 1e-14;
      assert.ok(of({ rounds: kind.rounds + 1 }) >= least, 'rounds');
      assert.ok(of({ rho: multiplyRationals(kind.rho, rational(101n, 100n)) }) >= least, 'ρ');
      assert.ok(of({ sampling: Math.min(1, kind.sampling * 1.01) }) >= least, 'sampling');
      assert.ok(of({ sampling: 1 }) >= least, 'no sampling');
      assert.ok(of({}, delta * 0.99) >= least, 'δ');
      assert.ok(epsilonOf(composed([kind, other]), delta).epsilon >= least, 'another job');
    }),
    { numRuns },
  );
});

test('the noise multiplier of a ρ is never more than it is, and hardly less', () => {
  fc.assert(
    fc.property(someRho, (rho) => {
      const z = rationalFromNumber(noiseMultiplierOf(rho));
      const squared = multiplyRationals(rational(2n), multiplyRationals(rho, multiplyRationals(z, z)));
      assert.ok(compareRationals(squared, rational(1n)) <= 0, 'never more');
      assert.ok(compareRationals(squared, rationalFromNumber(1 - 1e-14)) > 0, 'hardly less');
    }),
  );
});

test('chance saves what it is for: a tenth of the units, less than a fifth of the ε', () => {
  const kind = { rho: rational(1n, 800n), rounds: 100 };
  const [all, some] = [1, 0.1].map((sampling) => epsilonOf(composed([{ ...kind, sampling }]), 1e-6).epsilon);
  assert.ok(some !== undefined && all !== undefined && some < all / 5, `${some} of ${all}`);
});

test('the ends: nothing, everything, and a ρ beyond all bounds', () => {
  assert.equal(epsilonOf(NO_ROUNDS, 1e-6).epsilon, 0);
  assert.deepEqual(roundsOf({ rho: ZERO, sampling: 0.5 }), NO_ROUNDS);
  assert.deepEqual(roundsOf({ rho: rational(1n, 3n), sampling: 1 }, 6), { rho: rational(2n), sampled: [] });
  const huge = rational(2n ** 3000n);
  for (const sampling of [1, 0.5, 1e-6]) {
    assert.deepEqual(epsilonOf(roundsOf({ rho: huge, sampling }), 1e-6), { epsilon: Infinity, order: Infinity });
    const beside = compose([roundsOf({ rho: huge, sampling }), roundsOf({ rho: rational(1n), sampling: 0.1 })]);
    assert.equal(epsilonOf(beside, 1e-6).epsilon, Infinity);
  }
  // A trace of a ρ, below the least double: charged as more, never as nothing at all or as NaN.
  const trace = epsilonOf(roundsOf({ rho: rational(1n, 2n ** 3000n), sampling: 0.5 }), 0.01).epsilon;
  assert.ok(trace >= 0 && trace < 1e-9, `${trace}`);
});

test('refuses what is no number of rounds, chance, ρ or δ, naming it', () => {
  const right = { rho: rational(1n), sampling: 0.5 };
  for (const rounds of [0, -1, 1.5, Number.NaN, Infinity])
    assert.throws(() => roundsOf(right, rounds), { code: 'privacy_invalid', field: 'rounds' });
  for (const sampling of [0, -0.1, 1.1, Number.NaN])
    assert.throws(() => roundsOf({ ...right, sampling }), { code: 'privacy_invalid', field: 'sampling' });
  assert.throws(() => roundsOf({ ...right, rho: rational(-1n) }), { code: 'privacy_invalid', field: 'rho' });
  for (const delta of [0, 1, Number.NaN])
    assert.throws(() => epsilonOf(roundsOf(right), delta), { code: 'privacy_invalid', field: 'delta' });
});

test.run();

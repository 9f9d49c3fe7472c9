/** What a ledger says: every charge is in one account of its data set and unit, spent and left make the cap, bounds are on the safe side. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { ledgerStatementSchema } from '../../src/http/ledger-schema.ts';
import { epsilonOf, roundsOf } from '../../src/privacy/accounting/composition.ts';
import { epsilonFromRho } from '../../src/privacy/accounting/zcdp.ts';
import { createCaps } from '../../src/privacy/budget.ts';
import type { LedgerEntry } from '../../src/privacy/ledger.ts';
import { ledgerStatement, type RhoView } from '../../src/privacy/ledger-statement.ts';
import {
  addRationals,
  compareRationals,
  type Rational,
  rational,
  rationalFromNumber,
  sumRationals,
} from '../../src/privacy/rational.ts';

const test = suite('the statement of a ledger');

function entryOf(round: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  const cost = {
    dataset: 'data.csv',
    rho: rational(1n, 3n),
    unit: 'record',
    neighbours: 'zero-out',
    sampling: 1,
  } as const;
  return { job: 'job', round, ...cost, at: 'monday', ...more };
}

const unprotected = { rho: null, unit: null, neighbours: null, sampling: null };

function exact({ numerator, denominator }: RhoView): Rational {
  return rational(BigInt(numerator), BigInt(denominator));
}

test('spent and left are the cap, exactly; the doubles beside them say neither too little nor too much', () => {
  const rho = fc
    .tuple(fc.bigInt({ min: 0n, max: 1n << 80n }), fc.bigInt({ min: 1n, max: 1n << 80n }))
    .map(([over, under]) => rational(over, under));
  fc.assert(
    fc.property(fc.array(rho, { maxLength: 20 }), fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (rhos, rhoTotal) => {
      const entries = rhos.map((each, index) => entryOf(index + 1, { rho: each }));
      const caps = createCaps({ rhoTotal });
      const statement = ledgerStatement(entries, caps, [{ dataset: 'data.csv', unit: 'record' }]);
      const [account] = statement.accounts;
      assert.ok(account?.left);
      const [spent, left] = [account.spent.rho, account.left.rho];
      assert.deepEqual(exact(spent), sumRationals(rhos));
      assert.ok(compareRationals(rationalFromNumber(spent.value), exact(spent)) >= 0);
      assert.ok(compareRationals(rationalFromNumber(left.value), exact(left)) <= 0 && left.value >= 0);
      const total = rationalFromNumber(rhoTotal);
      if (compareRationals(exact(spent), total) <= 0) assert.deepEqual(addRationals(exact(spent), exact(left)), total);
      else assert.deepEqual(exact(left), rational(0n));
      assert.deepEqual(ledgerStatementSchema.parse(JSON.parse(JSON.stringify(statement))), statement);
    }),
  );
});

test('an account for each data set and unit, with what counts for every data set in each', () => {
  const entries = [
    entryOf(1, { dataset: null }),
    entryOf(2),
    entryOf(3, { unit: 'owner', neighbours: 'substitution' }),
    entryOf(4, { dataset: 'other.csv', neighbours: 'substitution' }),
    entryOf(5, { dataset: 'plain.csv', ...unprotected }),
  ];
  const { accounts, rounds, unprotected_rounds, spent_rho } = ledgerStatement(entries, createCaps({ rhoTotal: 1 }));
  assert.deepEqual(
    accounts.map((each) => [
      each.dataset,
      each.unit,
      each.neighbours,
      each.rounds,
      each.unprotected_rounds,
      `${each.spent.rho.numerator}/${each.spent.rho.denominator}`,
      `${each.left?.rho.numerator}/${each.left?.rho.denominator}`,
    ]),
    [
      ['data.csv', 'record', 'zero-out', 2, 0, '2/3', '1/3'],
      ['data.csv', 'owner', 'substitution', 1, 0, '1/3', '2/3'],
      // With a round whose neighbours are by zero-out, the sum holds for that only.
      ['other.csv', 'record', 'zero-out', 2, 0, '2/3', '1/3'],
      ['plain.csv', 'record', 'zero-out', 1, 1, '1/3', '2/3'],
    ],
  );
  assert.deepEqual([rounds, unprotected_rounds, exact(spent_rho)], [5, 1, rational(4n, 3n)]);
  const old = ledgerStatement([entryOf(1, { dataset: null })], {}).accounts;
  assert.deepEqual(
    old.map(({ dataset, unit, rounds: count }) => [dataset, unit, count]),
    [[null, 'record', 1]],
  );
  const known = ledgerStatement([entryOf(1, { dataset: null })], {}, [{ dataset: 'new.csv', unit: 'record' }]).accounts;
  assert.deepEqual(
    known.map(({ dataset, unit, rounds: count }) => [dataset, unit, count]),
    [['new.csv', 'record', 1]],
  );
});

test('epsilon is told at the delta of the caps, and not where rounds went without privacy or rho says nothing', () => {
  const caps = createCaps({ epsilon: 8, delta: 1e-6 });
  const [account] = ledgerStatement([entryOf(1)], caps).accounts;
  assert.ok(account?.left);
  assert.equal(account.spent.epsilon, epsilonFromRho(account.spent.rho.value, 1e-6).epsilon);
  assert.equal(account.left.epsilon, epsilonFromRho(account.left.rho.value, 1e-6).epsilon);
  const [exposed] = ledgerStatement([entryOf(1), entryOf(2, unprotected)], caps).accounts;
  assert.deepEqual([exposed?.spent.epsilon, exposed?.left?.epsilon], [null, null]);
  const [vast] = ledgerStatement([entryOf(1, { rho: rational(1n << 70n) })], caps).accounts;
  assert.deepEqual([vast?.spent.epsilon, vast?.left?.epsilon, vast?.left?.rho.value], [null, 0, 0]);
  const [plain] = ledgerStatement([entryOf(1)], createCaps({ rhoTotal: 1 })).accounts;
  assert.deepEqual([plain?.spent.epsilon, plain?.left?.epsilon], [null, null]);
});

test('sampled rounds: the epsilon that is spent counts sampling, the rho does not, and what is left goes beside them', () => {
  const [delta, sampling, count] = [1e-6, 0.1, 30];
  const each = { rho: rational(1n, 200n), sampling };
  const entries = Array.from({ length: count }, (_, index) => entryOf(index + 1, each));
  const statement = ledgerStatement(entries, createCaps({ epsilon: 1, delta }));
  const [account] = statement.accounts;
  assert.ok(account?.left);
  assert.deepEqual(exact(account.spent.rho), rational(30n, 200n));
  const spent = roundsOf(each, count);
  assert.equal(account.spent.epsilon, epsilonOf(spent, delta).epsilon);
  assert.ok(account.spent.epsilon < epsilonFromRho(0.15, delta).epsilon / 2, 'chance saves');
  // Without sampling the cap would have been passed long ago.
  assert.ok(epsilonFromRho(0.15, delta).epsilon > 1 && account.left.rho.value > 0.005, `${account.left.rho.value}`);
  const after = epsilonOf({ ...spent, rho: rationalFromNumber(account.left.rho.value) }, delta).epsilon;
  assert.ok(after <= 1 && after > 1 - 1e-6, `${after}`);
  assert.equal(statement.entries[0]?.sampling, sampling);
  assert.deepEqual(ledgerStatementSchema.parse(JSON.parse(JSON.stringify(statement))), statement);
});

test.run();

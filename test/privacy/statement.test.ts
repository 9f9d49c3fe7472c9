import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { epsilonOf, roundsOf } from '../../src/privacy/accounting/composition.ts';
import { epsilonFromRho } from '../../src/privacy/accounting/zcdp.ts';
import { calibrate } from '../../src/privacy/calibration.ts';
import type { PrivacyMode } from '../../src/privacy/mode.ts';
import { type PrivacyPromise, type PrivacyTerms, privacyStatement } from '../../src/privacy/statement.ts';
import { agree } from './vectors.ts';

const test = suite('statement');

const mode: PrivacyMode = {
  place: 'model-owner',
  unit: 'record',
  neighbours: 'zero-out',
  silent_owners: 0,
  sampling: 1,
};

function promise(...[target, ...rest]: Parameters<typeof calibrate>): PrivacyTerms {
  return { mode, calibration: calibrate(target, ...rest) };
}

function promiseOf(statement: ReturnType<typeof privacyStatement>): PrivacyPromise {
  assert.equal(statement.guarantee, 'zero-concentrated differential privacy');
  return statement;
}

test('says plainly that there is no differential privacy', () => {
  const statement = privacyStatement(undefined, 7);
  assert.equal(statement.guarantee, 'no differential privacy');
  assert.ok(statement.does_not_protect_against.some((sentence) => sentence.includes('sees the model')));
  assert.ok(!('spent' in statement) && !('promised' in statement));
});

test('says what was promised and what the rounds so far have spent, exactly and as a number', () => {
  const statement = promiseOf(privacyStatement(promise({ rho: 0.5, delta: 1e-5 }, 10, { sensitivity: 1n }), 3));
  const { unit, neighbours, place, noise, promised, spent } = statement;
  assert.deepEqual({ unit, neighbours, place }, { unit: 'record', neighbours: 'zero-out', place: 'model-owner' });
  assert.deepEqual(noise, { distribution: 'discrete gaussian', variance: '10', sensitivity: '1' });
  assert.deepEqual(promised.rho, { fraction: '1/2', number: 0.5 });
  assert.equal(promised.rounds, 10);
  assert.ok(agree(promised.epsilon ?? 0, 4.728386984943314, 1e-12));
  assert.deepEqual(spent.rho, { fraction: '3/20', number: 0.15000000000000002 });
  assert.equal(spent.rounds, 3);
  assert.equal(spent.delta, 1e-5);
  assert.ok((spent.epsilon ?? Infinity) < (promised.epsilon ?? 0));
  assert.ok(statement.protects_against.length > 0);
  assert.ok(statement.does_not_protect_against.some((sentence) => sentence.startsWith('The model owner')));
});

test('the number beside the fraction is never below it', () => {
  // 3/20 lies between two doubles; the one that people write as 0.15 is below it.
  const { spent } = promiseOf(privacyStatement(promise({ rho: 0.5 }, 10, { sensitivity: 1n }), 3));
  assert.ok(spent.rho.number > 0.15);
});

test('what is spent at the end is what was promised, and no more than was asked', () => {
  const statement = promiseOf(privacyStatement(promise({ epsilon: 1, delta: 1e-5 }, 100), 100));
  assert.deepEqual(statement.spent, statement.promised);
  assert.ok((statement.promised.epsilon ?? 2) <= 1);
});

test('before the first round nothing is spent', () => {
  const { spent } = promiseOf(privacyStatement(promise({ epsilon: 1, delta: 1e-5 }, 100), 0));
  assert.deepEqual(spent, { rounds: 0, rho: { fraction: '0', number: 0 }, epsilon: 0, delta: 1e-5 });
});

test('without a delta it names no epsilon', () => {
  const { promised, spent } = promiseOf(privacyStatement(promise({ rho: 0.1 }, 10), 10));
  assert.deepEqual([promised.epsilon, promised.delta, spent.epsilon, spent.delta], [null, null, null, null]);
});

test('passes through JSON unchanged', () => {
  for (const statement of [privacyStatement(undefined, 0), privacyStatement(promise({ rho: 0.1 }, 10), 4)]) {
    assert.deepEqual(JSON.parse(JSON.stringify(statement)), statement);
  }
});

test('refuses more rounds than the noise was calibrated for', () => {
  for (const rounds of [11, -1, 0.5]) {
    assert.throws(() => privacyStatement(promise({ rho: 0.1 }, 10), rounds), {
      code: 'privacy_invalid',
      field: 'rounds',
    });
  }
});

test('with sampling: another guarantee, which ε tells and ρ does not, and the sample must stay secret', () => {
  const [target, rounds, sampling] = [{ epsilon: 1, delta: 1e-5 }, 50, 0.1] as const;
  const calibration = calibrate(target, rounds, { sampling });
  const terms: PrivacyTerms = { mode: { ...mode, sampling }, calibration };
  let before = 0;
  for (const run of [0, 1, 7, 50]) {
    const statement = privacyStatement(terms, run);
    assert.ok(statement.guarantee === 'Rényi differential privacy with Poisson sampling');
    assert.equal(statement.sampling, sampling);
    const { promised, spent } = statement;
    assert.ok((promised.epsilon ?? Infinity) <= 1 && (promised.epsilon ?? 0) > 1 - 1e-6, `${promised.epsilon}`);
    assert.ok(
      (spent.epsilon ?? Infinity) >= before && (spent.epsilon ?? Infinity) <= 1,
      `${spent.epsilon} after ${run}`,
    );
    before = spent.epsilon ?? Infinity;
    if (run === 0) assert.equal(spent.epsilon, 0);
    else {
      const rounds = roundsOf({ rho: calibration.rhoPerRound, sampling }, run);
      assert.equal(spent.epsilon, Math.min(1, epsilonOf(rounds, target.delta).epsilon));
    }
    // ρ is that of rounds in which everybody takes part, far more than ε is worth.
    assert.ok(epsilonFromRho(promised.rho.number, target.delta).epsilon > 5);
    assert.ok(
      statement.does_not_protect_against.some((sentence) => sentence.startsWith('Whoever learns which records')),
    );
  }
  const { does_not_protect_against: whole } = privacyStatement({ mode, calibration: calibrate(target, rounds) }, 0);
  assert.ok(!whole.some((sentence) => sentence.startsWith('Whoever learns which')));
});

test.run();

import assert from 'node:assert/strict';
import { suite } from 'uvu';
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

test.run();

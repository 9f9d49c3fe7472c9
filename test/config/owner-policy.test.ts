/** The table [policy] of a data owner's config.toml: what arrives of it, and what is refused by name with the mend. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createConfig } from '../../src/config/config-file.ts';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import { parseToml } from '../../src/config/toml-file.ts';
import { rhoFromEpsilon } from '../../src/privacy/accounting/zcdp.ts';
import { rational, rationalFromNumber } from '../../src/privacy/rational.ts';

const test = suite('[policy]');

const file = '/etc/sealsum/north/config.toml';

function policyOf(table: string): OwnerPolicy {
  const text = `name = "north"\nrole = "data-owner"\ndata = "data.csv"\n[policy]\n${table}`;
  return createConfig('data-owner', parseToml(text, file), file).policy;
}

test('an empty table changes nothing', () => {
  assert.deepEqual(policyOf(''), openPolicy);
});

test('every field arrives, numbers as exactly the doubles they are', () => {
  assert.deepEqual(
    policyOf(`rho_per_round = 0.1
rho_total = 0.5
epsilon = 4
delta = 1e-6
require_privacy = true
places = ["data-owners"]
units = ["owner"]
neighbours = ["substitution"]
trust_parameter_bound = true
least_quorum = 5
model_owners = ["research", "clinic"]
features = ["age", 3, "outcome"]
consent = "ask"`),
    {
      caps: {
        rhoPerRound: rationalFromNumber(0.1),
        rhoTotal: rational(1n, 2n),
        target: { epsilon: 4, delta: 1e-6, rho: rationalFromNumber(rhoFromEpsilon(4, 1e-6)) },
      },
      requirePrivacy: true,
      places: ['data-owners'],
      units: ['owner'],
      neighbours: ['substitution'],
      trustParameterBound: true,
      leastQuorum: 5,
      modelOwners: ['research', 'clinic'],
      features: ['age', 3, 'outcome'],
      consent: 'ask',
    },
  );
});

test('who limits privacy, or says where noise must be, wants privacy; the latter may say otherwise', () => {
  for (const table of ['rho_total = 1', 'rho_per_round = 1', 'epsilon = 1\ndelta = 0.1', 'places = ["facilitator"]'])
    assert.equal(policyOf(table).requirePrivacy, true, table);
  for (const table of ['units = ["record"]', 'neighbours = ["substitution"]', 'require_privacy = true'])
    assert.equal(policyOf(table).requirePrivacy, true, table);
  assert.equal(policyOf('trust_parameter_bound = true').trustParameterBound, true);
  assert.equal(policyOf('least_quorum = 3\nfeatures = ["age"]').requirePrivacy, false);
  assert.equal(policyOf('places = ["facilitator"]\nrequire_privacy = false').requirePrivacy, false);
});

for (const [table, message, field] of [
  [
    'rho = 1',
    'policy.rho is not a known field; known here are rho_per_round, rho_total, epsilon, delta,',
    'policy.rho',
  ],
  ['rho_totl = 1', 'policy.rho_totl is not a known field; did you mean policy.rho_total?'],
  ['rho_total = "1"', 'policy.rho_total: expected number, received string', 'policy.rho_total'],
  ['rho_total = 0', 'policy.rho_total expected more than 0 and at most 2^64, got 0', 'policy.rho_total'],
  ['rho_per_round = -1', 'policy.rho_per_round expected more than 0 and at most 2^64, got -1'],
  ['rho_total = inf', 'policy.rho_total: expected number, received'],
  ['rho_total = nan', 'policy.rho_total: expected number, received'],
  ['epsilon = 1', 'policy.delta is missing; epsilon says something beside it only, such as 1e-6', 'policy.delta'],
  ['delta = 1e-6', 'policy.epsilon is missing; delta limits something beside it only', 'policy.epsilon'],
  ['epsilon = 1\ndelta = 1', 'policy.delta expected a number between 0 and 1, both excluded, got 1'],
  ['epsilon = 0\ndelta = 0.1', 'policy.epsilon expected more than 0 and at most 2^64, got 0'],
  ['epsilon = 1e-200\ndelta = 1e-300', 'policy.epsilon 1e-200 with delta 1e-300 allows a rho below 2^-1022'],
  [
    'rho_total = 0.5\nrho_per_round = 0.6',
    'policy.rho_per_round is 0.6, and all rounds together may spend 0.5; lower it or leave it out',
    'policy.rho_per_round',
  ],
  ['epsilon = 1\ndelta = 1e-6\nrho_per_round = 0.5', 'policy.rho_per_round is 0.5, and all rounds together may spend'],
  [
    'rho_total = 1\nrequire_privacy = false',
    'policy.require_privacy is false beside a cap, which nothing without differential privacy can keep',
    'policy.require_privacy',
  ],
  ['places = ["facilitators"]', 'policy.places 1: expected one of "model-owner"|"facilitator"|"data-owners"'],
  ['places = []', 'policy.places is empty, so that every job would be refused; leave it out for all', 'policy.places'],
  ['units = ["record", "record"]', 'policy.units names record twice; once is enough', 'policy.units'],
  ['neighbours = ["removal"]', 'policy.neighbours 1: expected one of "zero-out"|"substitution"'],
  ['least_quorum = 1', 'policy.least_quorum: expected at least 2', 'policy.least_quorum'],
  ['least_quorum = 2.5', 'policy.least_quorum: expected int'],
  ['model_owners = ["a b"]', 'policy.model_owners 1: expected 1 to 63'],
  ['model_owners = []', 'policy.model_owners is empty'],
  ['features = [-1]', 'policy.features 1: expected at least 0'],
  ['features = [true]', 'policy.features 1: expected the names of columns, or their numbers from 0 to 99999'],
  ['features = ["age", "age"]', 'policy.features names age twice'],
] as const satisfies readonly (readonly [string, string, string?])[])
  test(`refuses ${table.replaceAll('\n', ', ')}`, () => {
    assert.throws(
      () => policyOf(table),
      (error: { code?: string; field?: string; message?: string }) => {
        assert.equal(error.code, 'config_invalid');
        assert.ok(error.message?.startsWith(`${file}: ${message}`), error.message);
        if (field !== undefined) assert.equal(error.field, field);
        return true;
      },
    );
  });

test('is no field of other roles', () => {
  const text = 'name = "sums"\nrole = "facilitator"\n[policy]\nleast_quorum = 3';
  assert.throws(() => createConfig('facilitator', parseToml(text, file), file), {
    message: `${file}: policy is not a known field; it belongs to a data-owner, and this is a facilitator`,
  });
});

test.run();

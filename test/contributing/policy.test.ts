/** An owner's policy: what it lets through keeps every rule, and what it refuses names the rules and nothing of any data. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import { type ProposedJob, requireAllowed } from '../../src/contributing/policy.ts';
import { SealsumError } from '../../src/errors.ts';
import { parseModel } from '../../src/learning/model.ts';
import { createCaps } from '../../src/privacy/budget.ts';
import {
  addRationals,
  compareRationals,
  multiplyRationals,
  type Rational,
  rational,
  rationalFromNumber,
  ZERO,
} from '../../src/privacy/rational.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import { linearSample } from '../end-to-end/data.ts';

const test = suite("an owner's policy");

const sample = linearSample(3);
const research = 'research' as PartyId;

interface JobOptions {
  readonly privacy?: object;
  readonly quorum?: number;
  readonly rounds?: number;
  readonly spent?: Rational;
  readonly modelOwner?: PartyId;
}

function jobOf({ privacy, quorum = 2, rounds = 4, spent = ZERO, modelOwner = research }: JobOptions = {}): ProposedJob {
  const model = parseModel({
    ...sample.document,
    training: { solver: 'gradient', rounds },
    participation: { quorum },
    ...(privacy === undefined ? {} : { privacy }),
  });
  return {
    descriptor: { model_owner: modelOwner, quorum },
    settings: model,
    columns: [...model.data_props.features, model.data_props.target],
    terms: termsOf(model, quorum + 1),
    spent: { rho: spent, sampled: [] },
  };
}

/** The rules that are broken; none where the job is allowed. */
function rulesBroken(policy: OwnerPolicy, job: ProposedJob): string[] {
  try {
    requireAllowed(policy, job);
    return [];
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    assert.equal(error.code, 'policy_refused');
    const rules = error.message.split('; policy.').map((each, index) => {
      const [rule = ''] = each.split(':');
      return index === 0 ? rule : `policy.${rule}`;
    });
    assert.equal(error.field, rules[0]);
    return rules;
  }
}

const withRho = (rho: number): JobOptions => ({ privacy: { rho } });

test('an open policy allows what the protocol does', () => {
  for (const options of [{}, withRho(1000), { privacy: { rho: 1, place: 'data-owners', unit: 'owner' } }])
    assert.deepEqual(rulesBroken(openPolicy, jobOf(options)), []);
});

for (const { rule, policy, refused, allowed } of [
  {
    rule: 'policy.model_owners',
    policy: { modelOwners: [research] },
    refused: { modelOwner: 'stranger' as PartyId },
    allowed: {},
  },
  { rule: 'policy.require_privacy', policy: { requirePrivacy: true }, refused: {}, allowed: withRho(9) },
  {
    rule: 'policy.require_privacy',
    policy: { caps: createCaps({ rhoTotal: 10 }) },
    refused: {},
    allowed: withRho(9),
  },
  {
    rule: 'policy.places',
    policy: { places: ['facilitator'] },
    refused: withRho(1),
    allowed: { privacy: { rho: 1, place: 'facilitator' } },
  },
  {
    rule: 'policy.units',
    policy: { units: ['owner'] },
    refused: withRho(1),
    allowed: { privacy: { rho: 1, unit: 'owner' } },
  },
  {
    rule: 'policy.neighbours',
    policy: { neighbours: ['substitution'] },
    refused: withRho(1),
    allowed: { privacy: { rho: 1, neighbours: 'substitution' } },
  },
  { rule: 'policy.least_quorum', policy: { leastQuorum: 3 }, refused: { quorum: 2 }, allowed: { quorum: 3 } },
  {
    rule: 'policy.rho_per_round',
    policy: { caps: createCaps({ rhoPerRound: 0.1 }) },
    // Four updates and a last look at the model.
    refused: withRho(0.51),
    allowed: withRho(0.5),
  },
  {
    rule: 'policy.rho_total',
    policy: { caps: createCaps({ rhoTotal: 0.5 }) },
    refused: { ...withRho(0.25), spent: rational(1n, 3n) },
    allowed: { ...withRho(0.25), spent: rational(1n, 4n) },
  },
  {
    rule: 'policy.epsilon',
    policy: { caps: createCaps({ epsilon: 1, delta: 1e-5 }) },
    refused: { privacy: { epsilon: 1.01, delta: 1e-5 } },
    allowed: { privacy: { epsilon: 1, delta: 1e-5 } },
  },
] satisfies readonly { rule: string; policy: Partial<OwnerPolicy>; refused: JobOptions; allowed: JobOptions }[])
  test(`${rule} refuses what breaks it, and only that`, () => {
    const stated = { ...openPolicy, ...policy };
    assert.deepEqual(rulesBroken(stated, jobOf(refused)), [rule]);
    assert.deepEqual(rulesBroken(stated, jobOf(allowed)), []);
  });

test('policy.features knows columns by the name or the number by which they are released, the target too', () => {
  const names = jobOf().columns.map(({ name = '' }) => name);
  const policyFor = (features: readonly (string | number)[]): OwnerPolicy => ({ ...openPolicy, features });
  assert.deepEqual(rulesBroken(policyFor(names), jobOf()), []);
  for (const left of names) {
    const policy = policyFor(names.filter((name) => name !== left));
    assert.deepEqual(rulesBroken(policy, jobOf()), ['policy.features']);
    assert.throws(
      () => {
        requireAllowed(policy, jobOf());
      },
      { message: `policy.features: the job uses columns that this owner does not release: ${left}` },
    );
  }
  const byNumber: ProposedJob = {
    ...jobOf(),
    columns: [{ col_idx: 0 }, { col_idx: 3 }],
  };
  // Behind a number there may be any of the columns, whatever names are released.
  assert.deepEqual(rulesBroken(policyFor(names), byNumber), ['policy.features']);
  assert.deepEqual(rulesBroken(policyFor(['0', '3']), byNumber), ['policy.features']);
  assert.deepEqual(rulesBroken(policyFor([0, 3]), byNumber), []);
  const many = Array.from({ length: 13 }, (_, index) => ({ col_idx: index }));
  assert.throws(
    () => {
      requireAllowed(policyFor(['age']), { ...byNumber, columns: many });
    },
    { message: /release: column 0, column 1, column 2, column 3, column 4 and 8 more$/ },
  );
});

test('names every rule that is broken, but tells nothing else to a model owner that may not ask', () => {
  const strict: OwnerPolicy = {
    ...openPolicy,
    requirePrivacy: true,
    places: ['data-owners'],
    units: ['owner'],
    leastQuorum: 9,
    features: ['age'],
    caps: createCaps({ rhoTotal: 0.1, rhoPerRound: 0.01 }),
    modelOwners: [research],
  };
  assert.deepEqual(rulesBroken(strict, jobOf(withRho(1))), [
    'policy.places',
    'policy.units',
    'policy.least_quorum',
    'policy.features',
    'policy.rho_per_round',
    'policy.rho_total',
  ]);
  assert.deepEqual(rulesBroken(strict, jobOf({ ...withRho(1), modelOwner: 'stranger' as PartyId })), [
    'policy.model_owners',
  ]);
});

test('a bound that only the model owner can keep is taken on trust where it adds the noise itself, and else where the policy says so', () => {
  const hidden = (options: JobOptions): ProposedJob => ({ ...jobOf(options), encryptedCount: 5 });
  const trusting = { ...openPolicy, trustParameterBound: true };
  assert.deepEqual(rulesBroken(openPolicy, hidden({})), []);
  assert.deepEqual(rulesBroken(openPolicy, hidden(withRho(1))), []);
  for (const place of ['facilitator', 'data-owners']) {
    const options = { privacy: { rho: 1, place } };
    assert.deepEqual(rulesBroken(openPolicy, jobOf(options)), []);
    assert.deepEqual(rulesBroken(openPolicy, hidden(options)), ['policy.trust_parameter_bound']);
    assert.deepEqual(rulesBroken(trusting, hidden(options)), []);
  }
});

/** Of models whose terms take time to compute, each is computed once. */
const jobs = [
  {},
  ...[0.1, 0.5, 2].flatMap((rho) =>
    (['model-owner', 'facilitator', 'data-owners'] as const).flatMap((place) =>
      (['record', 'owner'] as const).flatMap((unit) =>
        (['zero-out', 'substitution'] as const).map((neighbours) => ({ privacy: { rho, place, unit, neighbours } })),
      ),
    ),
  ),
].flatMap((options) => [2, 4].map((quorum) => jobOf({ ...options, quorum })));

const someOf = <T>(all: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...all], { minLength: 1 });
const maybe = (values: fc.Arbitrary<number>): fc.Arbitrary<Rational | undefined> =>
  fc.option(values, { nil: undefined }).map((value) => (value === undefined ? undefined : rationalFromNumber(value)));
const anyPolicy: fc.Arbitrary<OwnerPolicy> = fc
  .record({
    requirePrivacy: fc.boolean(),
    trustParameterBound: fc.boolean(),
    places: someOf(openPolicy.places),
    units: someOf(openPolicy.units),
    neighbours: someOf(openPolicy.neighbours),
    leastQuorum: fc.integer({ min: 2, max: 5 }),
    consent: fc.constantFrom('ask' as const, 'automatic' as const),
    rhoPerRound: maybe(fc.double({ min: 0.01, max: 0.5, noNaN: true })),
    rhoTotal: maybe(fc.double({ min: 0.05, max: 3, noNaN: true })),
  })
  .map(({ rhoPerRound, rhoTotal, ...rest }) => ({
    ...rest,
    caps: { ...(rhoPerRound === undefined ? {} : { rhoPerRound }), ...(rhoTotal === undefined ? {} : { rhoTotal }) },
  }));
const anySpent = fc
  .tuple(fc.bigInt({ min: 0n, max: 40n }), fc.bigInt({ min: 1n, max: 20n }))
  .map(([a, b]) => rational(a, b));

test('a job that is allowed keeps every rule to the last fraction, and one that keeps every rule is allowed', () => {
  fc.assert(
    fc.property(anyPolicy, fc.constantFrom(...jobs), anySpent, (policy, proposed, spent) => {
      const { settings, terms, descriptor } = proposed;
      const { privacy } = settings;
      const { rhoPerRound: perRound, rhoTotal } = policy.caps;
      const { calibration } = terms;
      const after = (): Rational => {
        assert.ok(calibration !== undefined);
        const rounds = rational(BigInt(calibration.rounds));
        return addRationals(spent, multiplyRationals(rounds, calibration.rhoPerRound));
      };
      const keeps =
        descriptor.quorum >= policy.leastQuorum &&
        (privacy === undefined || calibration === undefined
          ? !policy.requirePrivacy && (perRound ?? rhoTotal) === undefined
          : policy.places.includes(privacy.place) &&
            policy.units.includes(privacy.unit) &&
            policy.neighbours.includes(privacy.neighbours) &&
            (perRound === undefined || compareRationals(calibration.rhoPerRound, perRound) <= 0) &&
            (rhoTotal === undefined || compareRationals(after(), rhoTotal) <= 0));
      assert.equal(rulesBroken(policy, { ...proposed, spent: { rho: spent, sampled: [] } }).length === 0, keeps);
    }),
    { numRuns: process.env.SLOW === undefined ? 500 : 20_000 },
  );
});

test.run();

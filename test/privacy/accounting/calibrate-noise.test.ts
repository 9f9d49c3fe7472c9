import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { ACCOUNTANTS, type Accountant, rhoOfRounds } from '../../../src/privacy/accounting/accountants.ts';
import { leastNoiseMultiplier } from '../../../src/privacy/accounting/calibrate-noise.ts';
import { formatRational } from '../../../src/privacy/rational.ts';
import { agree, testCases } from '../vectors.ts';

const test = suite('calibrate noise');

const accountant = (name: string): Accountant =>
  ACCOUNTANTS.find((each) => each.name === name) ?? assert.fail(`no accountant ${name}`);
const [zcdp, rdp, pld, gaussian] = ['zcdp', 'rdp', 'pld', 'gaussian'].map(accountant) as [
  Accountant,
  Accountant,
  Accountant,
  Accountant,
];

testCases(
  test,
  'zCDP, over rounds: within 1e-10',
  'zcdp_calibration',
  ({ epsilon, delta, rounds, noise_multiplier }) => {
    const found = leastNoiseMultiplier(zcdp, { epsilon, delta, rounds, sampling: 1 });
    assert.ok(agree(found, noise_multiplier, 1e-10), `epsilon ${epsilon}, ${rounds} rounds: ${found}`);
  },
);

testCases(test, 'the analytic Gaussian, one round: within 1e-9', 'gaussian_sigma_for', ({ epsilon, delta, sigma }) => {
  const found = leastNoiseMultiplier(gaussian, { epsilon, delta, rounds: 1, sampling: 1 });
  assert.ok(agree(found, sigma, 1e-9), `epsilon ${epsilon}, delta ${delta}: ${found}`);
});

testCases(test, 'Rényi, sampled: the noise is found from its epsilon', 'rdp_poisson_gaussian', (each) => {
  const { q: sampling, steps: rounds, delta, epsilon_integer_orders: epsilon } = each;
  const found = leastNoiseMultiplier(rdp, { epsilon, delta, rounds, sampling });
  // Near the least ε that the orders reach, much noise changes it little.
  assert.ok(agree(found, each.sigma, 1e-6), `${JSON.stringify(each)}: ${found}`);
});

test('what is found keeps the promise, and less noise does not', () => {
  const cheap = fc.constantFrom(zcdp, rdp, gaussian);
  const someEpsilon = fc.double({ min: -1.5, max: 2, noNaN: true }).map((exponent) => 10 ** exponent);
  const someDelta = fc.double({ min: -12, max: -2, noNaN: true }).map((exponent) => 10 ** exponent);
  fc.assert(
    fc.property(cheap, someEpsilon, someDelta, fc.integer({ min: 1, max: 10_000 }), (each, epsilon, delta, rounds) => {
      const sampling = each.sampling === 'counted' ? 0.05 : 1;
      const noiseMultiplier = leastNoiseMultiplier(each, { epsilon, delta, rounds, sampling });
      const at = (noise: number): number => each.epsilonOf({ noiseMultiplier: noise, sampling, rounds }, delta).epsilon;
      assert.ok(at(noiseMultiplier) <= epsilon, `${each.name}: ${noiseMultiplier} is enough`);
      assert.ok(at(noiseMultiplier * (1 - 1e-9)) > epsilon, `${each.name}: less than ${noiseMultiplier} is not`);
      // A guess changes only how long it takes.
      const guessed = leastNoiseMultiplier(each, { epsilon, delta, rounds, sampling }, 1000);
      assert.ok(agree(guessed, noiseMultiplier, 1e-11), `${each.name}: ${guessed} from a guess`);
    }),
    { numRuns: 30 },
  );
});

test('a privacy loss distribution needs least noise, zCDP most where units are sampled', () => {
  const target = { epsilon: 1, delta: 1e-5, rounds: 100, sampling: 0.1 };
  const [byZcdp, byRdp, byPld] = [zcdp, rdp, pld].map((each) => leastNoiseMultiplier(each, target)) as [
    number,
    number,
    number,
  ];
  assert.ok(byPld < byRdp && byRdp < byZcdp, `${byPld} ${byRdp} ${byZcdp}`);
  const everybody = { ...target, sampling: 1 };
  const exact = leastNoiseMultiplier(gaussian, everybody);
  assert.ok(agree(leastNoiseMultiplier(pld, everybody), exact, 2e-4), 'pld and the analytic Gaussian agree');
  assert.ok(exact < leastNoiseMultiplier(zcdp, everybody), 'zCDP needs more');
});

test('only what counts sampling gets anything for it; the analytic Gaussian refuses it', () => {
  const rounds = { noiseMultiplier: 2, sampling: 0.1, rounds: 10 };
  for (const each of ACCOUNTANTS) {
    const everybody = each.epsilonOf({ ...rounds, sampling: 1 }, 1e-5).epsilon;
    if (each.sampling === 'refused') {
      assert.throws(() => each.epsilonOf(rounds, 1e-5), { code: 'privacy_invalid', field: 'sampling' });
      continue;
    }
    const { epsilon } = each.epsilonOf(rounds, 1e-5);
    assert.equal(epsilon < everybody, each.sampling === 'counted', each.name);
    assert.equal(epsilon === everybody, each.sampling === 'not counted', each.name);
  }
});

test('rho of rounds is the exact fraction', () => {
  assert.equal(formatRational(rhoOfRounds({ noiseMultiplier: 2.5, sampling: 0.1, rounds: 100 })), '8');
  assert.equal(formatRational(rhoOfRounds({ noiseMultiplier: 3, sampling: 1, rounds: 1 })), '1/18');
});

test('refuses what is out of range, and an epsilon that no noise reaches', () => {
  const target = { epsilon: 1, delta: 1e-5, rounds: 1, sampling: 1 };
  for (const [change, field] of [
    [{ epsilon: -1 }, 'epsilon'],
    [{ epsilon: 2 ** 65 }, 'epsilon'],
    [{ delta: 1 }, 'delta'],
    [{ rounds: 0.5 }, 'rounds'],
    [{ sampling: 2 }, 'sampling'],
  ] as const) {
    for (const each of ACCOUNTANTS)
      assert.throws(() => leastNoiseMultiplier(each, { ...target, ...change }), { code: 'privacy_invalid', field });
  }
  assert.throws(() => leastNoiseMultiplier(rdp, { ...target, epsilon: 0.001 }), {
    code: 'privacy_invalid',
    field: 'epsilon',
    message: /^epsilon: rdp finds more than 0\.001 for delta 0\.00001 however much noise there is; raise either$/,
  });
});

test.run();

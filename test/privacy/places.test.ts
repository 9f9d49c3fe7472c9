/**
 * The noise in each of the three places, from integers to the opened sum and with the parts that do it in production: what is
 * opened minus what is exact has the variance that is claimed, with everybody there and with owners missing.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { noiseOf } from '../../parties/facilitator/noise.ts';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { createPlan, type Plan } from '../../src/encoding/plan.ts';
import { SealsumError } from '../../src/errors.ts';
import { aggregate, startProduct } from '../../src/paillier/aggregate.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { openVector, sealVector } from '../../src/pipeline.ts';
import { LEAST_SHARE_VARIANCE } from '../../src/privacy/accounting/distributed-gaussian.ts';
import { calibrate, greatestDraw, rhoOfRound } from '../../src/privacy/calibration.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import type { NoisePlace } from '../../src/privacy/mode.ts';
import { compareRationals, rational, rationalFromNumber, sumRationals, toNumber } from '../../src/privacy/rational.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import { CHANCE, chiSquareCritical } from './statistics.ts';

const test = suite('places of noise');

const keys = await generateKeyPair({ bits: 2048 });
const encryptor = createEncryptor(keys.publicKey, { expected: 2000 });
await encryptor.prepare();
const decryptor = createDecryptor(keys.privateKey);

const owners = 4;
const quorum = 3;
const length = 40;
const releases = 40;
const rounds = 10;

interface Setting {
  readonly plan: Plan;
  readonly shares: number | undefined;
  readonly calibration: ReturnType<typeof calibrate>;
}

function settingOf(place: NoisePlace, silent = 0): Setting {
  const shares = place === 'data-owners' ? quorum - silent : undefined;
  const calibration = calibrate({ rho: 0.5 }, rounds, { shares });
  const draw = greatestDraw(calibration.variance);
  const noiseBound = { 'model-owner': 0n, facilitator: draw, 'data-owners': draw * BigInt(owners) }[place];
  const valueBound = CLIP_SCALE;
  const plan = createPlan({ keyBits: 2048, length, owners, maxWeight: 100n, valueBound, scale: 1, noiseBound });
  return { plan, shares, calibration };
}

const vectors: readonly WeightedVector[] = Array.from({ length: owners }, (_, owner) => ({
  weight: BigInt(50 + owner),
  values: Array.from({ length }, (__, index) => BigInt((owner + 1) * 7919 * (index - 20))),
}));

function exactSum(contributors: number): bigint[] {
  const some = vectors.slice(0, contributors);
  return Array.from({ length: length + 1 }, (_, slot) =>
    some.reduce((sum, { weight, values }) => sum + (slot === 0 ? weight : (values[slot - 1] ?? 0n)), 0n),
  );
}

/** The descriptor of a job, as far as the facilitator's noise depends on it. */
function descriptorOf({ plan, calibration }: Setting): JobDescriptor {
  const noise = { place: 'facilitator', variance: String(calibration.variance.numerator) };
  return { plan: planToWire(plan), noise } as JobDescriptor;
}

/** One round under encryption; the residuals of weight and values. */
async function residuals(place: NoisePlace, setting: Setting, contributors: number, silent = 0): Promise<number[]> {
  const { plan, calibration } = setting;
  const noise = { variance: calibration.variance, random: systemRandom };
  const contributions = vectors.slice(0, contributors).map((vector, owner) => {
    const share = place === 'data-owners' && owner >= silent ? noise : undefined;
    return sealVector(plan, encryptor, vector, undefined, share);
  });
  let sum = aggregate(encryptor, plan.ciphertexts, contributions);
  if (place === 'facilitator') {
    const draw = noiseOf(descriptorOf(setting), encryptor, systemRandom);
    assert.ok(draw !== undefined);
    const product = startProduct(keys.publicKey, sum);
    product.multiply(await draw(0, plan.ciphertexts, {}));
    sum = product.bytes();
  }
  const { weight, values } = openVector(plan, decryptor, sum, contributors);
  const exact = exactSum(contributors);
  return [weight, ...values].map((value, slot) => Number(value - (exact[slot] ?? 0n)));
}

/** Σ residual²/σ²: χ² with as many degrees of freedom as there are residuals. */
async function statistic(place: NoisePlace, setting: Setting, contributors: number, variance: number, silent = 0) {
  let found = 0;
  for (let release = 0; release < releases; release += 1)
    for (const residual of await residuals(place, setting, contributors, silent)) found += residual ** 2 / variance;
  return found;
}

const freedom = releases * (length + 1);
const [least, greatest] = [chiSquareCritical(freedom, 1 - CHANCE), chiSquareCritical(freedom, CHANCE)];

// Chance of failing though right: 1e-9 on either side, for each number of contributors.
test('the facilitator adds one draw, however many contribute', async () => {
  const setting = settingOf('facilitator');
  const variance = toNumber(setting.calibration.variance);
  for (const contributors of [owners, quorum]) {
    const found = await statistic('facilitator', setting, contributors, variance);
    assert.ok(least < found && found < greatest, `${contributors}: ${least} < ${found} < ${greatest}`);
  }
  // The control: half of σ.
  const { variance: whole } = setting.calibration;
  const halved = { ...setting, calibration: { ...setting.calibration, variance: rational(whole.numerator / 4n) } };
  assert.ok((await statistic('facilitator', halved, quorum, variance)) < least, 'half of σ went unnoticed');
});

// Chance of failing though right: 1e-9 on either side, for each case.
test('each data owner adds a share: as many as contribute and are not silent, and at least what was promised', async () => {
  for (const [contributors, silent] of [
    [owners, 0],
    [quorum, 0],
    [quorum, 1],
  ] as const) {
    const setting = settingOf('data-owners', silent);
    const shares = contributors - silent;
    const claimed = shares * toNumber(setting.calibration.variance);
    const found = await statistic('data-owners', setting, contributors, claimed, silent);
    assert.ok(least < found && found < greatest, `${contributors}: ${least} < ${found} < ${greatest}`);
    // What the model owner notes as spent is what this much noise gives, and no more than what owners were charged.
    const { calibration } = setting;
    const spent = rhoOfRound(calibration, shares);
    assert.ok(compareRationals(spent, calibration.rhoPerRound) <= 0);
    const expected = Number(CLIP_SCALE) ** 2 / (2 * claimed);
    assert.ok(Math.abs(toNumber(spent) / expected - 1) < 1e-12);
  }
  // The control: one share fewer than is claimed.
  const setting = settingOf('data-owners');
  const claimed = quorum * toNumber(setting.calibration.variance);
  assert.ok((await statistic('data-owners', setting, quorum, claimed, 1)) < least, 'a share too few went unnoticed');
});

test('where the facilitator adds no noise there is none to draw', () => {
  const { plan, calibration } = settingOf('facilitator');
  for (const place of ['model-owner', 'data-owners'] as const) {
    const noise = { place, variance: String(calibration.variance.numerator) };
    assert.equal(noiseOf({ plan: planToWire(plan), noise } as JobDescriptor, encryptor, systemRandom), undefined);
  }
  const none = { plan: planToWire(plan), noise: null } as unknown as JobDescriptor;
  assert.equal(noiseOf(none, encryptor, systemRandom), undefined);
});

test('all rounds of shares together stay within rho, with the surcharge for what a sum of shares is not', () => {
  for (const shares of [1, 2, 3, 100, 10_000])
    for (const rho of [1e-9, 0.01, 0.5, 1e6]) {
      const found = calibrate({ rho }, rounds, { shares });
      assert.ok(compareRationals(found.rhoTotal, rationalFromNumber(rho)) <= 0);
      const bare = rational(CLIP_SCALE ** 2n, 2n * BigInt(shares) * found.variance.numerator);
      // A single share is a discrete Gaussian, and costs nothing more.
      const surcharge = shares === 1 ? rational(0n) : rational(1n, 2n ** 128n);
      assert.deepEqual(found.rhoPerRound, sumRationals([bare, surcharge]));
      assert.ok(found.variance.numerator >= LEAST_SHARE_VARIANCE);
      if (found.variance.numerator === LEAST_SHARE_VARIANCE) continue;
      // One less of σ² would not do.
      const less = { ...found, variance: rational(found.variance.numerator - 1n) };
      const total = sumRationals(Array.from({ length: rounds }, () => rhoOfRound(less, shares)));
      assert.ok(compareRationals(total, rationalFromNumber(rho)) > 0);
    }
  assert.throws(
    () => calibrate({ rho: 1e-40 }, rounds, { shares: 3 }),
    (error: unknown) => error instanceof SealsumError && error.code === 'privacy_invalid' && error.field === 'rho',
  );
  for (const drawn of [0, -1, 1.5, undefined])
    assert.throws(() => rhoOfRound(calibrate({ rho: 1 }, 1, { shares: 3 }), drawn), { field: 'shares' });
});

test('what is charged for a sum of shares is more than theory asks, for every plan there can be', () => {
  // τd with τ ≤ 10(k − 1)·exp(−π²σ²): in bits, for the most owners, the most values and the least σ.
  const [mostOwners, mostValues] = [10_000, 2 ** 20 + 100];
  const bits =
    Math.log2(10 * mostOwners) + Math.log2(mostValues) - (Math.PI ** 2 * Number(LEAST_SHARE_VARIANCE)) / Math.LN2;
  assert.ok(bits < -128, `${bits}`);
});

test.run();

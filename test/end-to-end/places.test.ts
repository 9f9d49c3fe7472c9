/** Whole trainings with the noise in each place, both units and both kinds of neighbours, over real sockets. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { calibrate, rhoOfRound } from '../../src/privacy/calibration.ts';
import { CLIP_SCALE } from '../../src/privacy/clipping.ts';
import { compareRationals, formatRational, type Rational, sumRationals } from '../../src/privacy/rational.ts';
import { dealtOut, linearSample, logisticSample } from './data.ts';
import { oneKey } from './keys.ts';
import { getJson, startConsortium, trainOver } from './parties.ts';

const test = suite('places of noise end to end');

const newKey = await oneKey();
const participation = { quorum: 2, deadline_seconds: 20 };
const settings = { encryption: { key_bits: 2048 }, participation };
/** Five updates and the round that evaluates. */
const training = { solver: 'gradient', rounds: 5, optimizer: 'adam', learning_rate: 0.1 };

interface Case {
  readonly place: 'model-owner' | 'facilitator' | 'data-owners';
  readonly privacy?: object;
  readonly sensitivity?: bigint;
  /** Shares that are promised, and that three contributors give. */
  readonly shares?: readonly [promised: number, given: number];
}

const cases: readonly Case[] = [
  { place: 'facilitator' },
  { place: 'data-owners', shares: [2, 3] },
  { place: 'data-owners', privacy: { silent_owners: 1 }, shares: [1, 2] },
  { place: 'facilitator', privacy: { neighbours: 'substitution' }, sensitivity: 2n * CLIP_SCALE },
  { place: 'data-owners', privacy: { unit: 'owner' }, shares: [2, 3] },
  { place: 'model-owner', privacy: { unit: 'owner', neighbours: 'substitution' }, sensitivity: 2n * CLIP_SCALE },
];

for (const { place, privacy = {}, sensitivity = CLIP_SCALE, shares } of cases)
  test(`${place}, ${JSON.stringify(privacy)}: charged as promised, spent as given, and a model in the end`, async () => {
    const sample = logisticSample(90);
    await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
    // So much that the noise of three records or owners is next to nothing: what is looked at is the books.
    const chosen = { rho: 1e6, delta: 1e-5, place, ...privacy };
    const view = await trainOver(consortium.modelOwner, { ...sample.document, training, privacy: chosen, ...settings });
    assert.equal(view.status, 'finished', view.failure?.detail);
    const calibration = calibrate({ rho: 1e6, delta: 1e-5 }, 6, { sensitivity, shares: shares?.[0] });
    const { privacy: statement } = view;
    assert.ok(statement.guarantee === 'zero-concentrated differential privacy');
    assert.equal(statement.place, place);
    assert.equal(statement.noise.variance, String(calibration.variance.numerator));
    assert.equal(statement.noise.shares, shares?.[0]);
    assert.equal(statement.promised.rho.fraction, formatRational(calibration.rhoTotal));
    const given = rhoOfRound(calibration, shares?.[1]);
    assert.equal(statement.spent.rho.fraction, formatRational(sumOf(given, 6)));
    for (const owner of consortium.owners) {
      const rhos = (await owner.ledgerStore.entries()).map(({ rho }) => rho);
      assert.equal(rhos.length, 6);
      for (const rho of rhos) assert.deepEqual(rho, calibration.rhoPerRound);
    }
    if (shares !== undefined) assert.ok(compareRationals(given, calibration.rhoPerRound) < 0);
    const { coefficients } = await getJson<{ coefficients: number[][] }>(
      `${consortium.modelOwner.url}/models/${view.id}/parameters`,
    );
    assert.ok(coefficients.flat().every(Number.isFinite));
  });

function sumOf(rho: Rational, rounds: number): Rational {
  return sumRationals(Array.from({ length: rounds }, () => rho));
}

test('two trainings on the same records differ in every coefficient, wherever the noise is added', async () => {
  const sample = linearSample(90);
  for (const place of ['facilitator', 'data-owners'] as const) {
    await using consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
    const document = { ...sample.document, privacy: { rho: 50, place }, ...settings };
    const found: number[][] = [];
    for (let run = 0; run < 2; run++) {
      const view = await trainOver(consortium.modelOwner, document);
      assert.equal(view.status, 'finished', view.failure?.detail);
      const url = `${consortium.modelOwner.url}/models/${view.id}/parameters`;
      found.push((await getJson<{ coefficients: number[][] }>(url)).coefficients.flat());
    }
    const [first = [], second = []] = found;
    assert.ok(first.length === 5 && first.every((value, index) => value !== second[index]));
  }
});

test.run();

/** Sampled rounds through the parts that do it in production: a sum is that of who was sampled, anew in every round, and the noise in it is what is claimed. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { createPlan } from '../../src/encoding/plan.ts';
import { sampleRecords } from '../../src/learning/clipped-sums.ts';
import type { Records } from '../../src/learning/features.ts';
import { contribution } from '../../src/learning/task.ts';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { openVector, seal } from '../../src/pipeline.ts';
import { toNumber } from '../../src/privacy/rational.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import { addUp } from '../learning/in-process.ts';
import { small } from '../learning/models.ts';
import { CHANCE, chiSquareCritical } from './statistics.ts';

const test = suite('sampled rounds from end to end');

const keys = await generateKeyPair({ bits: 2048 });
const encryptor = createEncryptor(keys.publicKey, { expected: 4000 });
await encryptor.prepare();
const decryptor = createDecryptor(keys.privateKey);

const owners = 3;
const releases = 60;
const parameters = Float64Array.of(0.2, -0.4, 0.9);

/** Of the first owner most are longer than the clip. */
const records: readonly Records[] = Array.from({ length: owners }, (_, owner) => ({
  count: 200,
  width: 3,
  x: Float64Array.from({ length: 600 }, (__, index) => (index % 3 === 0 ? 1 : Math.sin(1 + owner * 31 + index))),
  y: Float64Array.from({ length: 200 }, (__, index) => Math.cos(index) * (owner === 0 ? 3 : 0.3)),
  lines: Int32Array.from({ length: 200 }, (__, index) => index + 1),
  dropped: 0,
}));

/** The operating system's bytes, and the same ones again. */
function recorded(): { readonly random: RandomBytes; readonly again: RandomBytes } {
  const drawn: Uint8Array[] = [];
  return {
    random: (length) => {
      const bytes = systemRandom(length);
      drawn.push(bytes.slice());
      return bytes;
    },
    again: () => drawn.shift() ?? assert.fail('more coins than were tossed'),
  };
}

// Chance of failing though right: 2e-9 for χ² on either side; two samples of 600 records alike have one below 2^-100.
for (const unit of ['record', 'owner'] as const)
  test(`each ${unit} by a coin of its own: exact sums are those of the sample, and the shares of the noise are there in full`, async () => {
    const privacy = { epsilon: 8, delta: 1e-5, sampling: 0.6, place: 'data-owners', unit };
    const { model } = small('LINEAR_REGRESSION', 2, {
      training: { solver: 'gradient', rounds: 5 },
      participation: { quorum: owners },
      encryption: { key_bits: 2048 },
      privacy,
    });
    const terms = termsOf(model, owners);
    const { task, calibration } = terms;
    const { clipping } = task;
    assert.ok(clipping !== undefined && calibration?.shares === owners);
    // As the job's own, without tags, which are tested elsewhere.
    const plan = createPlan({
      keyBits: 2048,
      length: task.length,
      owners,
      maxWeight: 200n,
      valueBound: task.valueBound,
      scale: task.scale,
      weightUnit: task.weightUnit,
      noiseBound: 2n ** 30n,
    });
    const release = async (
      variance: typeof calibration.variance | undefined,
    ): Promise<[exact: WeightedVector, opened: WeightedVector]> => {
      const exact: WeightedVector[] = [];
      const sealed: Uint8Array[] = [];
      for (const each of records) {
        const { random, again } = recorded();
        const noise = variance && { variance, random: systemRandom };
        sealed.push(await seal({ task, plan, encryptor, random, noise }, each, parameters));
        exact.push(contribution(task, sampleRecords(clipping, each, again), parameters));
      }
      const product = aggregate(encryptor, plan.ciphertexts, sealed);
      return [addUp(exact), openVector(plan, decryptor, product, owners)];
    };
    const [exact, opened] = await release(undefined);
    assert.deepEqual(opened, exact, 'without noise, to the last unit');
    let statistic = 0;
    const seen = new Set<string>();
    for (let round = 0; round < releases; round += 1) {
      const [sum, noised] = await release(calibration.variance);
      seen.add([sum.weight, ...sum.values].join());
      const variance = owners * toNumber(calibration.variance);
      statistic += Number(noised.weight - sum.weight) ** 2 / variance;
      for (const [index, value] of noised.values.entries())
        statistic += Number(value - (sum.values[index] ?? 0n)) ** 2 / variance;
    }
    // Of three owners there are eight samples.
    assert.ok(unit === 'record' ? seen.size === releases : seen.size > 1 && seen.size <= 8, `${seen.size} sums`);
    const freedom = releases * (task.length + 1);
    const [least, greatest] = [chiSquareCritical(freedom, 1 - CHANCE), chiSquareCritical(freedom, CHANCE)];
    assert.ok(least < statistic && statistic < greatest, `${least} < ${statistic} < ${greatest}`);
    // A share that is missing, or one too many, would be seen where there are releases enough; twice or half of σ is.
    assert.ok(statistic / 4 < least && statistic * 4 > greatest, 'the test could not tell');
  });

test.run();

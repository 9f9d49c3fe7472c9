/** What a data owner asks of a closing round, and of the plan that its job states for it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type Dataset, openDataset } from '../../../parties/data-owner/dataset.ts';
import { acceptJob } from '../../../parties/data-owner/participation.ts';
import { openPolicy } from '../../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { noMeter } from '../../../src/contributing/meter.ts';
import type { Participation } from '../../../src/contributing/participation.ts';
import { SealsumError } from '../../../src/errors.ts';
import { compileFeatures, encodeTable } from '../../../src/learning/features.ts';
import { closingSums } from '../../../src/learning/inference/closing-sums.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { readTable } from '../../../src/learning/table.ts';
import { ownVector } from '../../../src/learning/task.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { openVector } from '../../../src/pipeline.ts';
import { createLedger } from '../../../src/privacy/ledger.ts';
import { noCheckpoint } from '../../../src/protocol/checkpoints.ts';
import { systemClock } from '../../../src/protocol/clock.ts';
import type { JobDescriptor } from '../../../src/protocol/job-messages.ts';
import type { RoundDescriptor } from '../../../src/protocol/round-messages.ts';
import { objectDigest } from '../../../src/protocol/signed.ts';
import { checkTags } from '../../../src/protocol/tags.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { linearSample, textOf } from '../../end-to-end/data.ts';
import { until, World } from './harness.ts';
import {
  anna,
  annaIdentity,
  describe,
  describeRound,
  facilitator,
  parties,
  privateKey,
  signJob,
  signRound,
  tagSecret,
  viewOf,
} from './scripted-facilitator.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';

interface Context {
  folder: TemporaryFolder;
  dataset: Dataset;
}

const test = suite<Context>('closing rounds at a data owner');

const sample = linearSample(30);
const keys = createKeyChecks();
const base = {
  ...sample.document,
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 30 },
};
const gradient = { solver: 'gradient', rounds: 4 };
const closing = { ...base, training: { ...gradient, inference: {}, diagnostics: { bins: 4 } } };
const parameters = [0.1, 0.2, 0.3, 0.4, 0.5];

test.before(async (context) => {
  context.folder = await temporaryFolder();
  context.dataset = await openDataset(await context.folder.write('data.csv', textOf(sample)));
});

test.after(async ({ folder }) => {
  await folder[Symbol.asyncDispose]();
});

function accept(descriptor: JobDescriptor, dataset: Dataset): Promise<Participation> {
  return acceptJob(signJob(descriptor), {
    owner: anna,
    facilitator: facilitator.name,
    parties: () => parties,
    storageKey: annaIdentity.derive('storage of the test'),
    datasets: { hold: (job) => dataset.heldFor(job) },
    policy: openPolicy,
    ledger: createLedger({ append: () => Promise.resolve(), entries: () => Promise.resolve([]) }),
    keys,
    clock: systemClock,
    meter: noMeter,
    progress: noCheckpoint,
    signal: new AbortController().signal,
  });
}

async function refusal(work: () => unknown): Promise<readonly [string, string | undefined]> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return [error.code, error.field];
  }
  throw new Error('nothing was refused');
}

test('its contribution is what the task gives, by the plan of the closing round, with tags of as many ciphertexts', async ({
  dataset,
}) => {
  const descriptor = await describe(closing);
  const participation = await accept(descriptor, dataset);
  const asked = describeRound(descriptor, 3, [...parameters, 0.5], { closing: true });
  const signed = participation.check(3, viewOf(signRound(asked)));
  const roundDigest = objectDigest('round', signed.descriptor);
  const bytes = await participation.contribution(signed, roundDigest);

  const model = parseModel(closing);
  const { closing: terms, plan } = termsOf(model, 3);
  assert.ok(terms !== undefined);
  // 5 columns: 15 + 5 + 1, a histogram of 4 + 2, and 3 values for each of 4 bins; an ordinary round has 5 + 1.
  assert.deepEqual([terms.plan.length, plan.length], [39, 6]);
  assert.equal(bytes.length, terms.plan.ciphertexts * 512);
  const records = encodeTable(compileFeatures(model), await readTable({ text: textOf(sample) }, model.data_props));
  const { weight, values } = ownVector(
    terms.task,
    closingSums(terms.task, records, Float64Array.from([...parameters, 0.5])),
  );
  const shared = new Map([[anna, tagSecret.agree(participation.tagKey, anna)]]);
  const opened = openVector(terms.plan, createDecryptor(privateKey), bytes, 1, (sums) => {
    checkTags(sums, shared, { job: participation.digest, round: 3, roundDigest });
  });
  assert.deepEqual(opened, { weight, values: [...values.slice(0, values.length)] });
  assert.equal(weight, 30n);
});

test('a plan for it that is not the one of the model is refused, and so is one where there is none or none where there is one', async ({
  dataset,
}) => {
  const honest = await describe(closing);
  const stated = honest.closing_plan;
  assert.ok(stated !== undefined);
  for (const [field, value] of Object.entries<string | number>({ ...stated })) {
    const other = typeof value === 'number' ? value + 1 : String(BigInt(value) + 1n);
    const changed: JobDescriptor = { ...honest, closing_plan: { ...stated, [field]: other } };
    assert.deepEqual(await refusal(() => accept(changed, dataset)), ['plan_mismatch', `closing_plan.${field}`]);
  }
  const fields = Object.entries(honest).filter(([field]) => field !== 'closing_plan');
  const without = Object.fromEntries(fields) as unknown as JobDescriptor;
  assert.deepEqual(await refusal(() => accept(without, dataset)), ['plan_mismatch', 'closing_plan']);
  const unasked = { ...(await describe({ ...base, training: gradient })), closing_plan: stated };
  assert.deepEqual(await refusal(() => accept(unasked, dataset)), ['plan_mismatch', 'closing_plan']);
});

test('a closing round that the job has not, or with other parameters, is refused; and so is one round more', async ({
  dataset,
}) => {
  const check = async (
    descriptor: JobDescriptor,
    round: number,
    given: readonly number[],
    changes: Partial<RoundDescriptor>,
  ) => {
    const participation = await accept(descriptor, dataset);
    const view = viewOf(signRound(describeRound(descriptor, round, given, changes)));
    return refusal(() => participation.check(round, view));
  };
  const plain = await describe({ ...base, training: gradient });
  assert.deepEqual(await check(plain, 1, parameters, { closing: true }), ['message_invalid', 'closing']);
  const asked = await describe(closing);
  assert.deepEqual(await check(asked, 1, parameters, { closing: true }), ['message_invalid', 'parameters']);
  assert.deepEqual(await check(asked, 1, [...parameters, 0.5], {}), ['message_invalid', 'parameters']);
  // 4 updates, one that evaluates, one that closes.
  assert.deepEqual(await check(asked, 7, [...parameters, 0.5], { closing: true }), ['privacy_invalid', 'round']);
  assert.deepEqual(await check(plain, 6, parameters, {}), ['privacy_invalid', 'round']);
});

test('a histogram without a width is refused when it is computed', async ({ dataset }) => {
  const descriptor = await describe(closing);
  const participation = await accept(descriptor, dataset);
  for (const width of [0, -1]) {
    const signed = signRound(describeRound(descriptor, 1, [...parameters, width], { closing: true }));
    const digest = objectDigest('round', signed.descriptor);
    assert.deepEqual(await refusal(() => participation.contribution(signed, digest)), ['plan_mismatch', 'parameters']);
  }
});

test('parameters far from every record are refused by the name of what grows', async ({ dataset }) => {
  const descriptor = await describe(closing);
  const participation = await accept(descriptor, dataset);
  const signed = signRound(describeRound(descriptor, 1, [1e6, 0, 0, 0, 0, 0.5], { closing: true }));
  const digest = objectDigest('round', signed.descriptor);
  assert.deepEqual(await refusal(() => participation.contribution(signed, digest)), [
    'number_out_of_bounds',
    'score of intercept',
  ]);
});

test('after its contribution to a closing round it contributes to nothing more of the job, whatever is asked, nor after a restart', async () => {
  const descriptor = await describe(closing, 'closed');
  const { job } = descriptor;
  const ask = (world: World, round: number, width: number): void => {
    world.script.openRound(signRound(describeRound(descriptor, round, [...parameters, width], { closing: true })));
  };
  for (const restarted of [false, true]) {
    await using world = await World.create(textOf(sample));
    const life = await world.live({ keys });
    world.script.propose(signJob(descriptor));
    await until('anna is ready', () => world.script.standing(job) === 'ready');
    // An ordinary round before it, and it comes early: a training may settle before its last update.
    world.script.openRound(signRound(describeRound(descriptor, 1, parameters)));
    await until(
      'round 1 is acknowledged',
      async () => (await world.store().contribution(job, 1))?.receipt !== undefined,
    );
    world.script.closeRound(job, 1);
    ask(world, 2, 0.5);
    await until(
      'round 2 is acknowledged',
      async () => (await world.store().contribution(job, 2))?.receipt !== undefined,
    );
    world.script.closeRound(job, 2);
    if (restarted) {
      await life.stop();
      await world.live({ keys });
    }
    // The same records in other bins.
    if (restarted) world.script.openRound(signRound(describeRound(descriptor, 3, parameters)));
    else ask(world, 3, 0.25);
    await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
    assert.match(
      world.script.answers.at(-1)?.answer.reason ?? '',
      /^round 3 comes after round 2, which closed the job/,
    );
    assert.deepEqual([world.script.sent.length, await world.charged()], [2, [1, 2]]);
  }
});

test.run();

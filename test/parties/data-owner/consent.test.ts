/** A data owner whose people decide: what they are shown, what follows from what they say, and that nothing happens before. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import { openDatasets } from '../../../parties/data-owner/datasets.ts';
import { openPolicy } from '../../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { SealsumError } from '../../../src/errors.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { createCaps } from '../../../src/privacy/budget.ts';
import { multiplyRationals, rational, toNumber } from '../../../src/privacy/rational.ts';
import type { JobDescriptor } from '../../../src/protocol/job-messages.ts';
import { objectDigest } from '../../../src/protocol/signed.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { verifyLog } from '../../../src/storage/audit-verification.ts';
import { document, type Life, type LifeOptions, parameters, until, World } from './harness.ts';
import { annaIdentity, describe, describeRound, modelOwner, signJob, signRound } from './scripted-facilitator.ts';

const test = suite('consent of a data owner');

const keys = createKeyChecks();
const descriptor = await describe(document);
const { job } = descriptor;
const asking = { ...openPolicy, consent: 'ask' } as const;

function live(world: World, { changes, ...options }: LifeOptions = {}): Promise<Life> {
  return world.live({ keys, ...options, changes: { policy: asking, ...changes } });
}

const statusOf = (life: Life, name = job): string | undefined =>
  life.owner.jobs().find((each) => each.job === name)?.status;

async function ask(world: World, life: Life, asked: JobDescriptor = descriptor): Promise<void> {
  world.script.propose(signJob(asked));
  await until('anna asks', () => statusOf(life, asked.job) === 'asking');
  await until('nothing is under way', () => life.owner.queued() === 0);
}

/** What is decided is refused with this code. */
async function refused(work: Promise<unknown>, code: string, message: RegExp = /./): Promise<void> {
  await assert.rejects(
    work,
    (error) => error instanceof SealsumError && error.code === code && message.test(error.message),
  );
}

test('says nothing, charges nothing and computes nothing until a person has approved', async () => {
  await using world = await World.create();
  const life = await live(world);
  await ask(world, life);
  assert.equal(world.script.standing(job), 'invited');
  assert.deepEqual(world.script.answers, []);
  // Whoever goes on without an answer gets nothing.
  world.script.openRound(signRound(describeRound(descriptor, 1, parameters)));
  world.script.breakLines();
  await until('anna reads anew', () => world.script.requests.filter((each) => each === 'jobs').length === 2);
  await until('nothing is under way', () => life.owner.queued() === 0);
  assert.deepEqual([world.script.sent, world.script.answers, await world.charged()], [[], [], []]);
  assert.deepEqual(await world.auditTypes(), ['job.asked']);

  world.script.abandonRound(job, 1);

  const view = await life.owner.decide(job, { decision: 'approve' });
  assert.equal(view.consent?.decision, 'approve');
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  world.script.openRound(signRound(describeRound(descriptor, 2, parameters)));
  await until('the receipt is kept', async () => (await world.store().receipts(job)).length === 1);
  assert.deepEqual(await world.charged(), [2]);
  assert.deepEqual((await world.auditTypes()).slice(0, 3), ['job.asked', 'job.approved', 'job.accepted']);
  await verifyLog(await world.audit(), [annaIdentity]);
});

test('a refusal names a person, and the words only where there are any', async () => {
  for (const [reason, told] of [
    [undefined, 'policy.consent: a person at anna declined the job'],
    ['the board meets in May', 'policy.consent: a person at anna declined the job: the board meets in May'],
  ] as const) {
    await using world = await World.create();
    const life = await live(world);
    await ask(world, life);
    await life.owner.decide(job, { decision: 'refuse', reason });
    await until('the facilitator knows', () => world.script.standing(job) === 'refused');
    assert.equal(world.script.answers[0]?.answer.reason, told);
    assert.deepEqual([await world.auditTypes(), await world.charged()], [['job.asked', 'job.refused'], []]);
    // Her data set is free again.
    assert.equal(statusOf(life), 'refused');
    // It is no failure of the program.
    assert.ok(!world.lines.some((line) => line.includes('"level":"error"')), world.lines.join('\n'));
  }
});

test('the same decision twice is one, another one is taken only until the answer is given', async () => {
  await using world = await World.create();
  const life = await live(world);
  await refused(life.owner.decide(job, { decision: 'approve' }), 'job_unknown');
  await ask(world, life);
  // The line is gone, so that no answer follows from what is said.
  world.script.tampering.before = () => {
    throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  const first = await life.owner.decide(job, { decision: 'approve' });
  const again = await life.owner.decide(job, { decision: 'approve', reason: 'not kept' });
  assert.deepEqual(again, first);
  assert.equal(first.status, 'joining');
  assert.deepEqual(await world.auditTypes(), ['job.asked', 'job.approved']);
  await life.owner.decide(job, { decision: 'refuse', reason: 'on second thoughts' });
  await refused(life.owner.decide(job, { decision: 'approve' }), 'consent_conflict', /was refused by a person/);
  assert.equal((await life.owner.decide(job, { decision: 'refuse' })).consent?.reason, 'on second thoughts');
  delete world.script.tampering.before;
  world.script.breakLines();
  await world.passUntil('the facilitator knows', () => world.script.standing(job) === 'refused');
  assert.equal(world.script.answers.length, 1);

  const other = await describe(document, 'other');
  await ask(world, life, other);
  await life.owner.decide(other.job, { decision: 'approve' });
  await until('anna is ready', () => world.script.standing(other.job) === 'ready');
  await refused(
    life.owner.decide(other.job, { decision: 'refuse' }),
    'consent_conflict',
    /was approved by a person, and this owner's answer is given/,
  );
  assert.equal((await life.owner.decide(other.job, { decision: 'approve' })).status, 'ready');
});

test('decisions at once, of which each is the opposite of the one before, leave one answer', async () => {
  await using world = await World.create();
  const life = await live(world);
  await ask(world, life);
  const said = Array.from({ length: 6 }, (_, index) =>
    life.owner
      .decide(job, { decision: index % 2 === 0 ? 'approve' : 'refuse' })
      .then(({ consent }) => consent?.decision)
      .catch((error: unknown) => (error as SealsumError).code),
  );
  assert.deepEqual(await Promise.all(said), [
    'approve',
    'refuse',
    'consent_conflict',
    'refuse',
    'consent_conflict',
    'refuse',
  ]);
  await until('the facilitator knows', () => world.script.standing(job) === 'refused');
  assert.equal(world.script.answers.length, 1);
});

test('waits over a restart and without the facilitator, and is asked once', async () => {
  await using world = await World.create();
  const first = await live(world);
  await ask(world, first);
  await first.stop();
  world.script.tampering.before = () => {
    throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  const second = await live(world);
  assert.equal(statusOf(second), 'asking');
  await second.owner.decide(job, { decision: 'approve' });
  await second.stop();
  delete world.script.tampering.before;
  const third = await live(world);
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  assert.equal(statusOf(third), 'ready');
  assert.deepEqual(await world.auditTypes(), ['job.asked', 'job.approved', 'job.accepted']);
});

test('what is asked is shown from what was verified, whatever the facilitator says, and after a restart', async () => {
  await using world = await World.create();
  const first = await live(world);
  await ask(world, first);
  const shown = await first.owner.request(job);
  const kept = await world.store().asked(job);
  assert.deepEqual(kept, { ...signJob(descriptor), created_at: '2024-01-01T00:00:00.000Z' });
  await first.stop();
  world.script.tampering.before = () => {
    throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  const second = await live(world);
  assert.deepEqual(await second.owner.request(job), shown);
  // What others have changed on the disk is not shown.
  const [record] = await world.store().jobs();
  assert.ok(record !== undefined);
  const forged = { ...kept, descriptor: { ...descriptor, quorum: 3 } };
  await world.store().commit({ job: record, asked: forged });
  await refused(second.owner.request(job), 'internal');
  // After the answer it is shown as before.
  await world.store().commit({ job: record, asked: kept });
  delete world.script.tampering.before;
  await second.owner.decide(job, { decision: 'refuse' });
  assert.deepEqual(await second.owner.request(job), { ...shown, status: 'refused', records: null, dropped: null });
});

test('a data set is kept for a job that waits from the start of a process on, not only when the facilitator answers', async () => {
  await using world = await World.create();
  const first = await live(world);
  const data_props = { ...(document.data_props as object), dataset: 'trial.csv' };
  const asked = await describe({ ...document, data_props }, 'trial');
  const folder = join(world.folder.path, 'datasets');
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield await readFile(join(world.folder.path, 'data.csv'));
  };
  await world.datasets.add({ name: 'trial.csv', content: content(), replace: false }, new AbortController().signal);
  await ask(world, first, asked);
  await first.stop();
  world.script.tampering.before = () => {
    throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  const datasets = await openDatasets({ file: join(world.folder.path, 'data.csv'), folder });
  await live(world, { changes: { datasets } });
  await assert.rejects(datasets.remove('trial.csv'), { code: 'dataset_conflict' });
});

test('a job that ends meanwhile is over, and nothing more is decided about it', async () => {
  await using world = await World.create();
  const life = await live(world);
  await ask(world, life);
  world.script.endJob(job);
  await until('the job is over', () => statusOf(life) === 'ended');
  await refused(life.owner.decide(job, { decision: 'approve' }), 'job_ended');
  assert.deepEqual(world.script.answers, []);
  // Approved at the moment at which it ends.
  const other = await describe(document, 'other');
  await ask(world, life, other);
  world.script.tampering.before = (request) => {
    if (request === 'job') world.script.endJob(other.job);
  };
  await life.owner.decide(other.job, { decision: 'approve' });
  await until('the other is over', () => statusOf(life, other.job) === 'ended');
  assert.deepEqual(world.script.answers, []);
  assert.equal((await life.owner.decide(other.job, { decision: 'approve' })).status, 'ended');
});

test('a policy that no longer asks accepts what waits, and one that no longer allows refuses it', async () => {
  for (const [policy, status, audit] of [
    [openPolicy, 'ready', 'job.accepted'],
    [{ ...asking, leastQuorum: 3 }, 'refused', 'job.refused'],
  ] as const) {
    await using world = await World.create();
    const first = await live(world);
    await ask(world, first);
    await first.stop();
    const second = await live(world, { changes: { policy } });
    await until('there is an answer', () => world.script.standing(job) === status);
    assert.deepEqual(await world.auditTypes(), ['job.asked', audit]);
    if (status === 'refused')
      await refused(second.owner.decide(job, { decision: 'approve' }), 'consent_conflict', /policy\.least_quorum/);
  }
});

test('what was accepted stays so under a policy that asks from now on', async () => {
  await using world = await World.create();
  const first = await live(world, { changes: { policy: openPolicy } });
  world.script.propose(signJob(descriptor));
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  await first.stop();
  const second = await live(world);
  world.script.openRound(signRound(describeRound(descriptor, 1, parameters)));
  await until('the receipt is kept', async () => (await world.store().receipts(job)).length === 1);
  await refused(
    second.owner.decide(job, { decision: 'refuse' }),
    'consent_conflict',
    /accepted without asking anybody/,
  );
});

test('a budget that other jobs have used meanwhile refuses what was approved', async () => {
  await using world = await World.create();
  const { calibration } = termsOf(parseModel(document), 3);
  assert.ok(calibration !== undefined);
  const rhoTotal = toNumber(multiplyRationals(rational(3n, 2n), calibration.rhoTotal));
  const life = await live(world, { changes: { policy: { ...asking, caps: createCaps({ rhoTotal }) } } });
  const other = await describe(document, 'other');
  await ask(world, life);
  await ask(world, life, other);
  assert.equal((await life.owner.request(other.job)).refused, null);
  await life.owner.decide(job, { decision: 'approve' });
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  for (const round of [1, 2, 3]) {
    world.script.openRound(signRound(describeRound(descriptor, round, parameters)));
    await until('it is charged', async () => (await world.charged()).length === round);
    await until('nothing is under way', () => life.owner.queued() === 0);
    world.script.closeRound(job, round);
  }
  assert.match((await life.owner.request(other.job)).refused ?? '', /^policy\.rho_total: /);
  await life.owner.decide(other.job, { decision: 'approve' });
  await until('the other is refused', () => world.script.standing(other.job) === 'refused');
  assert.match(world.script.answers.at(-1)?.answer.reason ?? '', /^policy\.rho_total: /);
});

test('another job under the name of one that waits is asked about anew, and nobody approves it unseen', async () => {
  await using world = await World.create();
  const life = await live(world);
  await ask(world, life);
  const shown = await life.owner.request(job);
  const other = await describe({ ...document, privacy: { rho: 0.25 } });
  world.script.tampering.job = (view) => ({ ...view, ...signJob(other) });
  // What is shown is what waits.
  assert.deepEqual(await life.owner.request(job), shown);
  await life.owner.decide(job, { decision: 'approve', jobDigest: shown.job_digest });
  await until('it waits anew', () => statusOf(life) === 'asking');
  await refused(
    life.owner.decide(job, { decision: 'approve', jobDigest: shown.job_digest }),
    'job_conflict',
    /look at it again/,
  );
  const anew = await life.owner.request(job);
  assert.equal(anew.job_digest, objectDigest('job', other));
  await life.owner.decide(job, { decision: 'approve', jobDigest: anew.job_digest });
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  assert.equal(world.script.answers.at(-1)?.answer.job_digest, anew.job_digest);
});

test('shows what a closing round releases beside the others, and how long the first answers are waited for', async () => {
  await using world = await World.create();
  const life = await live(world);
  const closing = {
    ...document,
    privacy: undefined,
    training: { solver: 'gradient', rounds: 4, inference: {}, diagnostics: { bins: 5 } },
    participation: { quorum: 2, deadline_seconds: 10, answer_seconds: 3600 },
  };
  const asked = await describe(closing);
  await ask(world, life, asked);
  const request = await life.owner.request(asked.job);
  const terms = termsOf(parseModel(closing), 3);
  assert.ok(terms.closing !== undefined);
  const { task, plan } = terms.closing;
  assert.equal(request.release.closing?.values, task.length);
  assert.deepEqual(
    request.release.closing.sums.flatMap(({ names }) => names),
    task.names(),
  );
  // Five columns with the intercept: 15 products, 5 scores, one sum of squares; 7 bins of residuals, and 5 of predictions.
  assert.deepEqual(
    request.release.closing.sums.map(({ kind, values }) => [kind, values]),
    [
      ['inference', 21],
      ['diagnostics', 7 + 3 * 5],
    ],
  );
  // The five of the model, and half of the width of the histogram.
  assert.equal(request.release.closing.parameters, 6);
  const bytesOf = ({ ciphertexts, keyBits }: typeof plan): number => ciphertexts * (keyBits / 4);
  assert.equal(request.plan.bytes_total, (request.rounds - 1) * bytesOf(terms.plan) + bytesOf(plan));
  assert.equal(request.deadline.seconds, 3600);
});

test('shows exactly what is released and charged afterwards', async () => {
  await using world = await World.create();
  const caps = createCaps({ rhoTotal: 2, epsilon: 10, delta: 1e-6 });
  const life = await live(world, { changes: { policy: { ...asking, caps } } });
  await ask(world, life);
  const request = await life.owner.request(job);
  const { calibration, plan, task } = termsOf(parseModel(document), 3);
  assert.ok(calibration !== undefined);
  assert.deepEqual(
    [request.job, request.status, request.job_digest, request.asked_by, request.model_type, request.model_visibility],
    [
      job,
      'asking',
      objectDigest('job', descriptor),
      { model_owner: 'model-owner', fingerprint: modelOwner.fingerprint },
      'LINEAR_REGRESSION',
      'plain',
    ],
  );
  assert.deepEqual([request.dataset, request.records, request.dropped], ['data.csv', 12, 0]);
  assert.deepEqual(
    request.columns.map(({ name, use }) => [name, use]),
    [...parseModel(document).data_props.features, parseModel(document).data_props.target].map(
      ({ name = null }, index, all) => [name, index === all.length - 1 ? 'target' : 'feature'],
    ),
  );
  assert.deepEqual([request.rounds, request.rounds_charged, request.quorum], [5, 0, 2]);
  assert.deepEqual(
    request.release.sums.map(({ kind, values }) => [kind, values]),
    [
      ['gradient', 5],
      ['metric', 1],
    ],
  );
  assert.deepEqual([request.release.values, request.release.to], [task.length, 'model-owner']);
  assert.deepEqual(
    request.release.sums.flatMap(({ names }) => names),
    task.names(),
  );
  assert.deepEqual(request.receives, { parameters: 5, encrypted: false });
  assert.deepEqual(request.roster, ['anna', 'bert', 'cora']);
  const { numerator, denominator } = calibration.rhoPerRound;
  assert.deepEqual(
    [request.privacy?.per_round.rho.numerator, request.privacy?.per_round.rho.denominator],
    [String(numerator), String(denominator)],
  );
  assert.deepEqual([request.privacy?.place, request.privacy?.unit], ['model-owner', 'record']);
  assert.equal(request.privacy?.variance, String(calibration.variance.numerator));
  const { before, after } = request.budget;
  assert.deepEqual([before.rounds, before.spent.rho.value, after.rounds], [0, 0, 5]);
  const total = multiplyRationals(rational(5n), calibration.rhoPerRound);
  assert.deepEqual(
    [after.spent.rho.numerator, after.spent.rho.denominator],
    [String(total.numerator), String(total.denominator)],
  );
  assert.equal(request.privacy.total.rho, after.spent.rho.value);
  assert.ok(after.spent.epsilon !== null && after.spent.epsilon === request.privacy.total.epsilon);
  assert.equal(request.deadline.until, '2024-01-01T00:00:30.000Z');

  await life.owner.decide(job, { decision: 'approve', jobDigest: request.job_digest });
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  world.script.openRound(signRound(describeRound(descriptor, 1, parameters)));
  await until('the receipt is kept', async () => (await world.store().receipts(job)).length === 1);
  assert.equal(world.script.sent[0]?.bytes.length, request.plan.bytes_per_round);
  assert.equal(request.plan.ciphertexts, plan.ciphertexts);
  const [charge] = await world.ledgerStore().entries();
  assert.deepEqual([charge?.dataset, charge?.unit, charge?.rho], ['data.csv', 'record', calibration.rhoPerRound]);
  const later = await life.owner.request(job);
  assert.deepEqual([later.rounds_charged, later.budget.before.rounds, later.status], [1, 1, 'ready']);
  // What was foreseen stays foreseen.
  assert.deepEqual(later.budget.after, after);
});

test('says plainly that there is no differential privacy, and what is hidden from the owner', async () => {
  await using world = await World.create();
  const life = await live(world);
  const plain = await describe(
    {
      ...document,
      privacy: undefined,
      model_visibility: 'encrypted',
    },
    'plain',
  );
  await ask(world, life, plain);
  const request = await life.owner.request(plain.job);
  assert.equal(request.privacy, null);
  assert.match(request.does_not_protect_against.join(' '), /learns the exact sum of every round/);
  assert.deepEqual([request.model_visibility, request.receives], ['encrypted', { parameters: 5, encrypted: true }]);
  const { before, after } = request.budget;
  assert.deepEqual([before.unprotected_rounds, after.unprotected_rounds, after.spent.rho.value], [0, 5, 0]);
});

test('a data set that a waiting job would use stays until a person refuses', async () => {
  await using world = await World.create();
  const life = await live(world);
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield await readFile(join(world.folder.path, 'data.csv'));
  };
  const { signal } = new AbortController();
  await world.datasets.add({ name: 'trial.csv', content: content(), replace: false }, signal);
  const data_props = { ...(document.data_props as object), dataset: 'trial.csv' };
  const asked = await describe({ ...document, data_props }, 'trial');
  await ask(world, life, asked);
  assert.equal((await life.owner.request(asked.job)).dataset, 'trial.csv');
  await assert.rejects(world.datasets.remove('trial.csv'), { code: 'dataset_conflict' });
  await life.owner.decide(asked.job, { decision: 'refuse' });
  await world.datasets.remove('trial.csv');
});

test.run();

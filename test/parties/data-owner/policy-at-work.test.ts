/** A data owner that keeps its policy while it works: who is refused, when, and what is spent until then. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type OwnerPolicy, openPolicy } from '../../../src/config/owner-policy.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { parseModel } from '../../../src/learning/model.ts';
import type { Caps } from '../../../src/privacy/budget.ts';
import {
  compareRationals,
  multiplyRationals,
  type Rational,
  rational,
  sumRationals,
} from '../../../src/privacy/rational.ts';
import type { JobDescriptor } from '../../../src/protocol/job-messages.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { textOf } from '../../end-to-end/data.ts';
import { document, type Life, parameters, sample, until, World } from './harness.ts';
import { describe, describeRound, signJob, signRound } from './scripted-facilitator.ts';

const test = suite('a data owner with a policy');

const keys = createKeyChecks();
const first = await describe(document, 'first');
const second = await describe(document, 'second');

/** ρ of one round of the document, and how many it may have. */
const { rhoPerRound, rounds } = termsOf(parseModel(document), 3).calibration ?? assert.fail('the job has no noise');

const times = (count: number, rho: Rational = rhoPerRound): Rational => multiplyRationals(rational(BigInt(count)), rho);

function capped(caps: Caps): OwnerPolicy {
  return { ...openPolicy, caps };
}

function live(world: World, policy: OwnerPolicy): Promise<Life> {
  return world.live({ keys, changes: { policy } });
}

async function standing(world: World, { job }: JobDescriptor, status: string): Promise<void> {
  await until(`${job} is ${status}`, () => world.script.standing(job) === status);
}

async function contributed(world: World, descriptor: JobDescriptor, round: number): Promise<void> {
  world.script.openRound(signRound(describeRound(descriptor, round, parameters)));
  await until(`the receipt of round ${round} of ${descriptor.job} is kept`, async () =>
    (await world.store().receipts(descriptor.job)).some(({ receipt }) => receipt.round === round),
  );
}

test('a job past the cap is refused before its first round, with the rule, whatever the data are', async () => {
  const reasons = new Set<string>();
  const header = `${sample.header}\n`;
  for (const text of [textOf(sample), textOf(sample, (row) => row === 3), `${header}999,1,north,1\n`, header, 'a\n']) {
    await using world = await World.create(text);
    const life = await live(world, capped({ rhoTotal: times(rounds - 1) }));
    world.script.propose(signJob(first));
    await standing(world, first, 'refused');
    const [{ answer } = assert.fail('anna has not answered')] = world.script.answers;
    assert.equal(life.owner.jobs()[0]?.reason, answer.reason, 'there is nothing more that only anna may know');
    reasons.add(answer.reason ?? '');
    assert.deepEqual(await world.charged(), []);
    assert.deepEqual(await world.auditTypes(), ['job.refused']);
  }
  assert.equal(reasons.size, 1);
  assert.match(
    [...reasons][0] ?? '',
    /^policy\.rho_total: 5 rounds that spend rho 0\.1 each are more than the 0\.4 that this owner/,
  );
});

test('a job that spends the cap to the last fraction is taken, and the next one is refused', async () => {
  await using world = await World.create();
  await live(world, capped({ rhoTotal: times(rounds) }));
  world.script.propose(signJob(first));
  await standing(world, first, 'ready');
  for (let round = 1; round <= rounds; round++) {
    await contributed(world, first, round);
    world.script.closeRound(first.job, round);
  }
  world.script.propose(signJob(second));
  await standing(world, second, 'refused');
  assert.match(world.script.answers.at(-1)?.answer.reason ?? '', /^policy\.rho_total: .* more than is left of the /);
  assert.deepEqual(await world.charged(), [1, 2, 3, 4, 5]);
});

test('of two jobs that fit one by one, the round that passes the cap withdraws its owner, and nothing leaves for it', async () => {
  await using world = await World.create();
  const life = await live(world, capped({ rhoTotal: times(rounds) }));
  world.script.propose(signJob(first));
  world.script.propose(signJob(second));
  await standing(world, first, 'ready');
  await standing(world, second, 'ready');
  for (const round of [1, 2]) for (const job of [first, second]) await contributed(world, job, round);
  await contributed(world, first, 3);
  const sent = world.script.sent.length;
  world.script.openRound(signRound(describeRound(second, 3, parameters)));
  await standing(world, second, 'withdrawn');
  const reason = world.script.answers.at(-1)?.answer.reason ?? '';
  assert.match(
    reason,
    /^policy\.rho_total: a round that spends rho 0\.1 is more than is left of the 0\.5 that this owner/,
  );
  assert.equal(life.owner.jobs().find(({ job }) => job === second.job)?.reason, reason);
  assert.equal(world.script.sent.length, sent);
  assert.deepEqual(await world.charged(), [1, 1, 2, 2, 3]);
});

test('a restart takes nothing back: an accepted job goes on as long as its rounds fit, also when the clock went back', async () => {
  await using world = await World.create();
  const policy = capped({ rhoTotal: times(rounds) });
  const life = await live(world, policy);
  world.script.propose(signJob(first));
  world.script.propose(signJob(second));
  await standing(world, first, 'ready');
  await standing(world, second, 'ready');
  for (const round of [1, 2]) await contributed(world, first, round);
  await contributed(world, second, 1);
  await life.stop();

  const now = world.clock.now();
  const past = { ...world.clock, now: () => now - 10 * 365 * 86_400_000 };
  const again = await world.live({ keys, changes: { policy, clock: past } });
  await until('the new process has caught up', () => again.owner.connected() && again.owner.queued() === 0);
  assert.deepEqual([world.script.standing(first.job), world.script.standing(second.job)], ['ready', 'ready']);
  await contributed(world, second, 2);
  await contributed(world, first, 3);
  world.script.openRound(signRound(describeRound(second, 3, parameters)));
  await standing(world, second, 'withdrawn');
  assert.deepEqual(await world.charged(), [1, 2, 1, 2, 3]);
});

test('a stricter policy counts for jobs that were accepted before it, from the next start on', async () => {
  await using world = await World.create();
  const life = await live(world, openPolicy);
  world.script.propose(signJob(first));
  await standing(world, first, 'ready');
  await contributed(world, first, 1);
  await life.stop();
  await live(world, { ...openPolicy, leastQuorum: 3 });
  await standing(world, first, 'withdrawn');
  assert.match(world.script.answers.at(-1)?.answer.reason ?? '', /^policy\.least_quorum: the job has a quorum of 2/);
});

test('many jobs whose rounds open at once spend the last of the budget and not a bit more', async () => {
  await using world = await World.create();
  // Eight jobs of one round each, room for three.
  const single = { ...document, training: { solver: 'normal-equations' } };
  const { calibration } = termsOf(parseModel(single), 3);
  assert.ok(calibration !== undefined && calibration.rounds === 1);
  const cap = times(3, calibration.rhoPerRound);
  await live(world, capped({ rhoTotal: cap }));
  const jobs = await Promise.all(Array.from({ length: 8 }, (_, index) => describe(single, `job-${index}`)));
  for (const job of jobs) world.script.propose(signJob(job));
  for (const job of jobs) await standing(world, job, 'ready');
  for (const job of jobs) world.script.openRound(signRound(describeRound(job, 1, [])));
  const standings = (): string[] => jobs.map(({ job }) => world.script.standing(job));
  await until('five are left', () => standings().filter((each) => each === 'withdrawn').length === 5);
  await until('three are contributed to', () => world.script.sent.length === 3);
  const spent = (await world.ledgerStore().entries()).map(({ rho }) => rho ?? assert.fail('a round without rho'));
  assert.equal(compareRationals(sumRationals(spent), cap), 0);
  for (const { statement } of world.script.sent) assert.equal(world.script.standing(statement.job), 'ready');
});

test('a rule that the model breaks is told before the key is looked at', async () => {
  await using world = await World.create();
  await world.live({ changes: { policy: { ...openPolicy, features: ['age'] } } });
  world.script.propose(signJob({ ...first, public_key_proof: { ...first.public_key_proof, w: 'AA' } }));
  await standing(world, first, 'refused');
  assert.equal(
    world.script.answers[0]?.answer.reason,
    'policy.features: the job uses columns that this owner does not release: visits, ward, outcome',
  );
});

test.run();

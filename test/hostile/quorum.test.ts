/**
 * A model owner that asks for sums of fewer owners than the quorum, in all ways there are: none is given one. It has the key and
 * signs whatever it likes; the facilitator is honest, and so are the owners. What it can learn all the same is at the end.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import type { RoundDescriptor, SignedRound } from '../../src/protocol/round-messages.ts';
import {
  anna,
  answerTo,
  bert,
  clientOf,
  contributionOf,
  cora,
  describeJob,
  describeRound,
  facilitatorIdentity,
  identityOf,
  mona,
  never,
  openSum,
  otto,
  partiesWith,
  refusal,
  signAnswer,
  signContribution,
  signJob,
  signRound,
  sumOf,
  trio,
  vectorOf,
} from '../parties/facilitator/harness.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';
import { dumpOf } from './dump.ts';
import { type FacilitatorParty, type FacilitatorPartyOptions, startFacilitatorParty } from './facilitator.ts';
import { jsonRequest, refusalIn, send, signedBy } from './line.ts';
import { contribution, statementOf, wideLimits } from './world.ts';

const test = suite('a model owner below the quorum');

interface Scene extends AsyncDisposable {
  readonly party: FacilitatorParty;
  readonly clock: TestClock;
  /** The model owner's. */
  readonly model: FacilitatorClient;
  /** Opens a round that the model owner signed, whatever is in it; the code with which it was refused, or 'opened'. */
  open(job: JobDescriptor, round: number, changes?: Partial<RoundDescriptor>): Promise<string>;
  /** An honest owner contributes its own vector, of its number on the roster, to the round that stands. */
  contribute(owner: OwnerId, round: number, job?: string): Promise<void>;
  /** The names of the rounds of which the model owner is given an aggregate, and whose are in it. */
  given(jobs: readonly string[], rounds: number): Promise<Readonly<Record<string, readonly OwnerId[]>>>;
}

async function createScene(options: Partial<FacilitatorPartyOptions> = {}): Promise<Scene> {
  const clock = createTestClock();
  const identity = facilitatorIdentity;
  const parties = partiesWith();
  const party = await startFacilitatorParty({
    identity,
    parties: () => parties,
    clock,
    limiter: wideLimits,
    ...options,
  });
  const model = clientOf(party.url, mona, clock);
  const rounds = new Map<string, SignedRound>();
  return {
    party,
    clock,
    model,
    open: async (job, round, changes = {}) => {
      const signed = signRound({ ...describeRound(job, round), ...changes });
      try {
        await model.openRound(signed, never);
        rounds.set(`${signed.descriptor.job} ${round}`, signed);
        return 'opened';
      } catch (error) {
        assert.ok(error instanceof SealsumError, String(error));
        return error.code;
      }
    },
    contribute: async (owner, round, job = 'job') => {
      const signed = rounds.get(`${job} ${round}`) ?? assert.fail('no such round');
      const bytes = vectors[trio.indexOf(owner)] ?? assert.fail(owner);
      const statement = statementOf(signed, owner, bytes);
      await clientOf(party.url, owner, clock).contribute(statement, signContribution(statement), bytes, never);
    },
    given: async (jobs, most) => {
      await party.facilitator.drained();
      const found: Record<string, readonly OwnerId[]> = {};
      for (const job of jobs)
        for (let round = 1; round <= most; round++) {
          const contributors = await aggregateOf(model, describeJob({ job }), round);
          if (contributors !== undefined) found[`${job} ${round}`] = contributors;
        }
      return found;
    },
    [Symbol.asyncDispose]: () => party[Symbol.asyncDispose](),
  };
}

const vectors = trio.map((_, index) => contributionOf(index));

/** Of whom an aggregate is that the model owner is given, which is exactly their sum; undefined when it is given none. */
async function aggregateOf(
  model: FacilitatorClient,
  { job }: JobDescriptor,
  round: number,
): Promise<readonly OwnerId[] | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await model.aggregate(job, round, never);
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    assert.ok(
      ['round_open', 'round_abandoned', 'round_unknown', 'job_unknown', 'job_ended'].includes(error.code),
      error.code,
    );
    return undefined;
  }
  const { manifest } = await model.round(job, round, never);
  assert.ok(manifest !== undefined);
  const contributors = manifest.manifest.contributions.map(({ owner }) => owner);
  const numbers = contributors.map((owner) => trio.indexOf(owner));
  assert.deepEqual(openSum(bytes, contributors.length), sumOf(numbers));
  return contributors;
}

/** The series of blocks that the facilitator has of a job. */
async function blocksOf(party: FacilitatorParty): Promise<readonly string[]> {
  await party.facilitator.drained();
  const rows = (await dumpOf(party.database)).filter((line) => line.startsWith('blocks '));
  return rows.map((line) => (JSON.parse(line.slice('blocks '.length)) as { readonly series: string }).series);
}

test('a job of one owner, or with a quorum of less than two, is none', async () => {
  await using scene = await createScene();
  const { party, clock } = scene;
  const plain = describeJob();
  for (const changes of [
    { quorum: 1 },
    { quorum: 0 },
    { quorum: -2 },
    { quorum: 1.5 },
    { quorum: null },
    { quorum: '2' },
    { quorum: undefined },
    { quorum: 4 },
    { roster: [anna] },
    { roster: [] },
    { roster: [anna, anna] },
    { roster: [anna], quorum: 1 },
  ]) {
    const descriptor = { ...plain, ...changes };
    const request = jsonRequest('POST', '/jobs', signJob(descriptor as JobDescriptor));
    const answer = await send(party.port, signedBy(mona, request, { port: party.port, now: clock.now() }));
    assert.ok(answer !== undefined);
    assert.equal(refusalIn(answer, JSON.stringify(changes)).code, 'message_invalid', JSON.stringify(changes));
  }
  // Nor does one become two by naming who is no owner, or nobody.
  const asOwner = mona.name as string as OwnerId;
  for (const [roster, code] of [
    [[anna, asOwner], 'role_forbidden'],
    [[anna, 'anna2' as OwnerId], 'party_unknown'],
  ] as const) {
    const error = await refusal(scene.model.createJob(signJob(describeJob({ roster })), never));
    assert.equal(error.code, code);
  }
  assert.deepEqual(await scene.model.jobs(never), []);
});

test('a round is of the quorum of its job, whatever the model owner signs', async () => {
  await using scene = await createScene();
  const job = describeJob({ quorum: 3 });
  await scene.model.createJob(signJob(job), never);
  for (const [changes, code] of [
    [{ roster: [anna] }, 'owners_too_few'],
    [{ roster: [anna, bert] }, 'owners_too_few'],
    [{ roster: [anna, bert], quorum: 2 }, 'message_invalid'],
    [{ quorum: 2 }, 'message_invalid'],
    [{ quorum: 1 }, 'message_invalid'],
    [{ quorum: 0 }, 'message_invalid'],
    [{ roster: [anna, anna, anna] }, 'message_invalid'],
    [{ roster: [anna, bert, 'zoe' as OwnerId] }, 'owner_not_on_roster'],
    [{ roster: [anna, bert, mona.name as string as OwnerId] }, 'owner_not_on_roster'],
    [{ deadline_seconds: 0.001 }, 'message_invalid'],
  ] as const)
    assert.equal(await scene.open(job, 1, changes), code, JSON.stringify(changes));
  assert.equal(await scene.open(job, 1), 'opened');
  await scene.contribute(anna, 1);
  await scene.contribute(bert, 1);
  // Neither the same round with a shorter roster, nor the next one, nor one in between.
  assert.equal(await scene.open(job, 1, { roster: [anna, bert], quorum: 2 }), 'message_invalid');
  assert.equal(await scene.open(job, 2), 'round_open');
  assert.deepEqual(await scene.given(['job'], 2), {});
  scene.clock.advance(30_000);
  await until(
    'the round to be abandoned',
    async () => (await scene.model.round(job.job, 1, never)).status === 'abandoned',
  );
  assert.deepEqual(await scene.given(['job'], 2), {});
  assert.deepEqual(await blocksOf(scene.party), []);
});

test('before its end a round gives nothing, and without a quorum nothing at its end either', async () => {
  await using scene = await createScene();
  const job = describeJob();
  await scene.model.createJob(signJob(job), never);
  assert.equal(await scene.open(job, 1), 'opened');
  assert.deepEqual(await scene.given(['job'], 1), {});
  await scene.contribute(anna, 1);
  assert.deepEqual(await scene.given(['job'], 1), {});
  scene.clock.advance(29_999);
  assert.deepEqual(await scene.given(['job'], 1), {});
  scene.clock.advance(1);
  await until(
    'the round to be abandoned',
    async () => (await scene.model.round(job.job, 1, never)).status === 'abandoned',
  );
  assert.equal((await refusal(scene.model.aggregate(job.job, 1, never))).code, 'round_abandoned');
  assert.deepEqual(await blocksOf(scene.party), []);
  // The same round again is the same abandoned round.
  assert.equal(await scene.open(job, 1), 'opened');
  assert.equal(await scene.open(job, 1, { roster: [anna, bert] }), 'round_conflict');
  assert.deepEqual(await scene.given(['job'], 1), {});

  // With all the others gone, one contribution remains one.
  assert.equal(await scene.open(job, 2), 'opened');
  await scene.contribute(bert, 2);
  for (const owner of [anna, cora])
    await clientOf(scene.party.url, owner, scene.clock).answerJob(signAnswer(answerTo(job, owner, 'withdrawn')), never);
  await until(
    'the round to be abandoned',
    async () => (await scene.model.round(job.job, 2, never)).status === 'abandoned',
  );
  assert.deepEqual(await scene.given(['job'], 2), {});
  assert.deepEqual(await blocksOf(scene.party), []);
  // And who has said that they will not come counts for no quorum.
  assert.equal(await scene.open(job, 3), 'opened');
  await until(
    'the round to be abandoned',
    async () => (await scene.model.round(job.job, 3, never)).status === 'abandoned',
  );
});

test('a job that was ended gives nothing, and its name does not begin anew with what was contributed to it', async () => {
  await using scene = await createScene({ retention: { endedJobs: 1000, endedJobDays: 30 } });
  const { model, clock, party } = scene;
  const job = describeJob();
  await model.createJob(signJob(job), never);
  assert.equal(await scene.open(job, 1), 'opened');
  await scene.contribute(anna, 1);
  await model.endJob(job.job, 'cancelled', never);
  assert.deepEqual(await blocksOf(party), []);
  assert.equal((await refusal(model.aggregate(job.job, 1, never))).code, 'job_ended');
  // The same job is the same ended job; another one of this name is refused.
  assert.equal((await model.createJob(signJob(job), never)).status, 'cancelled');
  assert.equal(await scene.open(job, 1), 'job_ended');
  assert.equal(await scene.open(job, 2, { roster: [bert, cora] }), 'job_ended');
  const other = signJob({ ...job, deadline_seconds: 29 });
  assert.equal((await refusal(model.createJob(other, never))).code, 'job_conflict');
  assert.deepEqual(await scene.given(['job'], 2), {});

  // Once the facilitator has forgotten it, the name is free, and nothing is left of what came under it.
  clock.advance(31 * 86_400_000);
  // The facilitator looks what is too old when another job ends.
  const later = describeJob({ job: 'later' });
  await model.createJob(signJob(later), never);
  await model.endJob(later.job, 'cancelled', never);
  await until('the job to be forgotten', async () => {
    clock.advance(60_000);
    await party.facilitator.drained();
    return (await model.jobs(never)).every(({ job: name }) => name !== job.job);
  });
  await model.createJob(signJob(job), never);
  assert.equal(await scene.open(job, 1), 'opened');
  assert.deepEqual((await model.round(job.job, 1, never)).contributors, []);
  // Bytes and signature of anna's would be good again; only anna can send them.
  const bytes = vectors[0] ?? assert.fail();
  const again = contribution(signRound(describeRound(job, 1)), anna, bytes);
  for (const who of [mona, otto, identityOf(bert)]) {
    const answer = await send(party.port, signedBy(who, again, { port: party.port, now: clock.now() }));
    assert.ok(answer !== undefined);
    assert.equal(refusalIn(answer, who.name).code, 'role_forbidden');
  }
  await scene.contribute(bert, 1);
  clock.advance(30_000);
  await until('the round to be abandoned', async () => (await model.round(job.job, 1, never)).status === 'abandoned');
  assert.deepEqual(await scene.given(['job'], 1), {});
});

/** What a model owner and the owners may do, in any order. */
type Move =
  | { readonly move: 'open'; readonly roster: readonly OwnerId[]; readonly ahead: number; readonly quorum: number }
  | { readonly move: 'contribute'; readonly owner: OwnerId }
  | { readonly move: 'answer'; readonly owner: OwnerId; readonly status: 'ready' | 'withdrawn' | 'refused' }
  | { readonly move: 'wait'; readonly seconds: number }
  | { readonly move: 'end' }
  | { readonly move: 'create'; readonly job: string };

const owner = fc.constantFrom(...trio);
const moves: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      move: fc.constant('open' as const),
      roster: fc.shuffledSubarray([...trio], { minLength: 1 }),
      ahead: fc.constantFrom(1, 1, 1, 1, 1, 1, 0, 2),
      quorum: fc.constantFrom(2, 2, 2, 2, 2, 2, 1, 3),
    }),
  },
  { weight: 12, arbitrary: fc.record({ move: fc.constant('contribute' as const), owner }) },
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('answer' as const),
      owner,
      status: fc.constantFrom('ready' as const, 'withdrawn' as const, 'refused' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ move: fc.constant('wait' as const), seconds: fc.constantFrom(1, 15, 30) }) },
  { weight: 1, arbitrary: fc.constant<Move>({ move: 'end' }) },
  { weight: 2, arbitrary: fc.record({ move: fc.constant('create' as const), job: fc.constantFrom('job', 'job2') }) },
);

test('whatever is asked in whatever order, every aggregate that is given is the exact sum of two owners or more', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(moves, { minLength: 10, maxLength: 30 }), async (played) => {
      await using scene = await createScene();
      let job = 'job';
      const round = new Map<string, number>();
      for (const move of [{ move: 'create', job } as const, ...played]) {
        const present = round.get(job) ?? 0;
        const descriptor = describeJob({ job });
        try {
          if (move.move === 'create') {
            job = move.job;
            await scene.model.createJob(signJob(describeJob({ job })), never);
          } else if (move.move === 'open') {
            const { roster, quorum, ahead } = move;
            const outcome = await scene.open(descriptor, present + ahead, { roster, quorum });
            if (outcome === 'opened') round.set(job, present + ahead);
          } else if (move.move === 'contribute') {
            if (present > 0) await scene.contribute(move.owner, present, job);
          } else if (move.move === 'answer') {
            const signed = signAnswer(answerTo(descriptor, move.owner, move.status));
            await clientOf(scene.party.url, move.owner, scene.clock).answerJob(signed, never);
          } else if (move.move === 'wait') scene.clock.advance(move.seconds * 1000);
          else await scene.model.endJob(descriptor.job, 'cancelled', never);
        } catch (error) {
          // A refusal is what a hostile request deserves; anything else is not.
          assert.ok(error instanceof SealsumError && error.code !== 'internal', String(error));
        }
        const given = await scene.given(['job', 'job2'], Math.max(0, ...round.values()));
        for (const contributors of Object.values(given)) assert.ok(contributors.length >= 2);
      }
      // And whoever asks for what is right is given it, after all of that.
      const last = describeJob({ job: 'last' });
      await scene.model.createJob(signJob(last), never);
      assert.equal(await scene.open(last, 1), 'opened');
      for (const each of trio) await scene.contribute(each, 1, 'last');
      assert.deepEqual(await scene.given(['last'], 1), { 'last 1': trio });
    }),
    { numRuns: process.env.SLOW === undefined ? 12 : 300 },
  );
});

/*
 * What is not prevented. Every aggregate is of a quorum, but who is asked is for the model owner to say, and it may ask twice.
 * Sums of different owners at the same parameters differ by the vectors of those in whom they differ: here is one of them, found
 * out. Likewise a model owner that has an owner of its own on the roster knows one addend of every sum. Against both there is only
 * the noise of differential privacy, whose charge every owner adds up in its ledger, round by round, and a quorum larger than the
 * number of owners one would have to suspect.
 */
test('two sums that differ in one owner give that owner away, unless there is noise', async () => {
  await using scene = await createScene();
  const job = describeJob();
  await scene.model.createJob(signJob(job), never);
  const sumWith = async (round: number, roster: readonly OwnerId[]) => {
    assert.equal(await scene.open(job, round, { roster }), 'opened');
    for (const each of roster) await scene.contribute(each, round);
    await until('the round to close', async () => (await scene.model.round(job.job, round, never)).status === 'closed');
    return openSum(await scene.model.aggregate(job.job, round, never), roster.length);
  };
  const [all, two] = [await sumWith(1, trio), await sumWith(2, [anna, bert])];
  const difference = all.values.map((value, index) => value - (two.values[index] ?? 0n));
  assert.deepEqual(difference, vectorOf(trio.indexOf(cora)).values);
});

test.run();

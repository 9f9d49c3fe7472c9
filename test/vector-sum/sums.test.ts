/** Whole vector sums over real sockets: every width, weights, noise in its three places, and whatever is asked wrongly. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite } from 'uvu';
import type { SealsumError } from '../../src/errors.ts';
import { Client } from '../../src/vector-sum/client.ts';
import { memoryClientStore } from '../../src/vector-sum/client-store.ts';
import { Controller } from '../../src/vector-sum/controller.ts';
import type { FixedPointBits } from '../../src/vector-sum/document.ts';
import { openClientStore } from '../../src/vector-sum/open-client-store.ts';
import type { StartOptions, VectorSumJob } from '../../src/vector-sum/vector-sum-job.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { createCast, Folder, over, patience, postModel, startModelOwner, startOwner } from '../end-to-end/parties.ts';
import { createTestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';
import { setStage, small } from './stage.ts';

const test = suite('vector sums');

const vectors = [Float64Array.of(0.5, -1, 0.25), Float64Array.of(0.25, 1, -0.75), Float64Array.of(-0.125, 0.5, 1)];
const exactSum = Float64Array.of(0.625, 0.5, 0.5);

const joinAll = async (clients: readonly Client[], job: VectorSumJob): Promise<void> => {
  await Promise.all(clients.map((client) => client.join(job)));
};

/** Resolves once the controller has heard of it. */
const allAre = (job: VectorSumJob, said: string): Promise<void> =>
  until(`all owners are ${said}`, () => job.owners().every(({ status }) => status === said), patience);

for (const bits of [16, 32, 64] satisfies FixedPointBits[])
  test(`${bits} bits: several rounds of a job, each with its own sum`, async () => {
    await using stage = await setStage();
    const job = await stage.job({ length: 3, bits, bound: 1, rounds: 2 });
    await joinAll(stage.clients, job);
    for (const factor of [1, 0.5]) {
      const round = await job.startRound();
      assert.deepEqual([...round.roster].sort(), ['owner-1', 'owner-2', 'owner-3']);
      const given = vectors.map((vector) => vector.map((value) => value * factor));
      const submissions = await Promise.all(
        stage.clients.map((client, index) => client.submit(job, round, given[index] ?? [])),
      );
      assert.ok(submissions.every(({ clipped }) => !clipped));
      const { sum, mean, weight, contributors, privacy } = await round.collect();
      const expected = exactSum.map((value) => value * factor);
      assert.deepEqual(sum, expected);
      assert.equal(weight, 3);
      assert.deepEqual(
        mean,
        expected.map((value) => value / 3),
      );
      assert.deepEqual([...contributors].sort(), ['owner-1', 'owner-2', 'owner-3']);
      assert.equal(privacy.guarantee, 'no differential privacy');
      for (const client of stage.clients) assert.equal((await client.inclusion(job, round)).included, true);
      assert.deepEqual((await round.collect()).sum, sum);
    }
    await assert.rejects(job.startRound(), { code: 'privacy_invalid', field: 'rounds' });
    await job.end();
    await assert.rejects(job.startRound(), { code: 'job_ended' });
    await assert.rejects(stage.client(0).join(job), { code: 'job_ended' });
  });

test('what every owner weighs is summed too', async () => {
  await using stage = await setStage();
  const job = await stage.job({ length: 1, bits: 32, bound: 4, maxWeight: 1000 });
  await joinAll(stage.clients, job);
  const round = await job.startRound();
  await Promise.all(
    stage.clients.map((client, index) => client.submit(job, round, [index], { weight: 100 * (index + 1) })),
  );
  const { sum, mean, weight } = await round.collect();
  assert.deepEqual([sum[0], mean[0], weight], [800, 800 / 600, 600]);
});

/** σ = 1/√(2ρ) of values whose norm is 1; eight of them are passed by less than once in 10^14 draws. */
for (const place of ['model-owner', 'facilitator', 'data-owners'] as const)
  test(`noise by ${place}: it is there, no greater than it should be, and charged once`, async () => {
    await using stage = await setStage({ clientOptions: () => ({ policy: { rho_total: 100 } }) });
    const [client] = stage.clients;
    assert.ok(client !== undefined);
    const privacy = { rho: 50, place };
    const job = await stage.job({ length: 16, bits: 32, norm: 1, privacy });
    const before = await client.privacyOf(job);
    assert.ok('place' in before.statement);
    assert.deepEqual(
      [before.refused, before.quorum, before.statement.place, before.statement.unit, before.account.left?.rho.value],
      [null, 2, place, 'owner', 100],
    );
    assert.equal(before.statement.promised.rho.number, before.perRound?.rho);
    assert.ok(Math.abs((before.perRound?.rho ?? 0) - 50) < 1e-6);
    assert.ok(Math.abs(before.noiseDeviation - 0.1) < 1e-6, String(before.noiseDeviation));
    await joinAll(stage.clients, job);
    const round = await job.startRound();
    const asked = await client.privacyOf(job, round);
    assert.deepEqual([asked.round?.charged, asked.round?.asked, asked.round?.status], [false, 3, 'open']);
    const long = new Float64Array(16).fill(1);
    const submissions = await Promise.all(stage.clients.map((each) => each.submit(job, round, long)));
    // Four times as long as the job allows, which the owner alone is told.
    assert.deepEqual(
      submissions.map(({ clipped, norm }) => [clipped, norm]),
      Array(3).fill([true, 4]),
    );
    await client.submit(job, round, long);
    const { sum, privacy: spent } = await round.collect();
    const errors = [...sum].map((value) => value - 0.75);
    // Of data owners three have added shares that are sized for two.
    const deviation = place === 'data-owners' ? 0.1 * Math.sqrt(1.5) : 0.1;
    assert.ok(
      errors.every((error) => Math.abs(error) < 8 * deviation),
      errors.join(' '),
    );
    assert.ok(errors.some((error) => Math.abs(error) > deviation / 1000));
    assert.ok('spent' in spent);
    const after = await client.privacyOf(job, round);
    assert.equal(after.account.rounds, 1);
    assert.equal(after.round?.charged, true);
    assert.ok((after.account.left?.rho.value ?? 0) <= 50.000001);
    assert.ok(spent.spent.rho.number <= spent.promised.rho.number);
    assert.equal((await client.ledger()).rounds, 1);
  });

test('a round brings its owners parameters, and everybody reads the same to the last bit', async () => {
  await using stage = await setStage();
  const given = [Float64Array.of(0.1, -0, 1e300, Number.MIN_VALUE), Float64Array.of(1, 2, 3, 4)];
  const job = await stage.job({ length: 1, bits: 32, bound: 1, rounds: 2, parameters: 4 });
  assert.equal(job.sum.parameters, 4);
  await joinAll(stage.clients.slice(1), job);
  // Who has not joined does by reading.
  const joining = stage.clients[0]?.nextRound(job);
  for (const parameters of given) {
    const round = await job.startRound({ parameters });
    // What is signed is what was given, whatever becomes of the array.
    const expected = [...parameters].map((value) => value + 0);
    parameters.fill(7);
    assert.equal(await joining, 1);
    for (const client of stage.clients) {
      assert.deepEqual([...(await client.parametersOf(job, round))], expected);
      await client.submit(job, round, [0.25]);
    }
    assert.deepEqual((await round.collect()).sum, Float64Array.of(0.75));
  }
  await assert.rejects(stage.clients[0]?.parametersOf(job, 3) ?? Promise.resolve(), { code: 'round_unknown' });
});

test('parameters that do not fit the job are refused by name before anything is signed', async () => {
  await using stage = await setStage({ owners: 2 });
  const job = await stage.job({ length: 1, bits: 32, bound: 1, parameters: 2 });
  await joinAll(stage.clients, job);
  for (const [parameters, code, field] of [
    [undefined, 'plan_mismatch', 'parameters'],
    [[1], 'plan_mismatch', 'parameters'],
    [[1, 2, 3], 'plan_mismatch', 'parameters'],
    [7, 'data_invalid', 'parameters'],
    [[1, Number.NaN], 'number_not_finite', 'parameter 1'],
    [[Number.POSITIVE_INFINITY, 1], 'number_not_finite', 'parameter 0'],
    [['1', 1], 'number_not_finite', 'parameter 0'],
  ] as const)
    await assert.rejects(
      job.startRound((parameters === undefined ? {} : { parameters }) as StartOptions),
      (error: SealsumError) => error.code === code && error.field === field,
      `${code} ${field}`,
    );
  assert.equal((await job.startRound({ parameters: [1, 2] })).number, 1);
  const plain = await stage.job({ length: 1, bits: 32, bound: 1 });
  await joinAll(stage.clients, plain);
  await assert.rejects(plain.startRound({ parameters: [1] }), { code: 'plan_mismatch', field: 'parameters' });
  const round = await plain.startRound();
  assert.equal((await stage.clients[0]?.parametersOf(plain, round))?.length, 0);
  const expects = { parameters: 3 };
  await assert.rejects(stage.client(0, { expects }).join(job), { code: 'plan_mismatch', field: 'parameters' });
});

test('a round asks those who were chosen of the owners who are ready, once they are enough', async () => {
  await using stage = await setStage();
  const job = await stage.job({ length: 3, bits: 32, bound: 1, deadlineSeconds: 600 });
  const [first, second, third] = stage.clients;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await joinAll([first, second], job);
  const seen: string[][] = [];
  const choose = (ready: readonly string[]): string[] => {
    seen.push([...ready].sort());
    return ['owner-3', 'owner-1'];
  };
  const waiting = job.startRound({ leastReady: 3, choose });
  await third.join(job);
  const round = await waiting;
  assert.deepEqual(seen, [['owner-1', 'owner-2', 'owner-3']]);
  assert.deepEqual([...round.roster].sort(), ['owner-1', 'owner-3']);
  assert.equal(round.isOver(), false);
  await assert.rejects(second.submit(job, round, vectors[1] ?? []), { code: 'owner_not_on_roster' });
  await first.submit(job, round, vectors[0] ?? []);
  await third.submit(job, round, vectors[2] ?? []);
  const { sum, contributors } = await round.collect();
  assert.deepEqual([...contributors].sort(), ['owner-1', 'owner-3']);
  assert.deepEqual(sum, Float64Array.of(0.375, -0.5, 1.25));
  assert.equal(round.isOver(), true);
});

test('whoever is chosen and cannot be asked is refused by name, and so are too few', async () => {
  await using stage = await setStage();
  const job = await stage.job({ length: 3, bits: 32, bound: 1 });
  await joinAll(stage.clients, job);
  for (const [chosen, code] of [
    [['owner-1', 'owner-9'], 'owner_not_on_roster'],
    [['owner-1', 'owner-1'], 'owner_not_on_roster'],
    [['owner-1'], 'owners_too_few'],
    [[], 'owners_too_few'],
  ] as const)
    await assert.rejects(job.startRound({ choose: () => chosen }), { code, field: 'choose' });
  await assert.rejects(job.startRound({ leastReady: 4 }), { code: 'owners_too_few' });
  assert.equal((await job.startRound({ leastReady: 3 })).number, 1);
});

test('a round that could not be opened is tried again with the parameters that it was signed with', async () => {
  let broken = true;
  await using stage = await setStage({
    owners: 2,
    before: (app) => (request) => {
      const opens = request.method === 'PUT' && request.url.endsWith('/rounds/1');
      return opens && broken ? new Response('no', { status: 400 }) : app(request);
    },
  });
  const job = await stage.job({ length: 1, bits: 32, bound: 1, parameters: 1 });
  await joinAll(stage.clients, job);
  await assert.rejects(job.startRound({ parameters: [1] }), { code: 'request_failed' });
  broken = false;
  await assert.rejects(job.startRound({ parameters: [2] }), { code: 'round_conflict', field: 'parameters' });
  const round = await job.startRound({ parameters: [1] });
  assert.deepEqual(await stage.clients[0]?.parametersOf(job, round), Float64Array.of(1));
});

test('a round closes with the quorum at its deadline, and who missed it joins again', async () => {
  const clock = createTestClock();
  await using stage = await setStage({ clock });
  const [first, second, third] = stage.clients;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const job = await stage.job({ deadlineSeconds: 600, length: 3, bits: 32, bound: 1, rounds: 3 });
  await joinAll(stage.clients, job);
  const one = await job.startRound();
  await assert.rejects(job.startRound(), { code: 'round_open' });
  await first.submit(job, one, vectors[0] ?? []);
  await second.submit(job, one, vectors[1] ?? []);
  clock.advance(600_000);
  const { sum, contributors } = await one.collect();
  assert.deepEqual([...contributors].sort(), ['owner-1', 'owner-2']);
  assert.deepEqual(sum, Float64Array.of(0.75, 0, -0.5));
  await assert.rejects(third.submit(job, one, vectors[2] ?? []), { code: 'round_closed' });
  // Submitting has told that it is here again.
  await allAre(job, 'ready');
  const two = await job.startRound();
  assert.equal(two.roster.length, 3);
  await first.submit(job, two, vectors[0] ?? []);
  clock.advance(600_000);
  await assert.rejects(two.collect(), { code: 'round_abandoned', message: /missing owner-2, owner-3$/ });
  await assert.rejects(third.submit(job, two, vectors[2] ?? []), { code: 'round_abandoned' });
  await second.join(job);
  await allAre(job, 'ready');
  const three = await job.startRound();
  await Promise.all(stage.clients.map((client, index) => client.submit(job, three, vectors[index] ?? [])));
  assert.deepEqual((await three.collect()).sum, exactSum);
});

test('without a quorum of owners a round does not begin, and the controller reads why', async () => {
  await using stage = await setStage({
    clientOptions: (index) => (index === 0 ? {} : { policy: { least_quorum: 3 } }),
  });
  const job = await stage.job({ length: 3, bits: 32, bound: 1 });
  const [first, ...others] = stage.clients;
  await first?.join(job);
  for (const client of others)
    await assert.rejects(client.join(job), { code: 'policy_refused', field: 'policy.least_quorum' });
  await assert.rejects(job.startRound(), {
    code: 'owners_too_few',
    message: /owner-2 refused: policy.least_quorum: the job has a quorum of 2; this owner wants at least 3/,
  });
});

test('what is not as the job has it is refused by name, and the round goes on', async () => {
  await using stage = await setStage();
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  const job = await stage.job({ length: 3, bits: 32, bound: 1 });
  await joinAll(stage.clients, job);
  await assert.rejects(client.submit(job, 1, vectors[0] ?? []), { code: 'round_unknown' });
  const round = await job.startRound();
  for (const length of [0, 2, 4])
    await assert.rejects(client.submit(job, round, new Float64Array(length)), {
      code: 'plan_mismatch',
      field: 'length',
    });
  await assert.rejects(client.submit(job, round, [0, Number.NaN, 0]), { code: 'number_not_finite', field: 'value 1' });
  await assert.rejects(client.submit(job, round, [0, 0, 1.5]), { code: 'number_out_of_bounds', field: 'value 2' });
  await assert.rejects(client.submit(job, round, vectors[0] ?? [], { weight: 2 }), { field: 'weight' });
  await assert.rejects(client.submit(job, round, vectors[0] ?? [], { expects: { bits: 64 } }), {
    code: 'plan_mismatch',
    field: 'bits',
    message: 'bits: this client is made for 64, the job has 32',
  });
  await assert.rejects(client.submit(job, round, vectors[0] ?? [], { expects: { norm: 1 } }), { field: 'norm' });
  await assert.rejects(client.submit(job, 2, vectors[0] ?? []), { code: 'round_unknown' });
  await assert.rejects(client.submit(job, 0, vectors[0] ?? []), { code: 'round_unknown' });
  await assert.rejects(client.submit('no-such-job', 1, vectors[0] ?? []), { code: 'job_unknown' });
  await assert.rejects(client.submit('../jobs', 1, vectors[0] ?? []), { code: 'message_invalid', field: 'job' });
  assert.equal((await client.ledger()).rounds, 0);
  await Promise.all(stage.clients.map((each, index) => each.submit(job, round, vectors[index] ?? [])));
  assert.deepEqual((await round.collect()).sum, exactSum);
});

test('a client refuses a job that it is not made for before it says that it is ready', async () => {
  await using stage = await setStage();
  const job = await stage.job({ length: 3, bits: 16, bound: 1 });
  for (const [index, expects] of [{ bits: 32 }, { length: 4 }, { bound: 2 }].entries()) {
    const client = stage.client(index, { expects: expects as { bits?: 32 } });
    await assert.rejects(client.join(job), { code: 'plan_mismatch', field: Object.keys(expects)[0] });
    // It is the same ever after for this job.
    await assert.rejects(client.submit(job, 1, [0, 0, 0]), { code: 'plan_mismatch' });
  }
  await allAre(job, 'refused');
});

test('a job that is weaker than the caps is refused before anything is charged or sent', async () => {
  await using stage = await setStage();
  const privacy = { rho: 2, place: 'facilitator' } as const;
  const job = await stage.job({ length: 3, bits: 32, norm: 1, rounds: 4, privacy });
  for (const [policy, field] of [
    [{ rho_per_round: 0.4 }, 'policy.rho_per_round'],
    [{ rho_total: 1.9 }, 'policy.rho_total'],
    [{ epsilon: 1, delta: 1e-6 }, 'policy.epsilon'],
    [{ places: ['data-owners'] }, 'policy.places'],
    [{ neighbours: ['substitution'] }, 'policy.neighbours'],
    [{ least_quorum: 3 }, 'policy.least_quorum'],
    [{ model_owners: ['somebody'] }, 'policy.model_owners'],
  ] as const) {
    const store = memoryClientStore();
    const client = stage.client(0, { store, policy: policy as object });
    const { refused } = await client.privacyOf(job);
    assert.equal(refused?.code, 'policy_refused');
    assert.equal(refused.field, field);
    await assert.rejects(client.submit(job, 1, vectors[0] ?? []), { code: 'policy_refused', field });
    assert.deepEqual(await store.ledger.entries(), []);
    assert.deepEqual(await store.jobs.receipts(job.id), []);
  }
  const open = await stage.job({ length: 3, bits: 32, bound: 1 });
  const wary = stage.client(1, { policy: { require_privacy: true } });
  assert.equal((await wary.privacyOf(open)).refused?.field, 'policy.require_privacy');
  await assert.rejects(wary.join(open), { code: 'policy_refused', field: 'policy.require_privacy' });
});

test('a policy that makes no sense is refused when the client is made', async () => {
  await using stage = await setStage();
  for (const [policy, field] of [
    [{ rho_total: -1 }, 'policy.rho_total'],
    [{ epsilon: 1 }, 'policy.delta'],
    [{ rho_totl: 1 }, 'rho_totl'],
    [{ places: [] }, 'policy.places'],
  ] as const)
    assert.throws(
      () => stage.client(0, { policy: policy as object }),
      (error: SealsumError) => error.field === field,
    );
});

test('caps hold over jobs: what one has spent is not there for the next', async () => {
  await using stage = await setStage({ clientOptions: () => ({ policy: { rho_total: 1.5 } }) });
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  const options = { length: 3, bits: 32, norm: 2, privacy: { rho: 1 } } as const;
  const job = await stage.job(options);
  await joinAll(stage.clients, job);
  const round = await job.startRound();
  await Promise.all(stage.clients.map((each, index) => each.submit(job, round, vectors[index] ?? [])));
  await round.collect();
  const next = await stage.job(options);
  const { refused, account } = await client.privacyOf(next);
  assert.equal(refused?.field, 'policy.rho_total');
  assert.ok(Math.abs((account.left?.rho.value ?? 0) - 0.5) < 1e-6);
  await assert.rejects(client.join(next), { code: 'policy_refused', field: 'policy.rho_total' });
  // Other data have an account of their own.
  const store = memoryClientStore();
  assert.equal((await stage.client(0, { store, dataset: 'others' }).privacyOf(next)).refused, null);
});

test('two jobs that were joined before either was charged spend no more than the cap together', async () => {
  await using stage = await setStage({ owners: 2, clientOptions: () => ({ policy: { rho_total: 1.5 } }) });
  const options = { length: 1, bits: 32, norm: 1, privacy: { rho: 1 } } as const;
  const jobs = [await stage.job(options), await stage.job(options)];
  const rounds = [];
  for (const job of jobs) {
    await joinAll(stage.clients, job);
    rounds.push(await job.startRound());
  }
  const [client] = stage.clients;
  const [one, two] = jobs;
  const [first, second] = rounds;
  assert.ok(client !== undefined && one !== undefined && two !== undefined);
  assert.ok(first !== undefined && second !== undefined);
  await client.submit(one, first, [1]);
  assert.equal((await client.privacyOf(two, second)).refused?.field, 'policy.rho_total');
  await assert.rejects(client.submit(two, second, [1]), { code: 'policy_refused', field: 'policy.rho_total' });
  assert.equal((await client.ledger()).rounds, 1);
  // It takes no further part, and the controller reads why.
  await assert.rejects(second.collect(), { code: 'round_abandoned' });
  await until('the controller has heard of it', () => two.owners()[0]?.status === 'withdrawn', patience);
  assert.match(two.owners()[0]?.reason ?? '', /^policy.rho_total: /);
});

test('a vector that is given twice is sent once, and another one is refused', async () => {
  let puts = 0;
  await using stage = await setStage({
    before: (app) => (request) => {
      if (request.method === 'PUT' && request.url.includes('/contributions/')) puts += 1;
      return app(request);
    },
  });
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  const job = await stage.job({ length: 3, bits: 32, bound: 1 });
  await joinAll(stage.clients, job);
  const round = await job.startRound();
  const [vector = new Float64Array(3)] = vectors;
  const submissions = await Promise.all([1, 2, 3].map(() => client.submit(job, round, vector)));
  assert.equal(puts, 1);
  for (const submission of submissions) assert.deepEqual(submission, submissions[0]);
  await assert.rejects(client.submit(job, round, [0, 0, 0]), { code: 'contribution_conflict', field: 'vector' });
  // One that has lost its memory cannot contribute anew.
  await assert.rejects(stage.client(0).submit(job, round, vector), { code: 'contribution_conflict' });
  assert.equal((await client.ledger()).rounds, 1);
  await stage.clients[1]?.submit(job, round, vector);
  await stage.clients[2]?.submit(job, round, vector);
  assert.deepEqual(
    (await round.collect()).sum,
    vector.map((value) => 3 * value),
  );
  await job.end();
  assert.deepEqual(await client.submit(job, round, vector), submissions[0]);
});

test('what was kept when the line broke is sent again byte for byte after a restart, for the same charge', async () => {
  await using folder = await Folder.create();
  const sent: string[] = [];
  let broken = true;
  await using stage = await setStage({
    before: (app) => async (request) => {
      if (!request.url.includes('/contributions/owner-1')) return app(request);
      sent.push(Buffer.from(await request.clone().arrayBuffer()).toString('hex'));
      return broken ? new Response('no', { status: 502 }) : app(request);
    },
  });
  const [identity] = stage.cast.owners;
  assert.ok(identity !== undefined);
  const path = join(folder.path, 'client.sqlite');
  const job = await stage.job({ length: 3, bits: 64, norm: 1, privacy: { rho: 1 } });
  await joinAll(stage.clients.slice(1), job);
  let round: number;
  {
    await using store = await openClientStore(path, identity);
    await using client = stage.client(0, { store, patience: 0 });
    await client.join(job);
    ({ number: round } = await job.startRound());
    await assert.rejects(client.submit(job, round, vectors[0] ?? []), { code: 'request_failed' });
  }
  broken = false;
  await using store = await openClientStore(path, identity);
  await using client = stage.client(0, { store, patience: 0 });
  const { receipt } = await client.submit(job, round, vectors[0] ?? []);
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
  assert.equal((await store.ledger.entries()).length, 1);
  assert.deepEqual(await store.jobs.receipts(job.id), [receipt]);
});

test('a client waits for the round that asks it', async () => {
  await using stage = await setStage();
  const job = await stage.job({ length: 3, bits: 32, bound: 1, rounds: 2 });
  const contributing = stage.clients.map(async (client, index) => {
    let after = 0;
    for (let count = 0; count < 2; count += 1) {
      after = await client.nextRound(job.id, { after });
      await client.submit(job.id, after, vectors[index] ?? []);
    }
    await assert.rejects(client.nextRound(job.id, { after }), { code: 'job_ended' });
  });
  for (let count = 0; count < 2; count += 1) {
    const round = await job.startRound();
    assert.deepEqual((await round.collect()).sum, exactSum);
  }
  const stop = new AbortController();
  const waiting = stage.clients[0]?.nextRound(job, { after: 2, signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting ?? Promise.resolve(), { code: 'aborted' });
  await job.end();
  await Promise.all(contributing);
});

test('who waits for a round may stop, and ask again', async () => {
  await using stage = await setStage({ owners: 2 });
  const job = await stage.job({ length: 3, bits: 32, bound: 1 });
  await joinAll(stage.clients, job);
  const round = await job.startRound();
  await assert.rejects(round.collect({ signal: AbortSignal.timeout(50) }), { code: 'aborted' });
  await Promise.all(stage.clients.map((client, index) => client.submit(job, round, vectors[index] ?? [])));
  assert.equal((await round.collect()).contributors.length, 2);
});

test('a data owner process has no vector to give, and a client no records', async () => {
  const sample = linearSample(12);
  await using folder = await Folder.create();
  await using stage = await setStage({ owners: 2 });
  const { cast, facilitator, clients } = stage;
  const data = await folder.write('owner-1.csv', dealtOut(sample, 1)[0] ?? '');
  await using owner = await startOwner({ cast, name: 'owner-1', facilitator: facilitator.url, data });
  const job = await stage.job({ length: 3, bits: 32, bound: 1 });
  assert.ok(owner.dataOwner.connected());
  await clients[1]?.join(job);
  await assert.rejects(job.startRound(), {
    code: 'owners_too_few',
    message: /owner-1 refused: the job sums vectors, which programs give .* and no vector/,
  });
  await using modelOwner = await startModelOwner(cast, facilitator.url);
  const id = await postModel(modelOwner, {
    ...sample.document,
    encryption: { key_bits: 2048 },
    participation: { deadline_seconds: 600 },
  });
  const isProposed = async (): Promise<boolean> => ((await clients[1]?.jobs()) ?? []).some((each) => each.job === id);
  await until('the training is proposed', isProposed, patience);
  await assert.rejects(clients[1]?.join(id) ?? Promise.resolve(), { code: 'model_invalid', field: 'model_type' });
  assert.equal((await over(modelOwner, id)).failure?.code, 'owners_too_few');
});

test('a controller and a client say at once what is wrong with what they are given', async () => {
  await using stage = await setStage();
  const { cast, facilitator, controller } = stage;
  const shared = { facilitator: facilitator.url, parties: cast.parties };
  const [owner] = cast.owners;
  assert.ok(owner !== undefined);
  await assert.rejects(Controller.create({ ...shared, identity: owner }), { code: 'role_forbidden' });
  const store = memoryClientStore();
  assert.throws(() => new Client({ ...shared, identity: cast.modelOwner, store }), { code: 'role_forbidden' });
  assert.throws(() => new Client({ ...shared, facilitator: 'sums', identity: owner, store }), {
    code: 'config_invalid',
    field: 'facilitator',
  });
  assert.throws(() => new Client({ ...shared, identity: owner, store, facilitatorName: 'nobody' }), {
    code: 'party_unknown',
  });
  const gone = 'http://127.0.0.1:9';
  const identity = cast.modelOwner;
  await assert.rejects(Controller.create({ ...shared, facilitator: gone, identity, patience: 0 }), {
    code: 'facilitator_unreachable',
  });
  const strange = createCast(1).parties;
  await assert.rejects(Controller.create({ ...shared, parties: strange, identity, facilitatorName: 'owner-1' }), {
    code: 'role_forbidden',
  });
  const fine = { ...small, length: 3, bits: 32, bound: 1 } as const;
  for (const [options, code, field] of [
    [{ ...fine, length: 0 }, 'model_invalid', 'length'],
    [{ ...fine, bits: 8 }, 'model_invalid', 'bits'],
    [{ ...fine, quorum: 1 }, 'model_invalid', 'participation.quorum'],
    [{ ...fine, quorum: 4 }, 'owners_too_few', 'roster'],
    [{ ...fine, privacy: { rho: 1 } }, 'model_invalid', 'bound'],
    [{ ...fine, keyBits: 1024 }, 'model_invalid', 'encryption.key_bits'],
    [{ ...fine, roster: ['owner-1', 'nobody'] }, 'party_unknown', 'party'],
    [{ ...fine, roster: ['owner-1', 'facilitator'] }, 'role_forbidden', 'party'],
    [{ ...fine, id: 'a/b' }, 'message_invalid', 'id'],
  ] as const)
    await assert.rejects(
      controller.createJob(options as unknown as typeof fine),
      (error: SealsumError) => error.code === code && error.field === field,
      `${code} ${field}`,
    );
});

test.run();

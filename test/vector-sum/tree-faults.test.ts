/** What goes wrong in a tree of facilitators without anybody's lying: silence, death, and too few to begin with. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { sha256 } from '../../src/protocol/manifest.ts';
import type { SumRound } from '../../src/vector-sum/vector-sum-job.ts';
import { clientOf } from '../end-to-end/parties.ts';
import { createTestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';
import { setTreeStage, type TreeStage } from './tree-stage.ts';

const test = suite('faults in a tree of facilitators');
const never = new AbortController().signal;
const vector = [1, 2, 3];
const times = (count: number): number[] => vector.map((value) => value * count);

/** Everybody contributes but those of the groups that `silent` says, as many of each. */
async function submit(stage: TreeStage, job: string, round: SumRound, silent: (facilitator: string) => number) {
  const asked = round.groups.flatMap(({ facilitator, roster }) => roster.slice(silent(facilitator)));
  const clients = stage.clients.filter(({ owner }) => asked.includes(owner));
  await Promise.all(clients.map((client) => client.submit(job, round, vector)));
  return clients;
}

const statusAt = async (stage: TreeStage, name: string, job: string, round: number): Promise<string> =>
  (await clientOf(stage.cast.modelOwner, stage.urls[name] ?? '').round(job as never, round, never)).status;

test('a silent owner is left out, a group without its quorum is lost by name, and both are asked again once they are back', async () => {
  const clock = createTestClock(Date.now());
  await using stage = await setTreeStage({ owners: 9, below: ['north', 'south', 'west'], clock });
  const job = await stage.job({ rounds: 2, quorum: 4 });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  await submit(stage, job.id, round, (name) => ({ north: 1, south: 2 })[name] ?? 0);
  clock.advance(60_000);
  const { sum, contributors, lostGroups } = await round.collect();
  assert.deepEqual([...sum], times(5));
  assert.equal(contributors.length, 5);
  assert.deepEqual(
    lostGroups.map(({ facilitator }) => facilitator),
    ['south'],
  );
  assert.equal(await statusAt(stage, 'south', job.id, 1), 'abandoned');
  // The three who were silent are absent, and not the one who contributed to a group that was lost.
  const absent = job.owners().filter(({ status }) => status === 'absent');
  assert.equal(absent.length, 3);
  await Promise.all(stage.clients.map((client) => client.join(job)));
  await until('all are ready again', () => job.owners().every(({ status }) => status === 'ready'));
  const next = await job.startRound();
  assert.equal(next.roster.length, 9);
  await submit(stage, job.id, next, () => 0);
  assert.deepEqual([...(await next.collect()).sum], times(9));
});

test('a leaf that dies costs its group and no more; without the quorum of owners the round is abandoned, naming it', async () => {
  const clock = createTestClock(Date.now());
  await using stage = await setTreeStage({ owners: 6, below: ['north', 'south'], clock });
  const job = await stage.job({ rounds: 3, quorum: 3 });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  await stage.stop('south');
  await submit(stage, job.id, round, (name) => (name === 'south' ? 3 : 0));
  await until('north has given its part', async () => {
    const { contributors } = await clientOf(stage.cast.modelOwner, stage.urls.facilitator ?? '').round(
      job.id,
      1,
      never,
    );
    return contributors.length === 1;
  });
  clock.advance(120_000);
  const { sum, lostGroups } = await round.collect();
  assert.deepEqual([...sum], times(3));
  assert.deepEqual(
    lostGroups.map(({ facilitator }) => facilitator),
    ['south'],
  );
  // It is not there, so nobody is drawn into a group of it.
  const next = await job.startRound();
  assert.deepEqual(
    next.groups.map(({ facilitator, roster }) => [facilitator, roster.length]),
    [['north', 6]],
  );
  await submit(stage, job.id, next, () => 4);
  clock.advance(60_000);
  await assert.rejects(next.collect(), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'round_abandoned');
    assert.match(error.message, /2 of at least 3 owners are in it/);
    return true;
  });
  await stage.start('south');
  await Promise.all(stage.clients.map((client) => client.join(job)));
  await until('all are ready again', () => job.owners().every(({ status }) => status === 'ready'));
  const last = await job.startRound();
  assert.equal(last.groups.length, 2);
  await submit(stage, job.id, last, () => 0);
  assert.deepEqual([...(await last.collect()).sum], times(6));
});

test('a leaf that dies before its parent has answered gives the same bytes when it is back, and the receipt is kept', async () => {
  const sent: string[] = [];
  let isDeaf = true;
  await using stage = await setTreeStage({
    owners: 4,
    below: ['north', 'south'],
    before: (name) => (app) => async (request) => {
      if (name !== 'facilitator' || !request.url.endsWith('/contributions/south')) return app(request);
      const body = Buffer.from(await request.arrayBuffer());
      sent.push(sha256(body));
      if (isDeaf) return new Response(null, { status: 503 });
      return app(new Request(request.url, { method: request.method, headers: request.headers, body }));
    },
  });
  const job = await stage.job({ groups: { size: 2 } });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  await submit(stage, job.id, round, () => 0);
  await until('the leaf has sent its part', () => sent.length > 0);
  await stage.stop('south');
  const before = sent.length;
  isDeaf = false;
  await stage.start('south');
  assert.deepEqual([...(await round.collect()).sum], times(4));
  assert.ok(sent.length > before);
  assert.equal(new Set(sent).size, 1);
  // It knows that its parent has it, and sends nothing once more.
  const { length } = sent;
  await until('the receipt is kept', async () => {
    const rows = await stage
      .facilitator('south')
      .database.read((session) =>
        session.rows.selectFrom('blocks').select('series').where('series', '=', 'receipt').execute(),
      );
    return rows.length === 1;
  });
  await stage.stop('south');
  await stage.start('south');
  assert.equal(await statusAt(stage, 'south', job.id, 1), 'closed');
  assert.equal(sent.length, length);
});

test('three levels: what two facilitators fold is folded by a third, and noise is added once, at the root', async () => {
  await using stage = await setTreeStage({ owners: 6, below: ['middle', 'north', 'south', 'west'] });
  const below = [{ facilitator: 'middle', below: ['north', 'south'] }, 'west'];
  const job = await stage.job({ groups: { size: 2, below } });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  assert.deepEqual(round.groups.map(({ facilitator }) => facilitator).sort(), ['north', 'south', 'west']);
  await submit(stage, job.id, round, () => 0);
  const { sum, manifest } = await round.collect();
  assert.deepEqual([...sum], times(6));
  assert.deepEqual(manifest.manifest.contributions.map(({ owner }) => owner).sort(), ['middle', 'west']);
  await job.end();

  const hidden = await stage.controller.createJob({
    length: 400,
    bits: 32,
    norm: 1,
    keyBits: 2048,
    deadlineSeconds: 60,
    quorum: 6,
    groups: { size: 2, below },
    privacy: { rho: 0.5, place: 'facilitator' },
  });
  await Promise.all(stage.clients.map((client) => client.join(hidden)));
  const noisy = await hidden.startRound();
  await Promise.all(stage.clients.map((client) => client.submit(hidden, noisy, new Float64Array(400))));
  const { sum: noise } = await noisy.collect();
  // σ = 1 in 400 draws: the sample variance is 1 ± 0.071, so that beyond ±0.42 it is once in a hundred million. Noise of every
  // facilitator would make it 5, of the leaves 3.
  const variance = noise.reduce((total, value) => total + value * value, 0) / noise.length;
  assert.ok(Math.abs(variance - 1) < 0.42, `${variance}`);
  for (const client of stage.clients) assert.equal((await client.ledger()).rounds, 2);
});

test('a job starts when as many are ready as it says, tells of each, and names who is missing when they do not come', async () => {
  await using stage = await setTreeStage({ owners: 6, below: ['north', 'south'] });
  const job = await stage.job({
    targetOwners: 4,
    groups: { size: 2, below: ['north', 'south'] },
    roster: names(stage, 5),
  });
  const told: string[] = [];
  const starting = job.startRound({ onReady: (ready, target) => told.push(`${ready}/${target}`) });
  for (const client of stage.clients.slice(0, 4)) {
    await client.join(job);
    await until(`${client.owner} is ready`, () =>
      job.owners().some(({ owner, status }) => owner === client.owner && status === 'ready'),
    );
  }
  const round = await starting;
  assert.equal(round.roster.length, 4);
  assert.equal(told.at(-1), '4/4');
  assert.deepEqual([...told].sort(), told);
  await submit(stage, job.id, round, () => 0);
  assert.deepEqual([...(await round.collect()).sum], times(4));
  await job.end();

  const waiting = await stage.job({ targetOwners: 5, deadlineSeconds: 0.5 });
  await Promise.all(stage.clients.slice(0, 3).map((client) => client.join(waiting)));
  await assert.rejects(waiting.startRound(), (error: { code: string; field: string; message: string }) => {
    assert.equal(error.code, 'owners_too_few');
    assert.equal(error.field, 'participation.target_owners');
    assert.match(error.message, /3 of 6 data owners are ready and the job starts with 5 \(owner-4 has not answered/);
    return true;
  });
});

const names = (stage: TreeStage, count: number): string[] => stage.clients.slice(0, count).map(({ owner }) => owner);

test('what makes no tree is refused by its field before anybody hears of it', async () => {
  await using stage = await setTreeStage({ owners: 6, below: ['north', 'south'] });
  for (const [field, options] of [
    ['groups.size', { groups: { size: 1 } }],
    ['groups.size', { groups: { size: 7 } }],
    ['groups.size', { groups: { size: 2, below: ['north'] } }],
    ['groups.least', { groups: { size: 3, least: 1 } }],
    ['groups.least', { groups: { size: 3, least: 3 } }],
    ['groups.below', { groups: { size: 3, below: [] } }],
    ['groups.below', { groups: { size: 6, below: ['nobody'] } }],
    ['groups.below', { groups: { size: 3, below: ['north', 'north'] } }],
    ['groups.below', { groups: { size: 6, below: ['facilitator'] } }],
    ['groups.below', { groups: { size: 6, below: [{ facilitator: 'north', below: ['north'] }] } }],
  ] as const)
    await assert.rejects(stage.job(options), { code: 'config_invalid', field }, JSON.stringify(options));
  await assert.rejects(stage.job({ targetOwners: 1 }), { code: 'model_invalid', field: 'participation.target_owners' });
  await assert.rejects(stage.job({ targetOwners: 7 }), { code: 'owners_too_few', field: 'roster' });
  for (const name of ['facilitator', 'north', 'south'])
    assert.deepEqual(await clientOf(stage.cast.modelOwner, stage.urls[name] ?? '').jobs(never), []);
  assert.throws(() => stage.client(0, { facilitators: { nobody: 'http://127.0.0.1:1' } }), { code: 'party_unknown' });
  assert.throws(() => stage.client(0, { facilitators: { north: 'ftp://127.0.0.1' } }), {
    code: 'config_invalid',
    field: 'facilitators.north',
  });
  // An owner that cannot reach every leaf might be drawn into a group of it: it refuses, before anything is charged.
  const job = await stage.job();
  const near = stage.client(0, { facilitators: { north: stage.urls.north ?? '' } });
  await assert.rejects(near.join(job), { code: 'job_conflict', field: 'tree', message: /no address of south/ });
});

test('a facilitator that may not contribute to its parent takes no job in which it would', async () => {
  await using stage = await setTreeStage({ owners: 4, below: ['north', 'south'], alone: 'south' });
  await assert.rejects(stage.job({ groups: { size: 2 } }), {
    code: 'config_invalid',
    field: 'descriptor.tree',
    message: /the job has facilitator fold what south releases/,
  });
  const south = clientOf(stage.cast.modelOwner, stage.urls.south ?? '');
  assert.deepEqual(await south.jobs(never), []);
});

test.run();

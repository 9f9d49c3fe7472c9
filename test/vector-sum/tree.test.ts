/** Groups of owners, folded by a tree of facilitators over real sockets: the sum is the plain one, and nobody sees a part of it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { ownersIn } from '../../src/protocol/manifest.ts';
import type { SumRound, VectorSumJob } from '../../src/vector-sum/vector-sum-job.ts';
import { clientOf } from '../end-to-end/parties.ts';
import { setTreeStage, type TreeStage } from './tree-stage.ts';

const test = suite('a tree of facilitators');
const never = new AbortController().signal;

const vectorOf = (index: number): Float64Array => Float64Array.of(index + 1, -index, 0.5 * index);

function plainSum(indices: readonly number[]): number[] {
  return [0, 1, 2].map((at) => indices.reduce((total, index) => total + (vectorOf(index)[at] ?? 0), 0));
}

async function join(stage: TreeStage, job: VectorSumJob): Promise<void> {
  await Promise.all(stage.clients.map((client) => client.join(job)));
}

async function submitAll(stage: TreeStage, job: VectorSumJob, round: SumRound): Promise<void> {
  await Promise.all(stage.clients.map((client, index) => client.submit(job, round, vectorOf(index))));
}

test('nine owners in three groups: two rounds equal the plain sum, drawn anew, each owner in one group', async () => {
  await using stage = await setTreeStage({ owners: 9, below: ['north', 'south', 'west'] });
  const job = await stage.job({ rounds: 2 });
  await join(stage, job);
  const drawn: string[] = [];
  for (const number of [1, 2]) {
    const round = await job.startRound();
    assert.deepEqual(round.groups.map(({ facilitator }) => facilitator).sort(), ['north', 'south', 'west']);
    assert.deepEqual(
      round.groups.map(({ roster }) => roster.length),
      [3, 3, 3],
    );
    assert.deepEqual(
      round.groups.flatMap(({ roster }) => roster).sort(),
      stage.clients.map(({ owner }) => owner),
    );
    drawn.push(JSON.stringify(round.groups));
    await submitAll(stage, job, round);
    const { sum, contributors, manifest, lostGroups } = await round.collect();
    assert.deepEqual([...sum], plainSum([...Array(9).keys()]));
    assert.deepEqual(
      [...contributors].sort(),
      stage.clients.map(({ owner }) => owner),
    );
    assert.deepEqual(manifest.manifest.contributions.map(({ owner }) => owner).sort(), ['north', 'south', 'west']);
    assert.equal(ownersIn(manifest.manifest.contributions).length, 9);
    assert.deepEqual(lostGroups, []);
    for (const client of stage.clients) {
      const { included, receipt, reason } = await client.inclusion(job, number);
      assert.equal(included, true, reason);
      assert.notEqual(receipt?.signature.party, 'facilitator');
    }
  }
  // Alike by chance once in 9!/(3!)^3 · 6 orders of names: one in ten thousand times ten thousand.
  assert.notEqual(drawn[0], drawn[1]);
});

test('a part is nobody’s but the parent’s: the model owner cannot fetch it', async () => {
  await using stage = await setTreeStage({ owners: 4, below: ['north', 'south'] });
  const job = await stage.job({ groups: { size: 2 } });
  await join(stage, job);
  const round = await job.startRound();
  await submitAll(stage, job, round);
  assert.deepEqual([...(await round.collect()).sum], plainSum([0, 1, 2, 3]));
  for (const [name, code] of [
    ['north', 'role_forbidden'],
    ['south', 'role_forbidden'],
    ['facilitator', undefined],
  ] as const) {
    const asked = clientOf(stage.cast.modelOwner, stage.urls[name] ?? '').aggregate(job.id, 1, never);
    if (code === undefined) assert.ok((await asked).length > 0);
    else await assert.rejects(asked, { code });
  }
  // Nor does another facilitator, or an owner, get any.
  const south = clientOf(stage.identity('south'), stage.urls.north ?? '');
  await assert.rejects(south.aggregate(job.id, 1, never), { code: 'job_unknown' });
});

test.run();

/** A model owner that dies at any place goes on when it lives again: nothing is lost, nothing is counted twice. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type ModelOwnerCheckpoint, modelOwnerCheckpoints } from '../../../parties/model-owner/checkpoints.ts';
import { readAuditLog } from '../../../src/storage/audit-log.ts';
import type { ModelRecord } from '../../../src/storage/model-store.ts';
import { linearSample } from '../../end-to-end/data.ts';
import { until, within } from '../../support/until.ts';
import { newWorlds, patience, sharedKey, type World } from './lives.ts';

const test = suite('a model owner that is stopped and started');

const sample = linearSample(30);
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 600 } };
// With everything that a trainer has to remember.
const options = { l1: 0.001, freeze: ['visits'], validation: { fraction: 0.3 } };
const training = { solver: 'gradient', rounds: 2, learning_rate: 0.1, ...options };
const document = { ...sample.document, ...settings, training };

async function undisturbed(): Promise<ModelRecord> {
  const world = await newWorld();
  const { id } = await world.live().modelOwner.train(document);
  return world.ended(id);
}

const newWorld = newWorlds(await sharedKey(), document, sample);

const expected = await undisturbed();
assert.equal(expected.status, 'finished', expected.failure?.detail);
assert.ok(expected.metrics?.validation_loss !== undefined && expected.keptUpdate !== undefined);

/** Everything that must be the same as if nothing had happened. */
async function requireWhole(world: World, id: string): Promise<void> {
  const record = await world.ended(id);
  assert.equal(record.status, 'finished', record.failure?.detail);
  assert.deepEqual(
    Buffer.from(Float64Array.from(record.parameters ?? []).buffer),
    Buffer.from(Float64Array.from(expected.parameters ?? []).buffer),
  );
  assert.equal(record.updates, 2);
  assert.deepEqual([record.metrics, record.keptUpdate], [expected.metrics, expected.keptUpdate]);
  const rounds = await world.store.rounds(id);
  assert.deepEqual(
    rounds.map(({ round, contributors }) => [round, contributors]),
    [
      [1, 3],
      [2, 3],
      [3, 3],
    ],
  );
  const events = await world.store.events(id, 0, 1000);
  assert.deepEqual(
    events.map((event) => event.id),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual(
    events.filter(({ type }) => type !== 'status').map(({ type, round }) => round?.round ?? type),
    [1, 2, 3, 'finished'],
  );
  assert.equal(world.consortium.rounds(id).length, 3);
  assert.equal(world.consortium.job(id)?.status, 'finished');
}

/** The id of the only model. */
async function onlyModel({ store }: World): Promise<string> {
  const [record, ...others] = await store.list();
  assert.ok(record !== undefined && others.length === 0);
  return record.id;
}

const onTheWay = modelOwnerCheckpoints.filter((place) => !/\.(start\.checked|resume\.|removal\.)/.test(place));

for (const place of onTheWay)
  test(`dies at ${place}`, async () => {
    const world = await newWorld();
    const first = world.live({ deadAt: { place } });
    await first.modelOwner.train(document).catch(() => undefined);
    await within(place, first.died, patience);
    const id = await onlyModel(world);
    const second = world.live();
    await second.modelOwner.start();
    await requireWhole(world, id);
  });

test('dies before anything is kept: nothing was promised', async () => {
  const world = await newWorld();
  await assert.rejects(world.live({ deadAt: { place: 'model-owner.start.checked' } }).modelOwner.train(document));
  assert.deepEqual(await world.store.list(), []);
});

for (const place of modelOwnerCheckpoints.filter((each) => each.startsWith('model-owner.resume.')))
  test(`dies again at ${place}`, async () => {
    const world = await newWorld();
    const first = world.live({ deadAt: { place: 'model-owner.round.sent', count: 2 } });
    const { id } = await first.modelOwner.train(document);
    await within('the first death', first.died, patience);
    const second = world.live({ deadAt: { place } });
    await second.modelOwner.start();
    await within(place, second.died, patience);
    await world.live().modelOwner.start();
    await requireWhole(world, id);
  });

test('is stopped while it opens a sum: nothing is refused, and the sum is opened by the next life', async () => {
  const world = await newWorld();
  const first = world.live({ parkAt: 'model-owner.opening.committed' });
  const { id } = await first.modelOwner.train(document);
  await until('the sum is about to be opened', () => first.reached.includes('model-owner.opening.committed'), patience);
  await first.modelOwner.idle();
  assert.ok(!first.reached.includes('model-owner.sum.decrypted'));
  const entries = await readAuditLog(world.database, 0, 1000);
  assert.ok(!entries.some(({ body }) => body.type === 'sum.refused'));
  await world.live().modelOwner.start();
  await requireWhole(world, id);
});

test('dies anywhere, again and again', async () => {
  const death = fc.record({
    place: fc.constantFrom<ModelOwnerCheckpoint>(...onTheWay),
    count: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(death, { minLength: 2, maxLength: 5 }), async (deaths) => {
      const world = await newWorld();
      let id: string | undefined;
      for (const deadAt of deaths) {
        const life = world.live({ deadAt });
        if (id === undefined) await life.modelOwner.train(document).catch(() => undefined);
        else await life.modelOwner.start();
        id = await onlyModel(world);
        const over = world.ended(id).then(() => 'over');
        await Promise.race([life.died, over]);
      }
      if (id === undefined) throw new Error('nothing was trained');
      await world.live().modelOwner.start();
      await requireWhole(world, id);
    }),
    { numRuns: process.env.SLOW === undefined ? 10 : 200 },
  );
});

test.run();

/**
 * Deaths in trainings in which something else goes wrong too: a refusal, a withdrawal, a removal, silence, a deadline, a broken
 * upload. One consortium lives through all of them.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { suite, type Test } from 'uvu';
import { openDatabase } from '../../src/storage/database.ts';
import { readStore } from '../../src/storage/store-reader.ts';
import { type Bench, createBench, reported } from './bench.ts';
import { chargesOf, finishedAnswer, jobHasEnded, leavesNothingBehind, nobodyIsLost, receiptsOf } from './checks.ts';
import type { Consortium } from './consortium.ts';
import { eventually } from './eventually.ts';
import { sendPart } from './partial-upload.ts';
import { allPlaces, ordinaryPlaces, placesOfMisfortune, withoutCount } from './places.ts';
import { dataOf, expectedAnswer, gradientModel, ownerNames, wideBytes, wideModel, wideRoster } from './samples.ts';
import type { StoreKind } from './stores.ts';
import type { Supervised } from './supervised.ts';

interface World {
  bench: Bench;
  consortium: Consortium;
}

/** What the logs tell of these misfortunes. */
const known = [/"msg":"(refused|withdrawn|the training failed): /];

/** All of them, to be run. */
export function misfortunesWith(kind: StoreKind): Test<World> {
  const test = suite<World>(`deaths in misfortunes (${kind.name})`);

  test.before(async (world) => {
    world.bench = await createBench();
    world.consortium = await world.bench.consortium(kind, known);
  });

  test.after(async (world) => {
    await world.consortium[Symbol.asyncDispose]();
    await world.bench[Symbol.asyncDispose]();
  });

  /** Only those whose names contain what SEALSUM_CRASH says. */
  function misfortune(name: string, work: (consortium: Consortium) => Promise<void>): void {
    const wanted = process.env.SEALSUM_CRASH ?? '';
    if (!name.includes(wanted)) return;
    test(name, async ({ bench, consortium }) => {
      consortium.start();
      await reported(consortium, bench, () => work(consortium).then(() => name));
    });
  }

  misfortune('an owner that refuses stays with that, and the others train without it', async (consortium) => {
    const { south } = consortium.owners;
    await restartTo(south, ['data-owner.refusal-kept']);
    const document = gradientModel({ rounds: 2, longestWait: 50 });
    const id = await consortium.post(document);
    await diesAt(consortium, south, 'data-owner.refusal-kept');
    const expected = await expectedAnswer(document, ['north', 'east']);
    assert.equal(await finishedAnswer(consortium, id), expected);
    await nobodyIsLost(consortium, id, ['north', 'east']);
    const view = await consortium.model(id);
    assert.equal(view?.owners.find(({ owner }) => owner === 'south')?.status, 'refused');
    assert.deepEqual(await chargesOf(consortium, 'south', id), []);
  });

  misfortune('an owner whose records change while it is dead withdraws, and stays with that', async (consortium) => {
    const { north, south } = consortium.owners;
    await north.hold();
    const document = gradientModel({ rounds: 2 });
    const id = await consortium.post(document);
    await consortium.modelIs('south and east are ready', id, isReady('south', 'east'));
    await south.hold();
    await consortium.writeData('south', dataOf('south', 1000));
    south.arm(['data-owner.withdrawal-kept']);
    south.start();
    await diesAt(consortium, south, 'data-owner.withdrawal-kept');
    await consortium.modelIs('south has withdrawn', id, ({ owners }) =>
      owners.some(({ owner, status }) => owner === 'south' && status === 'withdrawn'),
    );
    north.start();
    const expected = await expectedAnswer(document, ['north', 'east']);
    assert.equal(await finishedAnswer(consortium, id), expected);
    await nobodyIsLost(consortium, id, ['north', 'east']);
    assert.deepEqual(await chargesOf(consortium, 'south', id), []);
    await consortium.writeData('south', dataOf('south'));
  });

  misfortune('an owner that asks its people asks them once, and does what they said', async (consortium) => {
    const { south } = consortium.owners;
    const config = consortium.project.configOf(south.name);
    const text = await readFile(config, 'utf8');
    await south.hold();
    await writeFile(config, `${text}\n[policy]\nconsent = "ask"\n`);
    const places = ['data-owner.question-kept', 'data-owner.approval-kept'];
    south.arm(places);
    south.start();
    const document = gradientModel({ rounds: 2 });
    const id = await consortium.post(document);
    await diesAt(consortium, south, places[0] ?? '');
    await consortium.modelIs('north and east are ready', id, isReady('north', 'east'));
    assert.equal((await consortium.model(id))?.owners.find(({ owner }) => owner === 'south')?.status, 'invited');
    await eventually('south to have died of the approval, and to know it', consortium.signal, async () => {
      const answer = await consortium.ask(south, `/jobs/${id}/consent`, 'PUT', { decision: 'approve' });
      return answer?.status === 200;
    });
    assert.deepEqual(south.diedAt().slice(-2), places);
    assert.equal(await finishedAnswer(consortium, id), await expectedAnswer(document, ownerNames));
    await nobodyIsLost(consortium, id, ownerNames);
    await restartWith(south, () => writeFile(config, text));
  });

  misfortune('a model that is removed is removed, however often its owner dies over it', async (consortium) => {
    const { modelOwner, owners, signal } = consortium;
    await owners.north.hold();
    const id = await consortium.post(gradientModel());
    await consortium.modelIs('south and east are ready', id, isReady('south', 'east'));
    await restartTo(modelOwner, ['model-owner.removal.stopped', 'model-owner.removal.committed']);
    await eventually('the model to be gone', signal, async () => {
      const answer = await consortium.ask(modelOwner, `/models/${id}`, 'DELETE');
      return answer?.status === 204 || answer?.status === 404;
    });
    assert.equal(
      (await eventually('an answer', signal, () => consortium.ask(modelOwner, `/models/${id}`))).status,
      404,
    );
    await diesAt(consortium, modelOwner, 'model-owner.removal.stopped');
    await diesAt(consortium, modelOwner, 'model-owner.removal.committed');
    owners.north.start();
    await jobHasEnded(consortium, id, 'cancelled');
  });

  misfortune(
    'a job in which nothing happened for a week ends, and nothing is begun in its name',
    async (consortium) => {
      const { facilitator, owners } = consortium;
      await Promise.all(ownerNames.map((name) => owners[name].hold()));
      const id = await consortium.post(gradientModel());
      await consortium.modelIs('waits for its owners', id, ({ status }) => status === 'waiting_for_owners');
      await facilitator.hold();
      await letTimePass(consortium, 8);
      facilitator.arm(['facilitator.job.idle']);
      facilitator.start();
      await diesAt(consortium, facilitator, 'facilitator.job.idle');
      const { failure } = await consortium.modelIs('has failed', id, ({ status }) => status === 'failed');
      assert.equal(failure?.code, 'job_ended');
      for (const name of ownerNames) owners[name].start();
      await jobHasEnded(consortium, id, 'failed');
    },
  );

  misfortune('a round whose deadline passes without a quorum is abandoned, and stays charged', async (consortium) => {
    const { facilitator, owners, signal } = consortium;
    await restartTo(owners.south, ['data-owner.contribution-kept'], 'hold');
    const id = await consortium.post(gradientModel({ quorum: 3 }));
    await diesAt(consortium, owners.south, 'data-owner.contribution-kept');
    for (const name of ['north', 'east'] as const)
      await eventually(`${name} to have a receipt`, signal, async () => {
        return (await receiptsOf(consortium, name, id)).length === 1;
      });
    await facilitator.hold();
    await letTimePass(consortium, 1);
    const ends = ['deadline', 'before-abandonment', 'after-abandonment'].map((each) => `facilitator.round.${each}`);
    facilitator.arm(ends);
    facilitator.start();
    for (const place of ends) await diesAt(consortium, facilitator, place);
    const { failure } = await consortium.modelIs('has failed', id, ({ status }) => status === 'failed');
    assert.equal(failure?.code, 'round_abandoned');
    assert.match(failure.detail, /south/);
    owners.south.arm(['data-owner.contribution-forgotten']);
    owners.south.start();
    await diesAt(consortium, owners.south, 'data-owner.contribution-forgotten');
    await jobHasEnded(consortium, id, 'failed');
    for (const name of ownerNames) {
      assert.deepEqual(await chargesOf(consortium, name, id), [1]);
      const receipts = await receiptsOf(consortium, name, id);
      assert.equal(receipts.length, name === 'south' ? 0 : 1);
    }
  });

  misfortune('a contribution in blocks survives the death of whoever sends or takes it', async (consortium) => {
    const { facilitator, owners, signal } = consortium;
    const places = ['contribution.block-kept', 'contribution.upload-forgotten', 'contribution.block-folded'];
    const [kept = '', broken = '', folded = ''] = places.map((each) => `facilitator.${each}`);
    const closing = 'facilitator.closing.block-kept';
    await restartTo(owners.north, ['data-owner.round-read'], 'hold');
    await restartTo(facilitator, [kept], 'hold');
    const id = await consortium.post(wideModel);
    await diesAt(consortium, owners.north, 'data-owner.round-read');
    await diesAt(consortium, facilitator, kept);
    assert.equal(await uploadedBlocks(consortium), 1);
    facilitator.arm([broken, folded, closing]);
    facilitator.start();
    await eventually('east to have a receipt', signal, async () => {
      return (await receiptsOf(consortium, 'east', id)).length === 1;
    });
    assert.equal(await uploadedBlocks(consortium), 0);
    await sendPart(consortium, 'north', id, wideBytes());
    await diesAt(consortium, facilitator, broken);
    assert.equal(await uploadedBlocks(consortium), 0);
    owners.north.start();
    await diesAt(consortium, facilitator, folded);
    await diesAt(consortium, facilitator, closing);
    assert.equal(await finishedAnswer(consortium, id), await expectedAnswer(wideModel, wideRoster));
    await nobodyIsLost(consortium, id, wideRoster);
  });

  misfortune('a facilitator that dies with the noise of a round drawn closes the round with it', async (consortium) => {
    const { facilitator } = consortium;
    const place = 'facilitator.closing.noise-kept';
    await restartTo(facilitator, [place]);
    // So little noise that a model comes out.
    const document = { ...gradientModel({ rounds: 2 }), privacy: { rho: 1e6, place: 'facilitator' } };
    const id = await consortium.post(document);
    await diesAt(consortium, facilitator, place);
    await finishedAnswer(consortium, id);
    await nobodyIsLost(consortium, id, ownerNames);
  });

  misfortune('nothing is left of all that', async (consortium) => {
    await leavesNothingBehind(consortium);
  });

  test('every named place is one of an ordinary training or of these misfortunes', ({ bench, consortium }) => {
    const { facilitator, modelOwner, ...owners } = ordinaryPlaces(bench.chance);
    const ordinary = { facilitator, 'model-owner': modelOwner, 'data-owner': Object.values(owners).flat() };
    for (const role of ['facilitator', 'model-owner', 'data-owner'] as const) {
      const misfortunes = placesOfMisfortune[role];
      const named = [...ordinary[role].map(withoutCount), ...misfortunes].sort();
      assert.deepEqual(named, [...allPlaces[role]].sort());
      if ((process.env.SEALSUM_CRASH ?? '') !== '') continue;
      const died = consortium.parties.filter((party) => party.role === role).flatMap((party) => party.diedAt());
      assert.deepEqual(
        [...new Set(died.filter((place) => misfortunes.includes(place)))].sort(),
        [...misfortunes].sort(),
      );
    }
    const all = Object.values(allPlaces).flat();
    assert.ok(all.length >= 50, `${all.length} places`);
  });

  return test;
}

/** Kills a party, which starts anew with places to die at. */
/** Stops a party, changes something of it, and starts it again. */
async function restartWith(party: Supervised, change: () => Promise<void>): Promise<void> {
  await party.hold();
  await change();
  party.start();
}

async function restartTo(party: Supervised, places: readonly string[], then?: 'restart' | 'hold'): Promise<void> {
  await party.hold();
  party.arm(places, then);
  party.start();
}

async function diesAt({ signal }: Consortium, party: Supervised, place: string): Promise<void> {
  await eventually(`${party.name} to die at ${place}`, signal, () => party.diedAt().includes(place));
}

const isReady =
  (...names: readonly string[]) =>
  ({ owners }: { readonly owners: readonly { readonly owner: string; readonly status: string }[] }): boolean =>
    names.every((name) => owners.some(({ owner, status }) => owner === name && status === 'ready'));

/** Makes the store of a dead facilitator what it would be so many days later. */
async function letTimePass({ stores, facilitator }: Consortium, days: number): Promise<void> {
  const passed = days * 86_400_000;
  await using database = await openDatabase(stores.locationOf(facilitator.name), { role: 'facilitator' });
  await database.write(async ({ rows }) => {
    const jobs = rows.updateTable('jobs');
    await jobs.set((value) => ({ changed_at: value('changed_at', '-', passed) })).execute();
    const rounds = rows.updateTable('rounds');
    await rounds
      .set((value) => ({ opened_at: value('opened_at', '-', passed), deadline: value('deadline', '-', passed) }))
      .execute();
  });
}

/** Blocks at the facilitator of contributions that have not arrived as a whole. */
function uploadedBlocks({ stores, facilitator }: Consortium): Promise<number> {
  return readStore(stores.locationOf(facilitator.name), async ({ rows }) => {
    const found = await rows.selectFrom('blocks').select('block').where('series', 'like', 'upload:%').execute();
    return found.length;
  });
}

/** What becomes of a model owner's trainings when they are parked, removed, given up or lose their store. */
import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import { openJobKeys, sealJobKeys } from '../../../parties/model-owner/job-keys.ts';
import { createMeasures } from '../../../parties/model-owner/measures.ts';
import { generateNewKey } from '../../../src/collecting/new-key.ts';
import { SealsumError } from '../../../src/errors.ts';
import { verifyModulus } from '../../../src/paillier/modulus-proof.ts';
import { privateKeyToJwk } from '../../../src/paillier/private-key.ts';
import { publicKeyFromJwk } from '../../../src/paillier/public-key.ts';
import { jobIdSchema, ownerIdSchema, partyIdSchema } from '../../../src/protocol/identifiers.ts';
import { modulusProofContext } from '../../../src/protocol/modulus-proof-context.ts';
import type { SignedRound } from '../../../src/protocol/round-messages.ts';
import { canonicalDigest, verifyObject } from '../../../src/protocol/signed.ts';
import { readAuditLog } from '../../../src/storage/audit-log.ts';
import { linearSample } from '../../end-to-end/data.ts';
import { Folder } from '../../end-to-end/folder.ts';
import { createTestClock } from '../../support/clock.ts';
import { until as untilWithin, within } from '../../support/until.ts';
import { newWorlds, patience, sharedKey, type World } from './lives.ts';

const test = suite("a model owner's trainings");

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const sample = linearSample(30);
const document = {
  ...sample.document,
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 600 },
  training: { solver: 'gradient', rounds: 2, learning_rate: 0.1 },
  evaluation: {
    rows: [
      [50, 3, 'south'],
      [20, 9, 'west'],
    ],
  },
};
const newKey = await sharedKey();
const newWorld = newWorlds(newKey, document, sample);

/** Lets no request pass whose name matches until it is let go. */
function hold({ consortium }: World, request: RegExp): { readonly held: Promise<void>; readonly letGo: () => void } {
  let letGo: () => void = () => undefined;
  let tellHeld: () => void = () => undefined;
  const free = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const held = new Promise<void>((resolve) => {
    tellHeld = resolve;
  });
  consortium.before = async (each) => {
    if (!request.test(each)) return;
    tellHeld();
    await free;
  };
  return { held, letGo };
}

async function auditOf({ database }: World): Promise<string[]> {
  return (await readAuditLog(database, 0, 1000)).map(
    ({ body }) => `${body.type}${body.round === undefined ? '' : ` ${body.round}`}`,
  );
}

test('a process that stops parks its trainings: nobody is told of an end, and they go on at the next start', async () => {
  const world = await newWorld();
  const { held, letGo } = hold(world, /^aggregate 2$/);
  const life = world.live();
  const { id } = await life.modelOwner.train(document);
  await held;
  const parked = life.park();
  letGo();
  await parked;
  assert.equal((await world.store.get(id))?.status, 'training');
  assert.equal(world.consortium.job(id)?.status, 'open');
  assert.ok(!world.consortium.requests.some((request) => request.startsWith('endJob')));
  const again = world.live();
  await again.modelOwner.start();
  const { status, updates } = await world.ended(id);
  assert.deepEqual([status, updates], ['finished', 2]);
  assert.deepEqual(await auditOf(world), [
    'training.started',
    'job.proposed',
    'round.opened 1',
    'sum.opened 1',
    'round.opened 2',
    'training.resumed',
    'sum.opened 2',
    'round.opened 3',
    'sum.opened 3',
    'training.finished',
  ]);
});

test('a round that is shown when it is closed is not asked for', async () => {
  const world = await newWorld();
  world.consortium.showing = true;
  const { id } = await world.live().modelOwner.train(document);
  const { status, updates } = await world.ended(id);
  assert.deepEqual([status, updates], ['finished', 2]);
  // Only the first may have been looked at, when the line stood.
  const asked = world.consortium.requests.filter((request) => /^round [^1]/.test(request));
  assert.deepEqual(asked, []);
});

test('DELETE ends the job and forgets the model, its events and its keys; followers hear of the end', async () => {
  const world = await newWorld();
  const { held, letGo } = hold(world, /^aggregate 2$/);
  const { modelOwner } = world.live();
  const { id } = await modelOwner.train(document);
  const read = await modelOwner.events(id);
  await held;
  const removed = modelOwner.remove(id);
  letGo();
  await removed;
  assert.equal(world.consortium.job(id)?.status, 'cancelled');
  assert.equal(await world.store.get(id), undefined);
  assert.equal(await world.store.training(id), undefined);
  assert.deepEqual(await world.store.events(id, 0, 10), []);
  const [last, ...others] = await read(0);
  assert.deepEqual([last?.type, last?.status, last?.failure?.code], ['failed', 'cancelled', 'aborted']);
  assert.deepEqual(others, []);
  assert.deepEqual(await read(last?.id ?? 0), []);
  await assert.rejects(modelOwner.remove(id), { code: 'model_unknown' });
  assert.deepEqual((await auditOf(world)).slice(-2), ['training.cancelled', 'model.deleted']);
});

for (const place of ['model-owner.removal.stopped', 'model-owner.removal.committed'] as const)
  test(`dies at ${place}: a second DELETE, or none, leaves nothing behind`, async () => {
    const world = await newWorld();
    const { held, letGo } = hold(world, /^aggregate 2$/);
    const life = world.live({ deadAt: { place } });
    const { id } = await life.modelOwner.train(document);
    await held;
    const removed = life.modelOwner.remove(id);
    letGo();
    await assert.rejects(removed);
    const { modelOwner } = world.live();
    await modelOwner.start();
    if (place === 'model-owner.removal.stopped') {
      assert.equal((await modelOwner.model(id)).status, 'cancelled');
      await modelOwner.remove(id);
    }
    assert.deepEqual(await modelOwner.models(), []);
    assert.equal(world.consortium.job(id)?.status, 'cancelled');
  });

test('a training that a restart finds cancelled but not told is told of then', async () => {
  const world = await newWorld();
  const { held, letGo } = hold(world, /^aggregate 1$/);
  const life = world.live({ deadAt: { place: 'model-owner.end.committed' } });
  const { id } = await life.modelOwner.train(document);
  await held;
  void life.modelOwner.remove(id).catch(() => undefined);
  letGo();
  await within('the death', life.died, patience);
  assert.equal(world.consortium.job(id)?.status, 'open');
  await world.live().modelOwner.start();
  assert.equal((await world.ended(id)).status, 'cancelled');
  assert.equal(world.consortium.job(id)?.status, 'cancelled');
});

async function diedInRound2(world: World): Promise<string> {
  const life = world.live({ deadAt: { place: 'model-owner.round.ended', count: 2 } });
  const { id } = await life.modelOwner.train(document);
  await within('the death', life.died, patience);
  return id;
}

const gone: readonly { what: string; change: (world: World, id: string) => void; code: string; detail: RegExp }[] = [
  {
    what: 'forgotten',
    change: ({ consortium }, id) => {
      consortium.forget(id);
    },
    code: 'job_unknown',
    detail: /there is no job/,
  },
  {
    what: 'ended',
    change: ({ consortium }, id) => {
      void consortium.connect(0).endJob(jobIdSchema.parse(id), 'failed', new AbortController().signal);
    },
    code: 'job_ended',
    detail: /the job was ended at the facilitator \(failed\)/,
  },
  {
    what: 'left with a round that was abandoned',
    change: ({ consortium }, id) => {
      consortium.abandon(id);
    },
    code: 'round_abandoned',
    detail: /round 2 was abandoned/,
  },
];

for (const { what, change, code, detail } of gone)
  test(`a job that was ${what} meanwhile fails its training, and says so`, async () => {
    const world = await newWorld();
    const id = await diedInRound2(world);
    change(world, id);
    await world.live().modelOwner.start();
    const { status, failure } = await world.ended(id);
    assert.equal(status, 'failed');
    assert.equal(failure?.code, code, failure?.detail);
    assert.match(failure.detail, detail);
    const { requests } = world.consortium;
    assert.equal(requests.filter((request) => request === 'createJob').length, 1);
  });

test('a round that was asked for before a restart and arrives only after it is adopted', async () => {
  const world = await newWorld();
  const { consortium } = world;
  const { connect } = consortium;
  /** A line on which the second round is held up. */
  let late: SignedRound | undefined;
  consortium.connect = (patience) => {
    const client = connect(patience);
    const openRound: typeof client.openRound = (signed, signal) => {
      if (signed.descriptor.round !== 2) return client.openRound(signed, signal);
      late = signed;
      return new Promise(() => undefined);
    };
    return { ...client, openRound };
  };
  const life = world.live();
  const { id } = await life.modelOwner.train(document);
  await until('the second round is on its way', () => late !== undefined);
  life.kill();
  consortium.connect = connect;
  const arrived = late;
  assert.ok(arrived !== undefined);
  // The owner is not asked any more by whoever lives now: its own descriptor would be another one.
  consortium.say(id, ownerIdSchema.parse('owner-3'), 'withdrawn');
  consortium.before = async (request) => {
    if (request !== 'openRound 2') return;
    consortium.before = () => undefined;
    await connect(0).openRound(arrived, new AbortController().signal);
  };
  await world.live().modelOwner.start();
  const { status, failure } = await world.ended(id);
  assert.equal(status, 'finished', failure?.detail);
  const [, second] = consortium.rounds(id);
  assert.deepEqual(second, arrived);
  assert.deepEqual(
    (await world.store.rounds(id)).map(({ contributors }) => contributors),
    [3, 3, 2],
  );
});

test('an owner that withdraws after it contributed is in the sum, also after a restart', async () => {
  const world = await newWorld();
  const id = await diedInRound2(world);
  world.consortium.say(id, ownerIdSchema.parse('owner-3'), 'withdrawn');
  await world.live().modelOwner.start();
  const { status, failure, owners } = await world.ended(id);
  assert.equal(status, 'finished', failure?.detail);
  assert.deepEqual(owners[2], { owner: 'owner-3', status: 'withdrawn', reason: 'for a reason' });
  const rounds = await world.store.rounds(id);
  assert.deepEqual(
    rounds.map(({ contributors }) => contributors),
    [3, 3, 2],
  );
});

test('a facilitator that cannot be told of the end is told when it answers again', async () => {
  const clock = createTestClock();
  const world = await newWorld();
  let tried = 0;
  world.consortium.before = (request) => {
    if (!request.startsWith('endJob') || tried > 2) return;
    tried += 1;
    throw new SealsumError('facilitator_unreachable', 'no line');
  };
  const { modelOwner } = world.live({ clock });
  const { id } = await modelOwner.train(document);
  await until('the end has been told', async () => {
    clock.advance(500);
    return (await world.store.training(id)) === undefined;
  });
  assert.equal(tried, 3);
  assert.equal((await modelOwner.model(id)).status, 'finished');
  assert.equal(world.consortium.job(id)?.status, 'finished');
});

test('a model whose job cannot be ended stays until it is: its owners would wait for ever', async () => {
  for (const code of ['facilitator_unreachable', 'overloaded', 'store_unavailable'] as const) {
    const clock = createTestClock();
    const world = await newWorld();
    const { held, letGo } = hold(world, /^aggregate 2$/);
    const { modelOwner } = world.live({ clock });
    const { id } = await modelOwner.train(document);
    await held;
    const removed = assert.rejects(modelOwner.remove(id), { code: 'facilitator_unreachable' });
    let away = true;
    letGo();
    world.consortium.before = (request) => {
      if (request.startsWith('endJob') && away) throw new SealsumError(code, 'no line');
    };
    await removed;
    assert.equal((await modelOwner.model(id)).status, 'cancelled');
    assert.equal(world.consortium.job(id)?.status, 'open');
    away = false;
    await until('the end has been told', async () => {
      clock.advance(500);
      return (await world.store.training(id)) === undefined;
    });
    assert.equal(world.consortium.job(id)?.status, 'cancelled');
    await modelOwner.remove(id);
    assert.deepEqual(await modelOwner.models(), []);
  }
});

test('keys lie in the store sealed only, and are gone with the training', async () => {
  const world = await newWorld();
  const id = await diedInRound2(world);
  const training = await world.store.training(id);
  assert.ok(training?.proposal !== undefined);
  const { keyPair } = await newKey({ bits: 2048, signal: new AbortController().signal });
  const { p, q } = privateKeyToJwk(keyPair.privateKey);
  const kept = JSON.stringify(training) + Buffer.from(training.proposal.sealedKeys).toString('latin1');
  for (const secret of ['private_key', 'tag_seed', p, q]) assert.ok(!kept.includes(secret));

  // With another key nothing is begun, and nothing is lost.
  const stranger = world.live({ storageKey: new Uint8Array(32) });
  await assert.rejects(stranger.modelOwner.start(), { code: 'identity_invalid' });
  assert.equal((await world.store.get(id))?.status, 'training');
  await world.live().modelOwner.start();
  assert.equal((await world.ended(id)).status, 'finished');
  assert.equal(await world.store.training(id), undefined);
});

test('sealed keys open for their own job only', async () => {
  const job = jobIdSchema.parse('job-1');
  const storageKey = new Uint8Array(32).fill(7);
  const { keyPair } = await newKey({ bits: 2048, signal: new AbortController().signal });
  const { keys, sealed } = sealJobKeys(job, keyPair, storageKey, (length) => new Uint8Array(length).fill(9));
  const opened = openJobKeys(job, sealed, storageKey);
  assert.equal(opened.keyPair.publicKey.n, keyPair.publicKey.n);
  assert.equal(opened.tagSecret.publicKey, keys.tagSecret.publicKey);
  assert.throws(() => openJobKeys(jobIdSchema.parse('job-2'), sealed, storageKey), { code: 'identity_invalid' });
});

test('a proposal is signed, names both sides, and its modulus is proven for this job only', async () => {
  const world = await newWorld();
  const life = world.live({ newKey: generateNewKey, deadAt: { place: 'model-owner.proposal.committed' } });
  const { id } = await life.modelOwner.train(document);
  await within('the death', life.died, patience);
  const { proposal } = (await world.store.training(id)) ?? {};
  assert.ok(proposal !== undefined);
  const { descriptor, signature } = proposal.signed;
  const { modelOwner, facilitator, parties } = world.consortium;
  verifyObject(parties, { name: modelOwner.name, role: 'model-owner' }, 'job', descriptor, signature);
  assert.deepEqual([descriptor.model_owner, descriptor.facilitator], [modelOwner.name, facilitator.name]);
  assert.equal(descriptor.model_hash, canonicalDigest(descriptor.model));
  assert.equal('evaluation' in descriptor.model, false);
  const job = jobIdSchema.parse(id);
  const publicKey = publicKeyFromJwk(descriptor.public_key);
  await verifyModulus(publicKey, descriptor.public_key_proof, modulusProofContext(job, modelOwner.name));
  for (const other of [
    modulusProofContext(jobIdSchema.parse('other'), modelOwner.name),
    modulusProofContext(job, partyIdSchema.parse('other')),
  ])
    await assert.rejects(verifyModulus(publicKey, descriptor.public_key_proof, other), { code: 'key_invalid' });
});

test('privacy is spent once for a round that was opened before and after a restart', async () => {
  const noisy = { ...document, privacy: { rho: 1000 } };
  const world = await newWorlds(newKey, noisy, sample)();
  const life = world.live({ deadAt: { place: 'model-owner.sum.decrypted', count: 2 } });
  const { id } = await life.modelOwner.train(noisy);
  await within('the death', life.died, patience);
  const before = await world.store.get(id);
  assert.ok(before?.privacy.guarantee === 'zero-concentrated differential privacy');
  assert.equal(before.privacy.spent.rounds, 2);
  const training = await world.store.training(id);
  assert.deepEqual([training?.round, training?.opened], [1, 2]);
  await world.live().modelOwner.start();
  const { status, privacy, failure } = await world.ended(id);
  assert.equal(status, 'finished', failure?.detail);
  assert.ok(privacy.guarantee === 'zero-concentrated differential privacy');
  assert.equal(privacy.spent.rounds, 3);
  assert.equal(privacy.spent.rho.fraction, privacy.promised.rho.fraction);
});

test('a store that does not answer for a while is waited for', async () => {
  const clock = createTestClock();
  const world = await newWorld();
  let failures = 0;
  const { store } = world;
  const failing = {
    ...store,
    commit: (change: Parameters<typeof store.commit>[0]) => {
      if (change.round?.report.round === 2 && failures < 2) {
        failures += 1;
        return Promise.reject(new Error('disk full'));
      }
      return store.commit(change);
    },
  };
  const { modelOwner } = world.live({ store: failing, clock });
  const { id } = await modelOwner.train(document);
  await until('the training has ended', async () => {
    clock.advance(500);
    return (await store.training(id)) === undefined;
  });
  const { status, updates } = await world.ended(id);
  assert.deepEqual([status, updates, failures], ['finished', 2, 2]);
  assert.deepEqual(
    (await store.rounds(id)).map(({ round }) => round),
    [1, 2, 3],
  );
});

test('predictions survive a restart, and an evaluation file that fits no more hides nothing but them', async () => {
  const world = await newWorld();
  await using folder = await Folder.create();
  const evaluationFile = await folder.write('evaluation.csv', 'ward,visits,age\nsouth,3,50\nwest,0,20.5\nnorth,1,1\n');
  const first = world.live({ evaluationFile });
  const { id } = await first.modelOwner.train(document);
  await world.ended(id);
  const before = await first.modelOwner.newestPrediction();
  assert.equal(before.predictions.length, 3);
  assert.deepEqual(await world.live({ evaluationFile }).modelOwner.newestPrediction(), before);
  const inModel = await world.live().modelOwner.newestPrediction();
  assert.equal(inModel.predictions.length, 2);
  await folder.write('evaluation.csv', 'visits,age\n3,50\n');
  const { modelOwner } = world.live({ evaluationFile });
  const { unpredictable, ...after } = await modelOwner.newestPrediction();
  assert.match(unpredictable ?? '', /evaluation file: ward: the header has no such column/);
  assert.deepEqual(after, { ...before, predictions: [] });
  assert.equal((await modelOwner.predictions()).length, 1);
});

test('tells what it measures: models, rounds, seconds, privacy', async () => {
  const world = await newWorld();
  const registry = new Registry();
  const { modelOwner } = world.live({ measures: createMeasures(registry, world.store) });
  const { id } = await modelOwner.train(document);
  await world.ended(id);
  const text = await registry.metrics();
  for (const line of [
    'sealsum_models{status="finished"} 1',
    'sealsum_models{status="training"} 0',
    'sealsum_rounds_total{outcome="summed"} 3',
    'sealsum_round_seconds_count 3',
    'sealsum_privacy_spent_rho 0',
  ])
    assert.ok(text.split('\n').includes(line), line);
  assert.match(text, /sealsum_crypto_seconds_total\{operation="decrypt"\} 0\.\d+/);
});

test('is ready while the facilitator answers, and asks it no more often than it must', async () => {
  const clock = createTestClock();
  const world = await newWorld();
  const { modelOwner } = world.live({ clock });
  const asked = (): number => world.consortium.requests.filter((request) => request === 'owners').length;
  assert.equal(await modelOwner.reachesFacilitator(), true);
  assert.equal(await modelOwner.reachesFacilitator(), true);
  assert.equal(asked(), 1);
  world.consortium.before = () => {
    throw new Error('no line');
  };
  clock.advance(20_000);
  assert.deepEqual(await Promise.all([modelOwner.reachesFacilitator(), modelOwner.reachesFacilitator()]), [
    false,
    false,
  ]);
  assert.equal(asked(), 2);
  world.consortium.before = () => undefined;
  clock.advance(20_000);
  assert.equal(await modelOwner.reachesFacilitator(), true);
});

test('a facilitator that does not take a job fails the training with its reason', async () => {
  const world = await newWorld();
  const refusal = new SealsumError('plan_mismatch', 'plan.owners is 3, the roster names 4', { field: 'plan' });
  world.consortium.before = (request) => {
    if (request === 'createJob') throw refusal;
  };
  const { id } = await world.live().modelOwner.train(document);
  const { failure } = await world.ended(id);
  assert.deepEqual(failure, { code: 'plan_mismatch', detail: refusal.message, field: 'plan' });
});

test.run();

/** A facilitator that lies: about a sum, its manifest, a round, the owners or the job. It is refused, and the lie is named. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createLog } from '../../../src/http/log.ts';
import type { OwnerView, SignedAnswer } from '../../../src/protocol/job-messages.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import { signObject } from '../../../src/protocol/signed.ts';
import type { ModelRecord } from '../../../src/storage/model-store.ts';
import { linearSample } from '../../end-to-end/data.ts';
import { within } from '../../support/until.ts';
import { type Contribution, type Lies, newIdentity } from './consortium.ts';
import { newWorlds, patience, sharedKey, type World } from './lives.ts';

const test = suite('a model owner with a dishonest facilitator');

const sample = linearSample(30);
const document = {
  ...sample.document,
  encryption: { key_bits: 2048, fraction_bits: 40 },
  participation: { quorum: 2, deadline_seconds: 600 },
  training: { solver: 'gradient', rounds: 2, learning_rate: 0.1 },
};
const newKey = await sharedKey();
const newWorld = newWorlds(newKey, document, sample);

async function trained(world: World): Promise<ModelRecord> {
  const { id } = await world.live().modelOwner.train(document);
  return world.ended(id);
}

function bytesOf(contributions: readonly Contribution[]): Uint8Array[] {
  return contributions.map((each) => each.bytes);
}

/** From the second round on: a first one that was right is no promise. */
const later =
  <T, R>(lie: (value: T) => R) =>
  (value: T, round: number): T | R =>
    round === 1 ? value : lie(value);

const sums: readonly { lie: string; lies: Lies; code: string; detail: RegExp }[] = [
  {
    lie: 'leaves a contribution out of the product that stands in the manifest',
    lies: { multiplied: (all, round) => bytesOf(round === 1 ? all : all.slice(1)) },
    code: 'tag_mismatch',
    detail: /owner-1's contribution is missing from them/,
  },
  {
    lie: 'multiplies a contribution twice',
    lies: { multiplied: (all, round) => [...bytesOf(all), ...(round === 1 ? [] : bytesOf(all.slice(1, 2)))] },
    code: 'tag_mismatch',
    detail: /owner-2's contribution is in them twice/,
  },
  {
    lie: 'puts one contribution in the place of another',
    lies: { multiplied: (all, round) => bytesOf(round === 1 ? all : [...all.slice(0, 2), ...all.slice(0, 1)]) },
    code: 'tag_mismatch',
    detail: /owner-1's contribution is in them in place of owner-3's/,
  },
  {
    lie: 'gives another aggregate than the manifest says',
    lies: {
      aggregate: (bytes) => Uint8Array.from(bytes, (byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte)),
    },
    code: 'manifest_invalid',
    detail: /it is of another aggregate than the one that came/,
  },
  {
    lie: 'gives an aggregate that is too short',
    lies: { aggregate: (bytes) => bytes.subarray(1) },
    code: 'manifest_invalid',
    detail: /the aggregate has \d+ bytes, not \d+/,
  },
  {
    lie: 'forges the digest in a line of the manifest',
    lies: {
      manifest: later((manifest) => ({
        ...manifest,
        contributions: manifest.contributions.map((line, index) =>
          index === 1 ? { ...line, digest: line.digest.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) } : line,
        ),
      })),
    },
    code: 'signature_invalid',
    detail: /the contribution is not signed by owner-2/,
  },
  {
    lie: "signs an owner's line itself",
    lies: {
      manifest: later((manifest) => ({
        ...manifest,
        contributions: manifest.contributions.map((line, index) =>
          index === 0
            ? { ...line, signature: signObject(newIdentity('owner-1', 'data-owner'), 'contribution', line) }
            : line,
        ),
      })),
    },
    code: 'signature_invalid',
    detail: /the contribution is not signed by owner-1: the key is none of its keys/,
  },
  {
    lie: 'names an owner twice',
    lies: {
      manifest: later((manifest) => ({
        ...manifest,
        contributions: [...manifest.contributions, ...manifest.contributions.slice(0, 1)],
        count: 4,
      })),
    },
    code: 'manifest_invalid',
    detail: /an owner is in it twice/,
  },
  {
    lie: 'names fewer owners than the quorum',
    lies: {
      manifest: later((manifest) => ({ ...manifest, contributions: manifest.contributions.slice(0, 1), count: 1 })),
    },
    code: 'manifest_invalid',
    detail: /1 contributors, and the quorum is 2/,
  },
  {
    lie: 'shows the manifest of another round',
    lies: { manifest: later((manifest) => ({ ...manifest, round: 1 })) },
    code: 'manifest_invalid',
    detail: /it is of round 1/,
  },
  {
    lie: 'closes a round that it has told the owners something else about',
    lies: { manifest: later((manifest) => ({ ...manifest, round_digest: '0'.repeat(64) })) },
    code: 'manifest_invalid',
    detail: /it is of another round descriptor/,
  },
];

// Half of them with the manifest that came with the event, half with the one that was asked for.
for (const [index, { lie, lies, code, detail }] of sums.entries())
  test(`${lie}: the sum is refused`, async () => {
    const world = await newWorld();
    world.consortium.showing = index % 2 === 1;
    Object.assign(world.consortium.lies, lies);
    const record = await trained(world);
    assert.equal(record.status, 'failed');
    assert.equal(record.failure?.code, code, record.failure?.detail);
    assert.match(record.failure.detail, detail);
    assert.equal(record.parameters, undefined);
    // What was refused is not among the rounds.
    const rounds = await world.store.rounds(record.id);
    assert.deepEqual(
      rounds.map(({ round }) => round),
      lies.aggregate === undefined ? [1] : [],
    );
    assert.equal(world.consortium.job(record.id)?.status, 'failed');
  });

test('swaps two ciphertexts of a contribution: the sum is refused', async () => {
  // Enough features for more than one ciphertext.
  const levels = Array.from({ length: 120 }, (_, index) => `level-${index}`);
  const [age, visits] = sample.document.data_props.features;
  const wide = {
    ...document,
    data_props: {
      ...sample.document.data_props,
      features: [age, visits, { name: 'ward', type: 'nominal', levels: ['north', 'south', 'west', ...levels] }],
    },
  };
  const world = await newWorlds(newKey, wide, sample)();
  world.consortium.lies.multiplied = (all) =>
    bytesOf(all).map((bytes, index) => {
      const width = 512;
      assert.ok(bytes.length >= 2 * width);
      if (index !== 2) return bytes;
      const [first, second] = [bytes.subarray(0, width), bytes.subarray(width, 2 * width)];
      return Buffer.concat([second, first, bytes.subarray(2 * width)]);
    });
  const { id } = await world.live().modelOwner.train(wide);
  const { failure } = await world.ended(id);
  assert.equal(failure?.code, 'tag_mismatch', failure?.detail);
  assert.match(failure.detail, /those of owner-3's contribution stand in one another's places/);
});

test('replays a contribution of an earlier round: the sum is refused', async () => {
  const world = await newWorld();
  let kept: readonly Contribution[] = [];
  world.consortium.lies.multiplied = (all, round) => {
    if (round === 1) kept = all;
    return bytesOf(round === 1 ? all : [...all.slice(0, 2), ...kept.slice(2)]);
  };
  const { failure } = await trained(world);
  assert.equal(failure?.code, 'tag_mismatch', failure?.detail);
  assert.match(failure.detail, /owner-3's contribution to round 1 is in them in place of owner-3's/);
});

/** A world whose model owner died while its second round was open, and is about to live again. */
async function diedInRound2(world: World): Promise<string> {
  const life = world.live({ deadAt: { place: 'model-owner.round.sent', count: 2 } });
  const { id } = await life.modelOwner.train(document);
  await within('the death', life.died, patience);
  return id;
}

const rounds: readonly { lie: string; lies: Lies; code: string; detail: RegExp }[] = [
  {
    lie: 'other parameters',
    lies: {
      shownRound: ({ descriptor, signature }) => ({
        descriptor: { ...descriptor, parameters: encodeParameters([1]) },
        signature,
      }),
    },
    code: 'signature_invalid',
    detail: /the round is not signed by model-owner: the signature does not match/,
  },
  {
    lie: 'another roster',
    lies: {
      shownRound: ({ descriptor, signature }) => ({
        descriptor: { ...descriptor, roster: descriptor.roster.slice(0, 2) },
        signature,
      }),
    },
    code: 'signature_invalid',
    detail: /the round is not signed by model-owner/,
  },
  {
    lie: 'no descriptor',
    lies: { shownRound: () => undefined },
    code: 'round_conflict',
    detail: /it shows no signed descriptor/,
  },
];

for (const { lie, lies, code, detail } of rounds)
  test(`shows a round with ${lie} after a restart: it is not adopted`, async () => {
    const world = await newWorld();
    const id = await diedInRound2(world);
    Object.assign(world.consortium.lies, lies);
    await world.live().modelOwner.start();
    const { failure } = await world.ended(id);
    assert.equal(failure?.code, code, failure?.detail);
    assert.match(failure.detail, detail);
  });

test('shows the signed descriptor of another round after a restart: it is not adopted', async () => {
  const world = await newWorld();
  const id = await diedInRound2(world);
  const [first] = world.consortium.rounds(id);
  assert.ok(first !== undefined);
  world.consortium.lies.shownRound = () => first;
  await world.live().modelOwner.start();
  const { failure } = await world.ended(id);
  assert.equal(failure?.code, 'round_conflict', failure?.detail);
  assert.match(failure.detail, /its round differs/);
});

test('shows a round that nobody has asked for', async () => {
  const world = await newWorld();
  const id = await diedInRound2(world);
  world.consortium.lies.shownJob = (view) => ({ ...view, round: 7 });
  await world.live().modelOwner.start();
  const { failure } = await world.ended(id);
  assert.equal(failure?.code, 'round_conflict');
  assert.match(failure.detail, /shows round 7 of the job, and round 2 has not been asked for yet/);
});

test('shows another descriptor of the job', async () => {
  const world = await newWorld();
  world.consortium.lies.shownJob = (view) => ({ ...view, descriptor: { ...view.descriptor, quorum: 3 } });
  const { failure } = await trained(world);
  assert.equal(failure?.code, 'job_conflict');
});

/** What a facilitator can show of owner-3, which has not said that it is ready; `other` is what owner-2 said. */
const answers: readonly { lie: string; shown: (view: OwnerView, other: SignedAnswer) => OwnerView }[] = [
  {
    lie: "another owner's answer",
    shown: ({ owner }, other) => ({ owner, status: 'ready', answer: other }),
  },
  {
    lie: 'an answer that it signed itself',
    shown: ({ owner }, other) => {
      const answer = { ...other.answer, owner };
      const signature = signObject(newIdentity(owner, 'data-owner'), 'answer', answer);
      return { owner, status: 'ready', answer: { answer, signature } };
    },
  },
  {
    lie: "another owner's answer under its name",
    shown: ({ owner }, other) => ({
      owner,
      status: 'ready',
      answer: { answer: { ...other.answer, owner }, signature: { ...other.signature, party: owner } },
    }),
  },
  { lie: 'no answer', shown: ({ owner }) => ({ owner, status: 'ready' }) },
  { lie: 'that it is ready after all', shown: (view) => ({ ...view, status: 'ready' }) },
];

for (const { lie, shown } of answers)
  test(`shows ${lie} for an owner that is not ready: nothing is asked of it`, async () => {
    const brief = { ...document, participation: { quorum: 2, deadline_seconds: 0.2 } };
    const world = await newWorlds(newKey, brief, sample)();
    world.consortium.answering = (owner) => owner !== 'owner-3' || (lie.startsWith('that') ? 'refused' : false);
    let other: SignedAnswer | undefined;
    world.consortium.lies.shownOwner = (view) => {
      if (view.owner === 'owner-2') other = view.answer;
      return view.owner === 'owner-3' && other !== undefined ? shown(view, other) : view;
    };
    const warnings: string[] = [];
    const log = createLog('model owner', 'warn', { write: (line: string) => void warnings.push(line) });
    const { id } = await world.live({ log }).modelOwner.train(brief);
    const record = await world.ended(id);
    assert.equal(record.status, 'finished', record.failure?.detail);
    assert.deepEqual(record.owners[2], { owner: 'owner-3', status: 'invited' });
    assert.deepEqual(
      world.consortium.rounds(id).map(({ descriptor }) => descriptor.roster),
      [1, 2, 3].map(() => ['owner-1', 'owner-2']),
    );
    const complained = warnings.some((line) => line.includes('"owner":"owner-3"'));
    assert.equal(complained, /answer (that|under)|another owner's answer/.test(lie));
  });

test.run();

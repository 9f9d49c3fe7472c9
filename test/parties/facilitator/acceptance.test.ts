/** Contributions that arrive while another one is made durable: all of them are accepted in the next commit, and each by itself. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { suite } from 'uvu';
import type { Contribute } from '../../../parties/facilitator/contributions.ts';
import { createFacilitatorMetrics } from '../../../parties/facilitator/metrics.ts';
import { SealsumError } from '../../../src/errors.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import { verifyManifest } from '../../../src/protocol/manifest.ts';
import type { SignedRound } from '../../../src/protocol/round-messages.ts';
import { verifyObject } from '../../../src/protocol/signed.ts';
import type { BlockSeries, FacilitatorChange, FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { until } from '../../support/until.ts';
import {
  codeOf,
  contributionOf,
  createStore,
  describeJob,
  ended,
  facilitatorIdentity,
  identityOf,
  never,
  openSum,
  partiesWith,
  signContribution,
  startFacilitator,
  sumOf,
  type TestFacilitator,
} from './harness.ts';

const test = suite('acceptance of contributions');

const owners = Array.from({ length: 8 }, (_, index) => `owner-${index}` as OwnerId);
const [first, second, third, ...rest] = owners as [OwnerId, OwnerId, OwnerId, ...OwnerId[]];
const { job } = describeJob();
/** Two ciphertexts of 512 bytes each: more than one block. */
const length = 60;
const blockBytes = 512;

function numberOf(owner: OwnerId): number {
  return owners.indexOf(owner);
}

interface Opened extends AsyncDisposable {
  readonly party: TestFacilitator;
  readonly round: SignedRound;
  readonly store: FacilitatorStore;
  /** Every change with contributions in it that was asked of the store. */
  readonly changes: readonly FacilitatorChange[];
  /** Holds back the commits of contributions from now on. */
  hold(): void;
  /** Lets the one go that is held back: to succeed, or to fail. */
  release(failure?: Error): void;
  /** Lets it go, and all that come later. */
  letGo(): void;
  contribute(owner: OwnerId, bytes?: Uint8Array): ReturnType<Contribute>;
  /** Resolves once so many have arrived and are not accepted. */
  arrived(count: number): Promise<void>;
}

async function opened(): Promise<Opened> {
  const whole = await createStore();
  const changes: FacilitatorChange[] = [];
  let held: ((failure?: Error) => void) | undefined;
  let holding = false;
  const store: FacilitatorStore = {
    ...whole,
    commit: async (change) => {
      if (change.contributions !== undefined) {
        changes.push(change);
        if (holding)
          await new Promise<void>((resolve, reject) => {
            held = (failure) => {
              if (failure === undefined) resolve();
              else reject(failure);
            };
          });
      }
      return whole.commit(change);
    },
  };
  const metrics = createFacilitatorMetrics();
  const party = await startFacilitator({ store, metrics, parties: partiesWith(owners), limits: { blockBytes } });
  await party.create({ roster: owners, length });
  const round = await party.open(1);
  return {
    party,
    round,
    store: whole,
    changes,
    hold: () => {
      holding = true;
    },
    release: (failure) => {
      assert.ok(held !== undefined, 'nothing is held back');
      held(failure);
      held = undefined;
    },
    letGo: () => {
      holding = false;
      held?.();
    },
    contribute: (owner, bytes = contributionOf(numberOf(owner), owners.length, length)) => {
      const statement = party.statement(1, owner, bytes);
      return party.facilitator.contribute(identityOf(owner), {
        job,
        round: 1,
        owner,
        digest: statement.digest,
        bytes: statement.bytes,
        signature: signContribution(statement),
        body: Readable.from([bytes]),
      });
    },
    arrived: async (count) => {
      const waiting = metrics.registry.getSingleMetric('sealsum_contributions_waiting');
      await until(`${count} to wait`, async () => (await waiting?.get())?.values[0]?.value === count);
    },
    [Symbol.asyncDispose]: () => party[Symbol.asyncDispose](),
  };
}

/** The round has closed with these owners' contributions, in this order, and nothing else is left of it. */
async function assertClosed({ party, round, store }: Opened, contributors: readonly OwnerId[]): Promise<void> {
  const { client, parties } = party;
  const { manifest } = await ended(party);
  assert.ok(manifest !== undefined);
  const bytes = manifest.manifest.contributions[0]?.bytes ?? 0;
  assert.deepEqual(verifyManifest(parties, facilitatorIdentity.name, round, bytes, manifest), contributors);
  const aggregate = await client.aggregate(job, 1, never);
  assert.deepEqual(openSum(aggregate, owners.length, owners.length, length), sumOf(contributors.map(numberOf), length));
  const events = await store.events(0, job, 1000);
  const told = events.filter(({ type }) => type === 'round.contribution').map(({ owner }) => owner);
  assert.deepEqual(told, contributors);
  for (let count = 1; count <= owners.length + 1; count++)
    for (const block of [0, 1]) {
      const series: BlockSeries = `product:${count}`;
      assert.equal(await store.block({ job, round: 1, series }, block), undefined, `${series} is left`);
    }
}

test('those who arrive meanwhile are accepted in one commit, in the order of their arrival', async () => {
  await using opening = await opened();
  const { party, changes } = opening;
  opening.hold();
  const answers = [opening.contribute(first)];
  await until('the first to be committed', () => changes.length === 1);
  for (const [index, owner] of [second, third, ...rest].entries()) {
    answers.push(opening.contribute(owner));
    await opening.arrived(index + 2);
  }
  opening.letGo();
  for (const [index, { created, value }] of (await Promise.all(answers)).entries()) {
    const owner = owners[index];
    assert.ok(created);
    assert.equal(value.receipt.owner, owner);
    const signer = { name: facilitatorIdentity.name, role: 'facilitator' } as const;
    verifyObject(party.parties, signer, 'receipt', value.receipt, value.signature);
  }
  assert.deepEqual(
    changes.map(({ contributions, events, audit }) => [contributions?.accepted.length, events.length, audit?.length]),
    [
      [1, 1, 1],
      [owners.length - 1, owners.length - 1, owners.length - 1],
    ],
  );
  await assertClosed(opening, owners);
});

test('what is refused or repeated among them changes nothing for the others', async () => {
  await using opening = await opened();
  const { changes } = opening;
  opening.hold();
  const answers = [opening.contribute(first)];
  await until('the first to be committed', () => changes.length === 1);
  const bytes = contributionOf(numberOf(second), owners.length, length);
  const taken = opening.contribute(second, bytes);
  await opening.arrived(2);
  const repeated = opening.contribute(second, bytes);
  await opening.arrived(3);
  const conflicting = codeOf(opening.contribute(second, contributionOf(7, owners.length, length)));
  await opening.arrived(4);
  answers.push(opening.contribute(third));
  await opening.arrived(5);
  opening.letGo();
  await Promise.all(answers);
  assert.equal(await conflicting, 'contribution_conflict');
  const [now, before] = await Promise.all([taken, repeated]);
  assert.deepEqual([now.created, before.created], [true, false]);
  assert.deepEqual(now.value, before.value);
  assert.equal(changes.length, 2);
  for (const owner of rest) await opening.contribute(owner);
  await assertClosed(opening, owners);
});

test('when their commit fails all of them are told so, nothing is left of them, and all may repeat', async () => {
  await using opening = await opened();
  const { changes } = opening;
  opening.hold();
  const bytes = contributionOf(numberOf(first), owners.length, length);
  const alone = opening.contribute(first, bytes);
  await until('the first to be committed', () => changes.length === 1);
  const failing = [second, third].map((owner) => codeOf(opening.contribute(owner)));
  await opening.arrived(3);
  opening.release();
  await alone;
  await until('the others to be committed', () => changes.length === 2);
  const late = rest.map((owner) => opening.contribute(owner));
  await opening.arrived(2 + rest.length);
  opening.release(new SealsumError('store_unavailable', 'there is no room'));
  assert.deepEqual(await Promise.all(failing), ['store_unavailable', 'store_unavailable']);
  opening.letGo();
  for (const { created } of await Promise.all(late)) assert.ok(created);
  assert.equal((await opening.contribute(first, bytes)).created, false);
  for (const owner of [second, third]) assert.ok((await opening.contribute(owner)).created);
  await assertClosed(opening, [first, ...rest, second, third]);
});

test.run();

/**
 * A facilitator that dies: at every named place, and at random ones again and again. What it had not committed is gone, nothing of
 * it can write any more, and a new one goes on with the same database. Whoever was not answered asks again. Every round must
 * end in the exact sum, everything acknowledged must still be so, and nothing may be left over.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { suite } from 'uvu';
import { type FacilitatorCheckpoint, facilitatorCheckpoints } from '../../../parties/facilitator/checkpoints.ts';
import { createFacilitator, type Facilitator } from '../../../parties/facilitator/service.ts';
import { SealsumError } from '../../../src/errors.ts';
import { createLog } from '../../../src/http/log.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { createEncryptor } from '../../../src/paillier/encryptor.ts';
import { openVector, sealVector } from '../../../src/pipeline.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import type { SignedJob, WireNoise } from '../../../src/protocol/job-messages.ts';
import { contributionStatement, sha256, verifyInclusion, verifyManifest } from '../../../src/protocol/manifest.ts';
import type { SignedReceipt, SignedRound } from '../../../src/protocol/round-messages.ts';
import { objectDigest } from '../../../src/protocol/signed.ts';
import { createAuditLog, readAuditLog } from '../../../src/storage/audit-log.ts';
import { verifyLog } from '../../../src/storage/audit-verification.ts';
import { type Database, openDatabase } from '../../../src/storage/database.ts';
import { createFacilitatorStore } from '../../../src/storage/durable-facilitator-store.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  answerTo,
  bert,
  contributionOf,
  cora,
  describeJob,
  describeRound,
  facilitatorIdentity,
  identityOf,
  keys,
  mona,
  openSum,
  partiesWith,
  planFor,
  signAnswer,
  signContribution,
  signJob,
  signRound,
  sumOf,
  trio,
  vectorOf,
} from './harness.ts';

const test = suite('a facilitator that dies');

/** What a process that is killed "throws": nothing of it goes on. */
class Death extends Error {}

/** Decides at every place whether it is the last one. */
type Fate = (place: FacilitatorCheckpoint) => boolean;

const parties = partiesWith();
const sent = new Map<string, Uint8Array>();

/** The contribution of an owner to a round: the same bytes for ever. */
function bytesOf(owner: OwnerId, round: number): Uint8Array {
  const known = sent.get(`${owner} ${round}`) ?? contributionOf(trio.indexOf(owner) + 10 * round);
  sent.set(`${owner} ${round}`, known);
  return known;
}

const numberOf = (owner: OwnerId, round: number): number => trio.indexOf(owner) + 10 * round;

interface Life {
  readonly facilitator: Facilitator;
  dead: boolean;
}

/** One facilitator after the other on the same database. */
class World {
  readonly clock: TestClock = createTestClock();
  readonly database: Database;
  deaths = 0;
  readonly #store: FacilitatorStore;
  readonly #fate: Fate;
  #living: Life | undefined;

  private constructor(database: Database, fate: Fate) {
    this.database = database;
    this.#store = createFacilitatorStore(database, createAuditLog(facilitatorIdentity, this.clock));
    this.#fate = fate;
  }

  static async create(fate: Fate): Promise<World> {
    return new World(await openDatabase(':memory:', { role: 'facilitator' }), fate);
  }

  /** Does something with a living facilitator; if that dies meanwhile, with the next one. */
  async ask<T>(work: (facilitator: Facilitator) => Promise<T> | T): Promise<T> {
    for (;;) {
      const facilitator = await this.#alive();
      const life = this.#living;
      try {
        const answer = await work(facilitator);
        if (life?.dead !== true) return answer;
      } catch (error) {
        if (life?.dead !== true) throw error;
      }
    }
  }

  /** Stops what lives as a signal would, and begins anew. */
  async restart(): Promise<void> {
    this.#living?.facilitator.stop();
    await this.#living?.facilitator.drained();
    this.#living = undefined;
    await this.#alive();
  }

  /** Waits for something that happens by itself. */
  async waitFor(what: string, holds: (facilitator: Facilitator) => Promise<boolean>): Promise<void> {
    await until(what, () => this.ask(holds));
  }

  /** Moves the clock when nobody is just about to do something. */
  async advance(milliseconds: number): Promise<void> {
    await this.ask((facilitator) => facilitator.drained());
    this.clock.advance(milliseconds);
  }

  async #alive(): Promise<Facilitator> {
    for (;;) {
      if (this.#living?.dead === false) return this.#living.facilitator;
      const life: Life = { facilitator: this.#begin(() => life), dead: false };
      this.#living = life;
      try {
        await life.facilitator.start();
        return life.facilitator;
      } catch (error) {
        if (!this.#isDead(life)) throw error;
      }
    }
  }

  #isDead(life: Life): boolean {
    return life.dead;
  }

  #begin(life: () => Life): Facilitator {
    const requireLife = (): void => {
      if (life().dead) throw new Death('dead');
    };
    const mortal: Partial<Record<string, unknown>> = {};
    for (const [name, method] of Object.entries(this.#store) as [string, (...args: unknown[]) => Promise<unknown>][])
      mortal[name] = async (...args: unknown[]) => {
        requireLife();
        const result = await method(...args);
        requireLife();
        return result;
      };
    return createFacilitator({
      identity: facilitatorIdentity,
      parties: () => parties,
      store: mortal as unknown as FacilitatorStore,
      clock: this.clock,
      log: createLog('facilitator', 'silent'),
      // A contribution has two ciphertexts: in two blocks.
      limits: { blockBytes: 512 },
      checkpoint: (place) => {
        requireLife();
        if (!this.#fate(place as FacilitatorCheckpoint)) return;
        this.deaths += 1;
        life().dead = true;
        life().facilitator.stop();
        throw new Death(place);
      },
    });
  }
}

const quiet: SignedJob = signJob(describeJob({ job: 'quiet' }));
const proposal: SignedJob = signJob(describeJob());
const { job } = proposal.descriptor;
const rounds: readonly SignedRound[] = [1, 2, 3, 4].map((round) =>
  signRound(describeRound(proposal.descriptor, round)),
);

function roundOf(round: number): SignedRound {
  const signed = rounds[round - 1];
  assert.ok(signed !== undefined);
  return signed;
}

/** A job to whose sums the facilitator adds noise, and its round. */
const noise: WireNoise = {
  place: 'facilitator',
  unit: 'record',
  neighbours: 'zero-out',
  variance: '100',
  rho_per_round: { numerator: '1', denominator: '2' },
  rounds: 1,
};
const noisy: SignedJob = signJob(describeJob({ job: 'noisy', noise }));
const noisyRound: SignedRound = signRound(describeRound(noisy.descriptor, 1));
const noisyPlan = planFor(3, undefined, noise);
const noisyBytes: readonly Uint8Array[] = trio.map((_, number) =>
  sealVector(noisyPlan, createEncryptor(keys.publicKey), vectorOf(number)),
);

function contribute(world: World, round: number, owner: OwnerId, bytes = bytesOf(owner, round)) {
  return contributeTo(world, roundOf(round), owner, bytes);
}

function contributeTo(world: World, signed: SignedRound, owner: OwnerId, bytes: Uint8Array): Promise<SignedReceipt> {
  const { job, round } = signed.descriptor;
  const digest = objectDigest('round', signed.descriptor);
  const statement = contributionStatement(signed, digest, { owner, digest: sha256(bytes), bytes: bytes.length });
  const { digest: announced, bytes: length } = statement;
  const signature = signContribution(statement);
  return world.ask(async (facilitator) => {
    // In pieces that have nothing to do with ciphertexts.
    const body = Readable.from([bytes.subarray(0, 300), bytes.subarray(300, 301), bytes.subarray(301)]);
    const request = { job, round, owner, digest: announced, bytes: length, signature, body };
    return (await facilitator.contribute(identityOf(owner), request)).value;
  });
}

const ended = (world: World, round: number): Promise<void> =>
  world.waitFor(`round ${round} to end`, async (facilitator) => {
    return (await facilitator.round(mona, job, round)).status !== 'open';
  });

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof SealsumError ? error.code : String(error);
}

async function read(blocks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  for await (const block of blocks) found.push(block);
  return Buffer.concat(found);
}

/** A closed round has the exact sum of those that its manifest names, and accounts for every receipt. */
async function checkRound(
  world: World,
  round: number,
  who: readonly OwnerId[],
  receipts: readonly SignedReceipt[],
): Promise<void> {
  const { name } = facilitatorIdentity;
  const view = await world.ask((facilitator) => facilitator.round(mona, job, round));
  assert.ok(view.manifest !== undefined, `round ${round} is ${view.status}: ${view.reason}`);
  const contributors = verifyManifest(parties, name, roundOf(round), 1024, view.manifest);
  assert.deepEqual(new Set(contributors), new Set(who));
  for (const receipt of receipts) verifyInclusion(parties, name, receipt, view.manifest);
  const bytes = await world.ask(async (facilitator) => read((await facilitator.aggregate(mona, job, round)).blocks));
  assert.equal(sha256(bytes), view.manifest.manifest.aggregate_digest);
  assert.deepEqual(openSum(bytes, who.length), sumOf(who.map((owner) => numberOf(owner, round))));
}

/** A round to which the facilitator adds noise: once, however often it dies. */
async function liveWithNoise(world: World): Promise<void> {
  const { job: name } = noisy.descriptor;
  await world.ask((facilitator) => facilitator.createJob(mona, noisy));
  await world.ask((facilitator) => facilitator.openRound(mona, noisyRound));
  for (const [number, owner] of trio.entries())
    await contributeTo(world, noisyRound, owner, noisyBytes[number] ?? new Uint8Array());
  await world.waitFor('the noisy round to end', async (facilitator) => {
    return (await facilitator.round(mona, name, 1)).status !== 'open';
  });
  const bytes = await world.ask(async (facilitator) => read((await facilitator.aggregate(mona, name, 1)).blocks));
  const { values } = openVector(noisyPlan, createDecryptor(keys.privateKey), bytes, 3);
  const exact = sumOf([0, 1, 2]).values;
  const residuals = values.map((value, index) => Number(value - (exact[index] ?? 0n)));
  // One draw of σ = 10 in each of 60 values: 16σ is beyond all chance, and so is that more than 20 of them are 0.
  assert.ok(residuals.every((residual) => Math.abs(residual) <= 160));
  assert.ok(residuals.filter((residual) => residual === 0).length <= 20);
  await world.ask((facilitator) => facilitator.endJob(mona, name, 'finished'));
}

/** Everything that can happen in the life of a job, once. */
async function live(world: World): Promise<void> {
  await world.ask((facilitator) => facilitator.createJob(mona, quiet));
  await world.ask((facilitator) => facilitator.createJob(mona, proposal));
  for (const owner of trio) {
    const answer = signAnswer(answerTo(proposal.descriptor, owner, 'ready'));
    await world.ask((facilitator) => facilitator.answerJob(identityOf(owner), answer));
  }

  // All contribute; one first sends something that is refused at its very end; a restart in between.
  await world.ask((facilitator) => facilitator.openRound(mona, roundOf(1)));
  const receipts = [await contribute(world, 1, anna)];
  const spoiled = new Uint8Array(bytesOf(bert, 1)).fill(0, 512);
  assert.equal(await codeOf(contribute(world, 1, bert, spoiled)), 'ciphertext_invalid');
  await world.restart();
  receipts.push(await contribute(world, 1, bert), await contribute(world, 1, cora));
  await ended(world, 1);
  await checkRound(world, 1, trio, receipts);
  assert.deepEqual(await contribute(world, 1, anna), receipts[0]);

  // A deadline with a quorum; who comes late is told so.
  await world.ask((facilitator) => facilitator.openRound(mona, roundOf(2)));
  const two = [await contribute(world, 2, cora), await contribute(world, 2, anna)];
  await world.advance(30_000);
  await ended(world, 2);
  await checkRound(world, 2, [anna, cora], two);
  assert.equal(await codeOf(contribute(world, 2, bert)), 'round_closed');

  // A deadline without one, which passes while nobody is there.
  await world.ask((facilitator) => facilitator.openRound(mona, roundOf(3)));
  await contribute(world, 3, bert);
  await world.ask((facilitator) => {
    facilitator.stop();
    return facilitator.drained();
  });
  world.clock.advance(30_000);
  await world.restart();
  await ended(world, 3);
  const abandoned = await world.ask((facilitator) => facilitator.round(mona, job, 3));
  assert.deepEqual([abandoned.status, abandoned.missing], ['abandoned', [anna, cora]]);

  // Somebody leaves during a round.
  const answer = signAnswer(answerTo(proposal.descriptor, cora, 'withdrawn'));
  await world.ask((facilitator) => facilitator.openRound(mona, roundOf(4)));
  const four = [await contribute(world, 4, anna), await contribute(world, 4, bert)];
  await world.ask((facilitator) => facilitator.answerJob(identityOf(cora), answer));
  await ended(world, 4);
  await checkRound(world, 4, [anna, bert], four);

  await world.ask((facilitator) => facilitator.endJob(mona, job, 'finished'));
  assert.deepEqual(await contribute(world, 4, bert), four[1]);
  await liveWithNoise(world);
  // The other job was forgotten by its model owner.
  await world.advance(7 * 86_400_000);
  await world.waitFor('the job that was left behind to end', async (facilitator) => {
    // The upkeep of one that was born just now is due in no time.
    world.clock.advance(1);
    return (await facilitator.job(mona, quiet.descriptor.job)).status === 'failed';
  });
  await world.ask((facilitator) => facilitator.drained());
}

/** What is told, in the order in which it must have happened, whatever died in between. */
const story = [
  'quiet job.created',
  'job job.created',
  ...trio.map((owner) => `job owner.answered ${owner} ready`),
  'job round.opened 1',
  ...trio.map((owner) => `job round.contribution 1 ${owner}`),
  'job round.closed 1',
  'job round.opened 2',
  'job round.contribution 2 cora',
  'job round.contribution 2 anna',
  'job owner.answered bert absent',
  'job round.closed 2',
  'job round.opened 3',
  'job round.contribution 3 bert',
  'job owner.answered anna absent',
  'job owner.answered cora absent',
  'job round.abandoned 3',
  'job round.opened 4',
  'job round.contribution 4 anna',
  'job round.contribution 4 bert',
  'job owner.answered cora withdrawn',
  'job round.closed 4',
  'job job.ended finished',
  'noisy job.created',
  'noisy round.opened 1',
  ...trio.map((owner) => `noisy round.contribution 1 ${owner}`),
  'noisy round.closed 1',
  'noisy job.ended finished',
  'quiet job.ended failed',
];

async function check(world: World): Promise<void> {
  const { database } = world;
  const store = createFacilitatorStore(database, createAuditLog(facilitatorIdentity, world.clock));
  const events = await store.events(0, undefined, 1000);
  const told = events.map((event) =>
    [event.job, event.type, event.round, event.owner, event.status].filter((each) => each !== undefined).join(' '),
  );
  assert.deepEqual(told, story);
  const left = await database.read(({ rows }) =>
    rows.selectFrom('blocks').select(['job', 'round', 'series']).execute(),
  );
  assert.deepEqual(left, []);
  const entries = await readAuditLog(database, 0, 1000);
  const verified = await verifyLog(entries, [facilitatorIdentity]);
  assert.equal(verified.entries, entries.length);
  const jobs = await store.jobs();
  assert.deepEqual(
    jobs.map(({ signed, status }) => `${signed.descriptor.job} ${status}`),
    ['quiet failed', 'job finished', 'noisy finished'],
  );
}

test('a life without a death is what all others are held against', async () => {
  const places = new Map<string, number>();
  const world = await World.create((place) => {
    places.set(place, (places.get(place) ?? 0) + 1);
    return false;
  });
  await live(world);
  await check(world);
  assert.deepEqual(
    [...facilitatorCheckpoints].filter((place) => !places.has(place)),
    [],
  );
  await world.database.close();
});

for (const place of facilitatorCheckpoints)
  test(`it dies at ${place}`, async () => {
    for (const count of process.env.SLOW === undefined ? [1] : [1, 2, 3, 4, 5, 6, 7, 8]) {
      let left = count;
      const world = await World.create((reached) => {
        if (reached !== place) return false;
        left -= 1;
        return left === 0;
      });
      await live(world);
      await check(world);
      if (count === 1) assert.equal(world.deaths, 1);
      await world.database.close();
    }
  });

test('it dies again and again at places drawn by lot', async () => {
  const runs = process.env.SLOW === undefined ? 5 : 200;
  let deaths = 0;
  for (let seed = 1; seed <= runs; seed++) {
    // Park and Miller's generator: the same seed, the same deaths, if the same things happen in the same order.
    let state = seed * 7919;
    const world = await World.create(() => {
      state = (state * 48_271) % 2_147_483_647;
      return state % 12 === 0;
    });
    await live(world);
    await check(world);
    deaths += world.deaths;
    await world.database.close();
  }
  assert.ok(deaths > 2 * runs, `${deaths} deaths`);
});

test.run();

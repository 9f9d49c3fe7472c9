/** A data owner that is killed at every place, and at any sequence of places: nothing is lost, charged twice or sent in two versions. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type OwnerPolicy, openPolicy } from '../../../src/config/owner-policy.ts';
import { dataOwnerCheckpoints } from '../../../src/contributing/checkpoints.ts';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { multiplyRationals, rational } from '../../../src/privacy/rational.ts';
import type { JobId } from '../../../src/protocol/identifiers.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { verifyLog } from '../../../src/storage/audit-verification.ts';
import { storeCheckpoints } from '../../../src/storage/database.ts';
import { document, type Life, parameters, until, World } from './harness.ts';
import { annaIdentity, describe, describeRound, signJob, signRound } from './scripted-facilitator.ts';

const test = suite('a data owner that is killed');

const keys = createKeyChecks();
/** Not accepted, trained to its end, and left in its first round. */
const [refused, trained, left] = [
  { ...(await describe(document, 'refused')), quorum: 3 },
  await describe(document, 'trained'),
  await describe(document, 'left'),
];
const everyPlace: readonly string[] = [...dataOwnerCheckpoints, ...storeCheckpoints];

/**
 * Enough for the rounds that are charged of one job, and for all that the next one may have: were a round charged twice, the next job
 * would be refused.
 */
const { rhoPerRound, rounds } = termsOf(parseModel(document), 3).calibration ?? assert.fail('the job has no noise');
const policy: OwnerPolicy = {
  ...openPolicy,
  caps: { rhoTotal: multiplyRationals(rational(BigInt(3 + rounds)), rhoPerRound) },
  consent: 'ask',
};

/** Starts a process again whenever it dies. */
class Supervisor {
  readonly world: World;
  deaths = 0;
  readonly #dies: (place: string) => boolean;
  #life: Life | undefined;
  #starting: Promise<void> = Promise.resolve();

  constructor(world: World, dies: (place: string) => boolean) {
    this.world = world;
    this.#dies = dies;
  }

  async start(): Promise<void> {
    this.#starting = (async () => {
      const life = await this.world.live({ keys, dies: this.#dies, changes: { policy } });
      this.#life = life;
      void life.death.then(() => {
        this.deaths += 1;
        return this.start();
      });
    })();
    await this.#starting;
  }

  /** Says yes to a job once it waits for that, to one process after the other until one has heard it. */
  async approve(job: JobId): Promise<void> {
    await this.world.passUntil(`${job} waits, or is approved`, async () => {
      const kept = await this.world.store().job(job);
      if (kept === undefined || kept.status === 'joining') return false;
      if (kept.consent !== undefined) return true;
      const life = this.#life;
      if (life === undefined || life.dead) return false;
      // Who dies while it hears it answers nothing.
      const said = life.owner.decide(job, { decision: 'approve' }).catch(() => undefined);
      await Promise.race([said, life.death]);
      return false;
    });
  }

  /** Stops the process in order and starts another one, unless it dies meanwhile. */
  async restart(): Promise<void> {
    const life = this.#life;
    await life?.stop();
    if (life === this.#life && !(await isSettled(life?.death))) await this.start();
  }
}

async function isSettled(promise: Promise<unknown> | undefined): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

/** Everything that can happen to an owner, one thing after the other, each once the one before has been dealt with. */
async function story(world: World, supervisor: Supervisor): Promise<void> {
  const { script } = world;
  const store = world.store();
  const { job } = trained;
  const parts = async (name: JobId, status: string): Promise<void> => {
    await world.passUntil(`${name} is ${status}`, async () => (await store.job(name))?.status === status);
  };
  const settled = async (round: number): Promise<void> => {
    await world.passUntil(`round ${round} is settled`, async () => {
      const kept = await store.contribution(job, round);
      return kept !== undefined && kept.bytes === undefined;
    });
  };
  await supervisor.start();
  script.propose(signJob(refused));
  await world.passUntil('one job is refused', () => script.standing(refused.job) === 'refused');
  script.endJob(refused.job);
  await parts(refused.job, 'ended');

  script.propose(signJob(trained));
  await supervisor.approve(job);
  await world.passUntil('the other is accepted', () => script.standing(job) === 'ready');
  script.openRound(signRound(describeRound(trained, 1, parameters)));
  await settled(1);
  script.closeRound(job, 1);
  await supervisor.restart();

  // Too late, by as much as it takes to send.
  script.tampering.before = (request) => {
    if (request !== 'contribute') return;
    delete script.tampering.before;
    script.abandonRound(job, 2);
  };
  script.openRound(signRound(describeRound(trained, 2, parameters)));
  await settled(2);
  script.openRound(signRound(describeRound(trained, 3, parameters)));
  await settled(3);
  script.closeRound(job, 3);
  script.endJob(job);
  await parts(job, 'ended');

  script.propose(signJob(left));
  await supervisor.approve(left.job);
  await world.passUntil('the last is accepted', () => script.standing(left.job) === 'ready');
  script.openRound(signRound(describeRound(left, 1, [1])));
  await world.passUntil('it is left again', () => script.standing(left.job) === 'withdrawn');
  script.endJob(left.job);
  await parts(left.job, 'ended');
}

const untold = {
  [refused.job]: ['job.refused', 'job.ended'],
  [trained.job]: [
    'job.asked',
    'job.approved',
    'job.accepted',
    'round.charged 1',
    'contribution.kept 1',
    'contribution.acknowledged 1',
    'round.charged 2',
    'contribution.kept 2',
    'contribution.forgotten 2',
    'round.charged 3',
    'contribution.kept 3',
    'contribution.acknowledged 3',
    'job.ended',
  ],
  [left.job]: ['job.asked', 'job.approved', 'job.accepted', 'job.withdrawn', 'job.ended'],
};

/** What must be true at the end, however often the process died on the way. */
async function requireOneOfEverything(world: World): Promise<void> {
  const { script } = world;
  const { job } = trained;
  const store = world.store();
  const entries = await world.ledgerStore().entries();
  assert.deepEqual(
    entries.map((entry) => `${entry.job} ${entry.round}`),
    ['trained 1', 'trained 2', 'trained 3'],
  );
  for (const { statement } of script.sent) {
    const kept = await store.contribution(statement.job, statement.round);
    assert.equal(statement.digest, kept?.digest, `two versions of round ${statement.round} were sent`);
  }
  const statements = [1, 3].map((round) => script.taken(job, round)?.statement);
  assert.ok(!statements.includes(undefined));
  assert.equal(script.taken(job, 2), undefined);
  assert.deepEqual(
    (await store.receipts(job)).map(({ receipt }) => receipt),
    statements,
  );
  const answers = new Set(script.answers.map(({ answer }) => JSON.stringify(answer)));
  assert.equal(answers.size, 4, 'an answer was given in two versions');
  const log = await world.audit();
  await verifyLog(log, [annaIdentity]);
  for (const [name, told] of Object.entries(untold)) {
    const about = log.filter(({ body }) => body.job === name);
    assert.deepEqual(
      about.map(({ body }) => (body.round === undefined ? body.type : `${body.type} ${body.round}`)),
      told,
    );
  }
}

test('every place is reached when nobody is killed', async () => {
  await using world = await World.create();
  const reached = new Set<string>();
  const supervisor = new Supervisor(world, (place) => {
    reached.add(place);
    return false;
  });
  await story(world, supervisor);
  await until('the last place is reached', () => reached.size >= everyPlace.length);
  assert.deepEqual([...reached].sort(), [...everyPlace].sort());
  assert.equal(supervisor.deaths, 0);
  await requireOneOfEverything(world);
});

for (const place of everyPlace)
  test(`at ${place} goes on from there`, async () => {
    await using world = await World.create();
    let alive = true;
    const supervisor = new Supervisor(world, (reached) => {
      if (reached !== place || !alive) return false;
      alive = false;
      return true;
    });
    await story(world, supervisor);
    assert.equal(supervisor.deaths, 1);
    await requireOneOfEverything(world);
  });

test('again and again, wherever it is, gets everything done once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(70), { minLength: 1, maxLength: 8 }), async (lives) => {
      await using world = await World.create();
      const ends = [...lives];
      let steps = ends.shift();
      const supervisor = new Supervisor(world, () => {
        if (steps === undefined) return false;
        steps -= 1;
        if (steps >= 0) return false;
        steps = ends.shift();
        return true;
      });
      await story(world, supervisor);
      await requireOneOfEverything(world);
    }),
    { numRuns: process.env.SLOW === undefined ? 6 : 300 },
  );
});

test.run();

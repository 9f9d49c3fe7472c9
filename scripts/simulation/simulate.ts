/**
 * One simulation: the real parties on simulated time and a simulated network. Messages are dropped, delayed, repeated and
 * reordered, parties are killed and started anew, cut off and joined again, deadlines pass; every closed round must be the exact
 * sum of those whom its manifest names, every abandoned one must say who was missing, and in the end everything must end.
 *
 * Everything follows from the seed, so that what failed can be looked at again.
 */
import { Writable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { SealsumError } from '../../src/errors.ts';
import { createLog } from '../../src/http/log.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { jobIdSchema, type PartyId } from '../../src/protocol/identifiers.ts';
import { readAuditLog } from '../../src/storage/audit-log.ts';
import { verifyLog } from '../../src/storage/audit-verification.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import type { FacilitatorStore } from '../../src/storage/facilitator-store.ts';
import { createChance } from './chance.ts';
import { createRoundChecks } from './checks.ts';
import { Killed } from './life.ts';
import { createNetwork, type Network } from './network.ts';
import { modelDocument } from './sample.ts';
import { createTimeline } from './timeline.ts';
import { createWorld, type World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Happenings: messages that arrive, timers that fire, faults. After them everybody is left in peace until all has ended. */
  readonly operations: number;
  readonly keyPair: KeyPair;
  /** Comes between a facilitator and its store, to see that a facilitator that errs is found out. */
  readonly alter?: (store: FacilitatorStore) => FacilitatorStore;
  /** Told of everything that happens to the parties. */
  readonly tell: (what: string) => void;
}

export interface SimulationReport {
  readonly seed: number;
  readonly operations: number;
  readonly owners: number;
  readonly rounds: { readonly closed: number; readonly abandoned: number };
  readonly models: { readonly started: number; readonly finished: number; readonly failed: number };
  readonly deaths: number;
  readonly messages: Network['counts'];
  /** What must not be; empty when all is well. */
  readonly problems: readonly string[];
}

/** Seconds that a round waits, and the steps in which everything must have ended once nobody disturbs it any more. */
const deadlineSeconds = 60;
const peacefulSteps = 20_000;
/** Steps between two looks at whether everything has ended: all jobs are read for it. */
const lookEvery = 20;

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, operations, keyPair } = options;
  const chance = createChance(seed);
  const timeline = createTimeline(Date.UTC(2026, 0, 1));
  const network = createNetwork(timeline, chance.apart());
  const beginning = timeline.now();
  const tell = (what: string): void => {
    options.tell(`${((timeline.now() - beginning) / 1000).toFixed(3)} s: ${what}`);
  };
  const owners = chance.between(3, 5);
  const problems: string[] = [];
  const log = createLog('simulation', 'error', watchLog(problems));
  await using world = await createWorld({
    owners,
    keyPair,
    chance,
    timeline,
    network,
    log,
    tell,
    alter: options.alter ?? ((store) => store),
  });
  const checks = createRoundChecks(keyPair, owners);
  const started = new Set<string>();
  const removed = new Set<string>();
  /** The dead whose start is coming, and those of them whose time has come. */
  const awaited = new Set<PartyId>();
  const due = new Set<PartyId>();

  function startModel(): void {
    const gradient = chance.happens(0.8);
    const training = gradient
      ? { solver: 'gradient', rounds: chance.between(2, 12), optimizer: 'adam', learning_rate: 0.1 }
      : { solver: 'normal-equations' };
    const quorum = chance.between(2, owners - 1);
    const document = modelDocument({ owners, training, quorum, deadlineSeconds });
    const modelOwner = world.modelOwner();
    if (modelOwner === undefined) return;
    tell(`a model is posted: ${JSON.stringify(training)}, quorum ${quorum}`);
    modelOwner.train(document).then(
      ({ id }) => started.add(id),
      (error: unknown) => {
        if (!(error instanceof SealsumError) && !(error instanceof Killed))
          problems.push(`posting a model failed: ${String(error)}`);
      },
    );
  }

  function disturb(): void {
    const name = chance.oneOf(world.names);
    const kind = chance.next();
    if (kind < 0.5) world.kill(name);
    else if (kind < 0.9) {
      tell(`${name} is cut off`);
      network.separate(name, true);
      timeline.schedule(chance.between(500, 90_000), () => {
        network.separate(name, false);
      });
    } else if (kind < 0.95) startModel();
    else {
      const id = [...started].find((each) => !removed.has(each));
      const modelOwner = world.modelOwner();
      if (id === undefined || modelOwner === undefined || chance.happens(0.8)) return;
      removed.add(id);
      tell(`model ${id} is deleted`);
      modelOwner.remove(id).catch(() => removed.delete(id));
    }
  }

  /** Starts the dead anew: most of them soon, as whatever watches over a process does, and some when somebody has noticed. */
  async function supervise(): Promise<void> {
    for (const name of world.dead()) {
      if (awaited.has(name)) continue;
      awaited.add(name);
      const pause = chance.happens(0.8) ? chance.between(50, 15_000) : chance.between(15_000, 300_000);
      timeline.schedule(pause, () => due.add(name));
    }
    for (const name of due) {
      await world.start(name);
      awaited.delete(name);
    }
    due.clear();
  }

  async function step(): Promise<void> {
    await timeline.step();
    await supervise();
    const store = world.facilitatorStore();
    if (store !== undefined) problems.push(...(await checks.look(store)));
  }

  network.setFaults({ lost: 0.01, repeated: 0.03, slow: 0.03, broken: 0.005 });
  for (const name of world.names) await world.start(name);
  for (let operation = 0; operation < operations && problems.length === 0; operation++) {
    world.danger.probability = 0.001;
    if (operation === 20 || (operation > 20 && chance.happens(0.05) && (await isIdle(world)))) startModel();
    if (chance.happens(0.01)) disturb();
    await step();
  }

  tell('nobody is disturbed any more');
  world.danger.probability = 0;
  network.setFaults({ lost: 0, repeated: 0, slow: 0, broken: 0 });
  for (const name of world.names) {
    network.separate(name, false);
    await world.start(name);
  }
  const models = await comeToRest(world, step, problems);
  if (problems.length === 0) problems.push(...(await lastLook(world, models, checks, tell)));
  return {
    seed,
    operations,
    owners,
    rounds: checks.counts,
    models: {
      started: models.length,
      finished: models.filter(({ status }) => status === 'finished').length,
      failed: models.filter(({ status }) => status === 'failed').length,
    },
    deaths: world.deaths(),
    messages: network.counts,
    problems,
  };
}

/** Nobody may fail in a way that was not thought of: a log that notes every error which is neither ours nor a death. */
function watchLog(problems: string[]): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const { err, msg } = JSON.parse(chunk.toString('utf8')) as {
        err?: { type: string; message: string };
        msg: string;
      };
      const expected = ['Killed', 'SealsumError'];
      if (err !== undefined && !expected.includes(err.type) && !err.message.includes('killed at'))
        problems.push(`somebody was surprised: ${msg}: ${err.type}: ${err.message}`);
      done();
    },
  });
}

/** Whether a model owner is there, and no training is under way. */
async function isIdle(world: World): Promise<boolean> {
  const models = await world.modelStore()?.list();
  return models?.every(({ endedAt }) => endedAt !== undefined) === true;
}

type ModelRecords = Awaited<ReturnType<NonNullable<ReturnType<World['modelStore']>>['list']>>;

/** Goes on until every training and every job has ended. */
async function comeToRest(world: World, step: () => Promise<void>, problems: string[]): Promise<ModelRecords> {
  for (let steps = 0; problems.length === 0; steps++) {
    await step();
    if (steps % lookEvery !== 0) continue;
    const models = (await world.modelStore()?.list()) ?? [];
    const jobs = (await world.facilitatorStore()?.jobs()) ?? [];
    const open = [
      ...models.filter(({ endedAt }) => endedAt === undefined).map(({ id }) => `model ${id}`),
      ...jobs.filter(({ status }) => status === 'open').map(({ signed }) => `job ${signed.descriptor.job}`),
    ];
    if (open.length === 0) return models;
    if (steps === peacefulSteps)
      problems.push(`after ${steps} steps in peace these have not ended: ${open.join(', ')}`);
  }
  return (await world.modelStore()?.list()) ?? [];
}

/** What lost messages, dead parties and deadlines may make of a training. */
const expectedFailures: readonly string[] = ['facilitator_unreachable', 'owners_too_few', 'round_abandoned'];

/** What must hold in the end. */
async function lastLook(
  world: World,
  models: ModelRecords,
  checks: ReturnType<typeof createRoundChecks>,
  tell: (what: string) => void,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { id, status, parameters, failure, owners } of models) {
    tell(`model ${id} is ${status}${failure === undefined ? '' : `: ${failure.detail}`}`);
    if (status === 'failed' && !expectedFailures.includes(failure?.code ?? ''))
      problems.push(`model ${id} failed for a reason that no fault gives: ${JSON.stringify(failure)}`);
    for (const { owner, status: standing, reason = '' } of owners)
      if (standing === 'refused' || standing === 'withdrawn')
        problems.push(`${owner} has ${standing} model ${id}, which no fault is a reason for: ${reason}`);
    if (status === 'finished' && !isDeepStrictEqual(parameters, checks.parametersOf(jobIdSchema.parse(id))))
      problems.push(`model ${id} is not what the sums of its rounds lead to`);
  }
  const facilitatorStore = world.facilitatorStore();
  for (const name of world.names) {
    const life = world.lifeOf(name);
    if (life === undefined) continue;
    problems.push(...(await checkAudit(name, life)));
    if (!name.startsWith('owner-') || facilitatorStore === undefined) continue;
    const store = createDataOwnerStore(life.database, life.audit);
    const charges = await createLedgerStore(life.database).entries();
    for (const { job } of await store.jobs())
      for (const { receipt } of await store.receipts(job)) {
        if (charges.filter((each) => each.job === job && each.round === receipt.round).length !== 1)
          problems.push(`${name} has not charged round ${receipt.round} of job ${job} once`);
        const round = await facilitatorStore.round(receipt.job, receipt.round);
        const line = round?.manifest?.manifest.contributions.find(({ owner }) => owner === name);
        if (round?.state.status === 'closed' && line?.digest !== receipt.digest)
          problems.push(`round ${receipt.round} of job ${job} was acknowledged to ${name} and does not contain it`);
      }
  }
  return problems;
}

async function checkAudit(name: PartyId, life: NonNullable<ReturnType<World['lifeOf']>>): Promise<string[]> {
  try {
    await verifyLog(await readAuditLog(life.database, 0, 1_000_000), [life.identity]);
    return [];
  } catch (error) {
    return [`the audit log of ${name}: ${String(error)}`];
  }
}

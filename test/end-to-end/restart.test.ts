/** Every party is stopped and started anew in the middle of trainings, and the model comes out as if nobody had been. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import type { ModelEventRecord } from '../../src/storage/model-store.ts';
import { until as untilWithin } from '../support/until.ts';
import { dealtOut, linearSample } from './data.ts';
import { oneKey } from './keys.ts';
import {
  askFacilitator,
  type Cast,
  createCast,
  Folder,
  getJson,
  over,
  patience,
  postModel,
  type RunningOwner,
  type RunningParty,
  startFacilitator,
  startModelOwner,
  startOwner,
} from './parties.ts';

const test = suite('restarts end to end');

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const newKey = await oneKey();
const sample = linearSample(30);
const shares = dealtOut(sample, 3);
const rounds = 6;
const document = {
  ...sample.document,
  training: { solver: 'gradient', rounds, optimizer: 'adam', learning_rate: 0.1 },
  encryption: { key_bits: 2048 },
  // Longer than any test takes: whoever is away for a moment is waited for.
  participation: { quorum: 3, deadline_seconds: 600 },
};

/** All parties, each of which can be stopped and started anew with what it remembers. */
class Company implements AsyncDisposable {
  readonly cast: Cast = createCast(3);
  private readonly folder: Folder;
  private parties: { facilitator: RunningParty; modelOwner: RunningParty; owners: RunningOwner[] } | undefined;

  private constructor(folder: Folder) {
    this.folder = folder;
  }

  static async start(): Promise<Company> {
    const company = new Company(await Folder.create());
    const { cast, folder } = company;
    const facilitator = await startFacilitator({ cast });
    const owners: RunningOwner[] = [];
    for (const [index, text] of shares.entries()) {
      const name = `owner-${index + 1}`;
      const data = await folder.write(`${name}.csv`, text);
      owners.push(await startOwner({ cast, name, facilitator: facilitator.url, data }));
    }
    const modelOwner = await startModelOwner(cast, facilitator.url, { newKey });
    company.parties = { facilitator, modelOwner, owners };
    return company;
  }

  get running(): { facilitator: RunningParty; modelOwner: RunningParty; owners: RunningOwner[] } {
    assert.ok(this.parties !== undefined);
    return this.parties;
  }

  async restartFacilitator(): Promise<void> {
    const { facilitator } = this.running;
    await facilitator.stop();
    const { database, url } = facilitator;
    this.running.facilitator = await startFacilitator({ cast: this.cast, database, port: Number(new URL(url).port) });
  }

  async restartOwner(index: number): Promise<void> {
    const before = this.running.owners[index];
    assert.ok(before !== undefined);
    await before.stop();
    const { cast } = this;
    const name = before.owner;
    const data = `${this.folder.path}/${name}.csv`;
    const { url } = this.running.facilitator;
    this.running.owners[index] = await startOwner({ cast, name, facilitator: url, data, database: before.database });
  }

  async restartModelOwner(): Promise<void> {
    const { modelOwner, facilitator } = this.running;
    await modelOwner.stop();
    const { database } = modelOwner;
    this.running.modelOwner = await startModelOwner(this.cast, facilitator.url, { newKey, database });
  }

  /** Everybody is gone at the same time. */
  async restartAll(): Promise<void> {
    const { facilitator, modelOwner, owners } = this.running;
    await Promise.all([facilitator, modelOwner, ...owners].map((party) => party.stop()));
    await this.restartFacilitator();
    await this.restartModelOwner();
    await Promise.all(owners.map((_, index) => this.restartOwner(index)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { facilitator, modelOwner, owners } = this.running;
    for (const party of [modelOwner, ...owners, facilitator]) await party[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** A round that is summed, at the earliest, or a later one. */
async function summed(company: Company, id: string, round: number): Promise<void> {
  await until(`round ${round} is summed`, async () => {
    const view = await getJson<ModelView>(`${company.running.modelOwner.url}/models/${id}`);
    return view.status === 'failed' || (view.last_round?.round ?? 0) >= round;
  });
}

interface Outcome {
  /** As JSON: the same text is the same bits. */
  readonly parameters: string;
  readonly view: ModelView;
}

async function outcomeOf(company: Company, id: string): Promise<Outcome> {
  const { url } = company.running.modelOwner;
  const view = await over(company.running.modelOwner, id);
  assert.equal(view.status, 'finished', view.failure?.detail);
  const parameters = await (await fetch(`${url}/models/${id}/parameters`)).text();
  return { parameters, view };
}

/** A training in which nobody is disturbed. */
async function undisturbed(training: object): Promise<Outcome> {
  await using company = await Company.start();
  return await outcomeOf(company, await postModel(company.running.modelOwner, training));
}

const seen = await undisturbed(document);
const hidden = { ...document, model_visibility: 'encrypted' };

async function requireSame(company: Company, id: string, expected = seen): Promise<void> {
  const { parameters, view } = await outcomeOf(company, id);
  assert.equal(parameters, expected.parameters);
  assert.deepEqual(view.metrics, expected.view.metrics);
  assert.equal(view.updates, rounds);

  const { url } = company.running.modelOwner;
  const text = await (await fetch(`${url}/models/${id}/events`)).text();
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? '') as ModelEventRecord);
  assert.deepEqual(
    events.map((event) => event.id),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual(
    events.filter(({ type }) => type === 'round').map(({ round }) => [round?.round, round?.contributors]),
    Array.from({ length: rounds + 1 }, (_, index) => [index + 1, 3]),
  );
  // One charge for every round at every owner.
  for (const { ledgerStore } of company.running.owners)
    assert.deepEqual(
      (await ledgerStore.entries()).map(({ round }) => round),
      Array.from({ length: rounds + 1 }, (_, index) => index + 1),
    );
  const stage = { cast: company.cast, facilitator: company.running.facilitator };
  await until('the facilitator knows of the end', async () => {
    return (await askFacilitator<{ status: string }>(stage, `/jobs/${id}`)).status === 'finished';
  });
}

const disturbances: readonly { who: string; restart: (company: Company) => Promise<void> }[] = [
  { who: 'the facilitator', restart: (company) => company.restartFacilitator() },
  { who: 'the model owner', restart: (company) => company.restartModelOwner() },
  { who: 'a data owner', restart: (company) => company.restartOwner(1) },
  { who: 'everybody', restart: (company) => company.restartAll() },
];

for (const { who, restart } of disturbances)
  test(`${who} is started anew while owners answer, in the first rounds and later`, async () => {
    await using company = await Company.start();
    const id = await postModel(company.running.modelOwner, document);
    for (const round of [0, 1, 4]) {
      await summed(company, id, round);
      await restart(company);
    }
    await requireSame(company, id);
  });

test('parameters that only their owner sees: everybody, then the model owner alone, is started anew in the middle of rounds', async () => {
  const expected = await undisturbed(hidden);
  await using company = await Company.start();
  const id = await postModel(company.running.modelOwner, hidden);
  for (const round of [0, 2]) {
    await summed(company, id, round);
    await company.restartAll();
    await company.restartModelOwner();
  }
  await requireSame(company, id, expected);
});

test('one after the other is started anew, again and again', async () => {
  await using company = await Company.start();
  const id = await postModel(company.running.modelOwner, document);
  for (let turn = 0; turn < 5; turn++) {
    await summed(company, id, turn);
    if (turn % 3 === 0) await company.restartModelOwner();
    if (turn % 3 === 1) await company.restartFacilitator();
    if (turn % 3 === 2) await company.restartOwner(turn % 2);
  }
  await requireSame(company, id);
});

test('what a model predicts survives the restart of its owner', async () => {
  await using company = await Company.start();
  const evaluation = { rows: [[50, 3, 'south']] };
  const id = await postModel(company.running.modelOwner, {
    ...document,
    training: { solver: 'normal-equations' },
    evaluation,
  });
  await over(company.running.modelOwner, id);
  const before = await getJson(`${company.running.modelOwner.url}/prediction`);
  await company.restartModelOwner();
  assert.deepEqual(await getJson(`${company.running.modelOwner.url}/prediction`), before);
});

test.run();

/** Five parties on one machine, each a process of its own that is kept running, and those who use them over HTTP. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFacilitatorClient, type FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { type PartyId, partyIdSchema } from '../../src/protocol/identifiers.ts';
import type { Role } from '../../src/protocol/identity.ts';
import type { Chance } from './chance.ts';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { facilitatorName, modelOwnerName, type Project } from './project.ts';
import { type Document, dataOf, type OwnerName, ownerNames } from './samples.ts';
import type { StoreKind, Stores } from './stores.ts';
import { type Supervised, supervise } from './supervised.ts';

/** What GET /models/{id} says, as far as it is looked at here. */
export interface ModelView {
  readonly id: string;
  readonly status: string;
  readonly owners: readonly { readonly owner: string; readonly status: string }[];
  readonly updates: number;
  readonly planned_updates: number;
  readonly failure?: { readonly code: string; readonly detail: string };
}

export interface Consortium extends AsyncDisposable {
  readonly project: Project;
  readonly stores: Stores;
  readonly facilitator: Supervised;
  readonly modelOwner: Supervised;
  readonly owners: Readonly<Record<OwnerName, Supervised>>;
  /** All five. */
  readonly parties: readonly [Supervised, ...Supervised[]];
  /** Aborts when a party ends in any way that nobody asked for, or when its log says what must never be said. */
  readonly signal: AbortSignal;
  /** The facilitator as somebody sees it who belongs. */
  readonly clientOf: (party: PartyId) => FacilitatorClient;
  /** Puts records in the place of an owner's. */
  writeData(owner: OwnerName, text: string): Promise<void>;
  /** Starts those who do not run, with nowhere to die. */
  start(): void;
  /** Posts a model, again until it is there; returns its id. */
  post(document: Document): Promise<string>;
  model(id: string): Promise<ModelView | undefined>;
  /** Waits until a model is as it should be, and fails when it ends otherwise. */
  modelIs(what: string, id: string, holds: (model: ModelView) => boolean): Promise<ModelView>;
  /** Asks a party and returns its answer; undefined when there is none, be it for now. */
  readonly ask: (party: Supervised, path: string, method?: string, json?: unknown) => Promise<Answer | undefined>;
  /** Asks until the answer is a success, and reads its JSON. */
  read(party: Supervised, path: string): Promise<unknown>;
  /** What is known of everybody, for the report of a failure. */
  readonly report: () => string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface ConsortiumOptions {
  readonly project: Project;
  readonly kind: StoreKind;
  /** Empty; holds the stores and the data. */
  readonly folder: string;
  readonly mains: Readonly<Record<Role, string>>;
  readonly chance: Chance;
  /** What logs may complain of beside what everybody's may. */
  readonly known?: readonly RegExp[];
}

/** Whoever asks a model owner for something while the facilitator is dead is told so, and so is the log. */
const unreachable = /"code":"facilitator_unreachable".*"path":"\/models","msg":"request failed"/;

/** Milliseconds for one answer. */
const answerTime = 30_000;

export async function createConsortium(options: ConsortiumOptions): Promise<Consortium> {
  const { project, folder, mains, chance } = options;
  await mkdir(folder, { recursive: true });
  const stores = options.kind.create(folder);
  const known = [unreachable, ...(options.known ?? [])];
  const failure = new AbortController();
  const onFailed = (error: Error): void => {
    failure.abort(error);
  };
  const facilitatorUrl = `http://127.0.0.1:${await freePort()}`;

  function party(name: PartyId, role: Role, url: string, more: readonly string[]): Supervised {
    const level = process.env.SEALSUM_LOG_LEVEL ?? 'info';
    const common = ['--config', project.configOf(name), '--port', new URL(url).port, '--log-level', level];
    const args = [...common, '--store', stores.locationOf(name), ...more];
    return supervise({ name, role, url, main: mains[role], args, chance, known, onFailed });
  }

  const dataFile = (owner: string): string => join(folder, `${owner}.csv`);
  const facilitator = party(facilitatorName, 'facilitator', facilitatorUrl, []);
  const anywhere = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`;
  const told = ['--facilitator', facilitatorUrl];
  const modelOwner = party(modelOwnerName, 'model-owner', await anywhere(), told);
  const owner = async (name: OwnerName): Promise<Supervised> => {
    await writeFile(dataFile(name), dataOf(name));
    const more = [...told, '--data', dataFile(name)];
    return party(partyIdSchema.parse(name), 'data-owner', await anywhere(), more);
  };
  const owners = { north: await owner('north'), east: await owner('east'), south: await owner('south') };
  const parties = [facilitator, modelOwner, ...ownerNames.map((name) => owners[name])] as const;

  async function ask({ url }: Supervised, path: string, init: RequestInit = {}): Promise<Answer | undefined> {
    try {
      const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(answerTime) });
      const answer = { status: response.status, text: await response.text() };
      return answer.status >= 500 || answer.status === 429 ? undefined : answer;
    } catch {
      return undefined;
    }
  }

  function read(from: Supervised, path: string): Promise<unknown> {
    return eventually(`${from.name} to answer ${path}`, failure.signal, async () => {
      const answer = await ask(from, path);
      if (answer === undefined) return undefined;
      if (answer.status !== 200) throw new Error(`${from.name} answers ${path} with ${answer.status}: ${answer.text}`);
      return { body: JSON.parse(answer.text) as unknown };
    }).then(({ body }) => body);
  }

  async function ids(): Promise<readonly string[]> {
    const { models } = (await read(modelOwner, '/models')) as { readonly models: readonly ModelView[] };
    return models.map(({ id }) => id);
  }

  async function model(id: string): Promise<ModelView | undefined> {
    const answer = await ask(modelOwner, `/models/${id}`);
    if (answer === undefined) return undefined;
    if (answer.status !== 200) throw new Error(`model ${id}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as ModelView;
  }

  return {
    project,
    stores,
    facilitator,
    modelOwner,
    owners,
    parties,
    signal: failure.signal,
    clientOf: (name) => {
      const identity = project.identityOf(name);
      const signed = createSignedFetch({ identity, fetch, clock: systemClock, random: systemRandom });
      return createFacilitatorClient({ url: facilitatorUrl, fetch: signed, clock: systemClock, patience: 60_000 });
    },
    writeData: (name, text) => writeFile(dataFile(name), text),
    start: () => {
      for (const each of parties) {
        each.disarm();
        each.start();
      }
    },
    post: async (document) => {
      const before = new Set(await ids());
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) };
      return await eventually('a model to be taken', failure.signal, async () => {
        // It may have been taken although nobody could say so any more.
        const taken = (await ids()).find((id) => !before.has(id));
        if (taken !== undefined) return taken;
        const answer = await ask(modelOwner, '/models', init);
        if (answer === undefined) return undefined;
        if (answer.status !== 202) throw new Error(`the model is refused: ${answer.status} ${answer.text}`);
        return (JSON.parse(answer.text) as ModelView).id;
      });
    },
    model,
    modelIs: (what, id, holds) =>
      eventually(`model ${id}: ${what}`, failure.signal, async () => {
        const view = await model(id);
        if (view === undefined) return undefined;
        if (holds(view)) return view;
        if (['finished', 'failed', 'cancelled'].includes(view.status))
          throw new Error(`model ${id}: ${what}: it is ${view.status}: ${JSON.stringify(view.failure)}`);
        return undefined;
      }),
    ask: (from, path, method = 'GET', json?: unknown) => {
      if (json === undefined) return ask(from, path, { method });
      return ask(from, path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) });
    },
    read,
    report: () => parties.map(reportOf).join('\n'),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(parties.map((each) => each.hold()));
      await stores[Symbol.asyncDispose]();
    },
  };
}

function reportOf(party: Supervised): string {
  const died = `died at [${party.diedAt().join(', ')}], was killed ${party.kills()} times`;
  return `${party.name}: ${died}, is still to die at [${party.armed().join(', ')}]\n${party.tail()}`;
}

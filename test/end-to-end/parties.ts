/** Every party with a server of its own on a free port, in one process: what the three main.ts do, without the process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDataOwnerApp } from '../../parties/data-owner/app.ts';
import { openDataset } from '../../parties/data-owner/dataset.ts';
import { createDataOwner, type DataOwner } from '../../parties/data-owner/service.ts';
import { createFacilitatorApp } from '../../parties/facilitator/app.ts';
import { createFacilitator } from '../../parties/facilitator/service.ts';
import { createModelOwnerApp } from '../../parties/model-owner/app.ts';
import { createModelOwner, type ModelOwnerDependencies } from '../../parties/model-owner/service.ts';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createLog } from '../../src/http/log.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import { createLedger, type LedgerStore } from '../../src/privacy/ledger.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import { createMemoryDataOwnerStore } from '../../src/storage/data-owner-store.ts';
import { createMemoryFacilitatorStore } from '../../src/storage/memory-facilitator-store.ts';
import { createMemoryLedgerStore } from '../../src/storage/memory-ledger-store.ts';
import { createMemoryModelStore } from '../../src/storage/model-store.ts';
import { until } from '../support/until.ts';

const host = '127.0.0.1';

/** Milliseconds within which anything must have happened: only a limit, for busy machines. */
export const patience = 90_000;

export interface RunningParty extends AsyncDisposable {
  readonly url: string;
  /** What Ctrl-C does. May be called twice. */
  stop(): Promise<void>;
}

export interface RunningOwner extends RunningParty {
  readonly owner: OwnerId;
  readonly dataOwner: DataOwner;
  readonly ledgerStore: LedgerStore;
}

/** Stops a party once, by the signal first, as a process does. */
function stoppable(ending: AbortController, server: RunningServer): RunningParty {
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    ending.abort();
    stopped ??= Promise.resolve(server[Symbol.asyncDispose]());
    return stopped;
  };
  return { url: server.url, stop, [Symbol.asyncDispose]: stop };
}

export interface FacilitatorOptions {
  /** Any free one unless given. */
  readonly port?: number;
  /** By which its deadlines pass; the system's unless given. */
  readonly clock?: Clock;
}

export async function startFacilitator(options: FacilitatorOptions = {}): Promise<RunningParty> {
  const { port = 0, clock = systemClock } = options;
  const ending = new AbortController();
  const log = createLog('facilitator', 'silent');
  const facilitator = createFacilitator({ store: createMemoryFacilitatorStore(), clock, log });
  const app = createFacilitatorApp({ facilitator, clock, log, signal: ending.signal });
  return stoppable(ending, await startServer({ fetch: app.fetch, port, host, onStop: facilitator.stop }));
}

export interface OwnerOptions {
  readonly name: string;
  /** The URL of the facilitator. */
  readonly facilitator: string;
  /** The path of the data file. */
  readonly data: string;
  /** The ledger of an owner that was here before. */
  readonly ledgerStore?: LedgerStore;
}

/** Resolves once the facilitator lists the owner as connected. */
export async function startOwner({ name, facilitator, data, ...known }: OwnerOptions): Promise<RunningOwner> {
  const clock = systemClock;
  const ending = new AbortController();
  const { signal } = ending;
  const owner = name as OwnerId;
  const log = createLog(name, 'silent');
  const ledgerStore = known.ledgerStore ?? createMemoryLedgerStore();
  const ledger = createLedger(ledgerStore);
  const client = createFacilitatorClient({ url: facilitator, fetch, clock });
  const dataset = await openDataset(data);
  const store = createMemoryDataOwnerStore();
  const dataOwner = createDataOwner({ owner, client, dataset, store, ledger, clock, log, signal });
  const app = createDataOwnerApp({ owner, facilitatorUrl: facilitator, dataOwner, ledger, ledgerStore, log, signal });
  const party = stoppable(ending, await startServer({ fetch: app.fetch, port: 0, host }));
  void dataOwner.run();
  await until(
    `${name} is connected`,
    async () => dataOwner.connected() && (await client.owners(signal)).includes(owner),
    patience,
  );
  return { ...party, owner, dataOwner, ledgerStore };
}

export type ModelOwnerOptions = Partial<
  Pick<ModelOwnerDependencies, 'roster' | 'evaluationFile' | 'newKeyPair' | 'random' | 'clock'>
>;

export async function startModelOwner(facilitator: string, options: ModelOwnerOptions = {}): Promise<RunningParty> {
  const { clock = systemClock } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const log = createLog('model owner', 'silent');
  const client = createFacilitatorClient({ url: facilitator, fetch, clock });
  const modelOwner = createModelOwner({ client, store: createMemoryModelStore(), log, signal, ...options, clock });
  const app = createModelOwnerApp({ modelOwner, clock, log, signal });
  return stoppable(ending, await startServer({ fetch: app.fetch, port: 0, host, drain: () => modelOwner.idle() }));
}

/** A temporary folder of data files. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'sealsum-test-')));
  }

  async write(name: string, text: string): Promise<string> {
    const path = join(this.path, name);
    await writeFile(path, text);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export interface Consortium extends AsyncDisposable {
  readonly folder: Folder;
  readonly facilitator: RunningParty;
  readonly owners: readonly RunningOwner[];
  readonly modelOwner: RunningParty;
}

export interface ConsortiumOptions extends ModelOwnerOptions {
  /** The text of every owner's data file; their names are owner-1, owner-2 and so on. */
  readonly data: readonly string[];
  /** A facilitator that runs already and is stopped by others; a new one unless given. */
  readonly facilitator?: RunningParty;
  /** What an owner takes for the facilitator, such as a proxy before it; the facilitator unless given. */
  readonly lineOf?: (owner: string, facilitator: string) => string | undefined;
}

/** Every party, started in the order in which people would, and stopped in the reverse one. */
export async function startConsortium({
  data,
  lineOf,
  facilitator: given,
  ...options
}: ConsortiumOptions): Promise<Consortium> {
  const started: AsyncDisposable[] = [];
  const use = <T extends AsyncDisposable>(resource: T): T => {
    started.push(resource);
    return resource;
  };
  const stop = async (): Promise<void> => {
    for (const resource of started.splice(0).reverse()) await resource[Symbol.asyncDispose]();
  };
  try {
    const folder = use(await Folder.create());
    const facilitator = given ?? use(await startFacilitator());
    const owners: RunningOwner[] = [];
    for (const [index, text] of data.entries()) {
      const name = `owner-${index + 1}`;
      const line = lineOf?.(name, facilitator.url) ?? facilitator.url;
      const path = await folder.write(`${name}.csv`, text);
      owners.push(use(await startOwner({ name, facilitator: line, data: path })));
    }
    const modelOwner = use(await startModelOwner(facilitator.url, options));
    return { folder, facilitator, owners, modelOwner, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Posts a model.json and waits until its training is over, however it ended. */
export async function trainOver(modelOwner: RunningParty, document: unknown): Promise<ModelView> {
  const id = await postModel(modelOwner, document);
  return over(modelOwner, id);
}

export async function postModel(modelOwner: RunningParty, document: unknown): Promise<string> {
  const response = await postJson(`${modelOwner.url}/models`, document);
  const posted = (await response.json()) as ModelView & { detail?: string };
  if (response.status !== 202) throw new Error(`POST /models was answered ${response.status}: ${posted.detail ?? ''}`);
  return posted.id;
}

/** Follows the events of a model to their end. */
export async function over(modelOwner: RunningParty, id: string): Promise<ModelView> {
  const address = `${modelOwner.url}/models/${id}`;
  const events = await fetch(`${address}/events`, { signal: AbortSignal.timeout(patience) });
  await events.text();
  return getJson<ModelView>(address);
}

export function postJson(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
}

/** Asks twice where the first line breaks: a server closes idle ones when it likes. */
export async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url).catch(() => fetch(url));
  return (await response.json()) as T;
}

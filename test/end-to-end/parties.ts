/**
 * Every party with a server of its own on a free port, in one process: what the three main.ts do, without the process. Each
 * has a store in memory that outlives it, so that it may be stopped and started anew.
 */
import { createDataOwnerApp } from '../../parties/data-owner/app.ts';
import { openDatasets } from '../../parties/data-owner/datasets.ts';
import { createDataOwner, type DataOwner } from '../../parties/data-owner/service.ts';
import { createFacilitatorApp } from '../../parties/facilitator/app.ts';
import { createFacilitator } from '../../parties/facilitator/service.ts';
import { createModelOwnerApp } from '../../parties/model-owner/app.ts';
import { createModelOwner, type ModelOwnerDependencies } from '../../parties/model-owner/service.ts';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { type OwnerPolicy, openPolicy } from '../../src/config/owner-policy.ts';
import { authenticate } from '../../src/http/authentication.ts';
import { authorityOf } from '../../src/http/authority.ts';
import type { Dashboard } from '../../src/http/dashboard/serve.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createLog } from '../../src/http/log.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createTransport } from '../../src/http/transport.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { createLedger, type LedgerStore } from '../../src/privacy/ledger.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import { type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { Identity, Role } from '../../src/protocol/identity.ts';
import { createParties, type Parties } from '../../src/protocol/parties.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import { testIdentity } from '../support/identities.ts';
import { until } from '../support/until.ts';
import { Folder } from './folder.ts';

export { Folder };

const host = '127.0.0.1';

/** Milliseconds within which anything must have happened: only a limit, for busy machines. */
export const patience = 90_000;

/** Who plays which part: everybody knows everybody. */
export interface Cast {
  readonly facilitator: Identity;
  readonly modelOwner: Identity;
  /** Called owner-1, owner-2 and so on. */
  readonly owners: readonly Identity[];
  readonly parties: Parties;
}

export function createCast(owners: number): Cast {
  const facilitator = testIdentity('facilitator', 'facilitator');
  const modelOwner = testIdentity('model-owner', 'model-owner');
  const all = Array.from({ length: owners }, (_, index) => testIdentity(`owner-${index + 1}`, 'data-owner'));
  return { facilitator, modelOwner, owners: all, parties: createParties([facilitator, modelOwner, ...all]) };
}

/** 32 bytes under which a party of a test seals what it keeps. */
const storageKeyOf = (identity: Identity): Uint8Array => identity.derive('store key');

export interface RunningParty extends AsyncDisposable {
  readonly url: string;
  /** What it remembers; outlives stop(), not the end of its `await using`. */
  readonly database: Database;
  /** What Ctrl-C does. May be called twice. */
  stop(): Promise<void>;
}

/** Stops a party once, by the signal first, as a process does. */
function stoppable(ending: AbortController, server: RunningServer, database: Database): RunningParty {
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    ending.abort();
    stopped ??= Promise.resolve(server[Symbol.asyncDispose]());
    return stopped;
  };
  return {
    url: server.url,
    database,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await database.close();
    },
  };
}

/** The store of a party that was here before, or a new one. */
function memoryOf(role: Role, known: Database | undefined): Promise<Database> {
  return known === undefined ? openDatabase(':memory:', { role }) : Promise.resolve(known);
}

export interface FacilitatorOptions {
  readonly cast: Cast;
  /** Any free one unless given. */
  readonly port?: number;
  /** By which its deadlines pass; the system's unless given. Signatures are looked at by the system's in any case. */
  readonly clock?: Clock;
  readonly database?: Database;
  readonly dashboard?: Dashboard;
  /** Whose pages may be clients in browsers. */
  readonly origins?: readonly string[];
  /** Where it forwards what it folds as a part of a tree. */
  readonly upstream?: (facilitator: string) => FacilitatorClient | undefined;
  /** Stands between everybody and the app, and may lie. */
  readonly before?: (app: ServedApp) => ServedApp;
}

type ServedApp = (request: Request) => Response | Promise<Response>;

export interface RunningFacilitator extends RunningParty {
  /** From now on it also answers to this address, such as a proxy's before it. */
  alsoAt(url: string): void;
}

export async function startFacilitator(options: FacilitatorOptions): Promise<RunningFacilitator> {
  const { cast, port = 0, clock = systemClock, before = (app: ServedApp): ServedApp => app } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const log = createLog('facilitator', 'silent');
  const database = await memoryOf('facilitator', options.database);
  const store = createFacilitatorStore(database, createAuditLog(cast.facilitator, clock));
  const parties = (): Parties => cast.parties;
  const facilitator = createFacilitator({
    identity: cast.facilitator,
    parties,
    store,
    clock,
    log,
    ...(options.upstream === undefined ? {} : { upstream: options.upstream }),
  });
  const names: string[] = [];
  const nonces = createNonceStore(database);
  const authentication = authenticate({ parties, nonces, clock: systemClock, authorities: () => names });
  const app = createFacilitatorApp({
    facilitator,
    authentication,
    clock,
    log,
    signal,
    ...(options.origins === undefined ? {} : { origins: options.origins }),
    ...(options.dashboard === undefined ? {} : { dashboard: options.dashboard }),
  });
  await facilitator.start();
  const onStop = facilitator.stop;
  const served = before((request) => app.fetch(request));
  const server = await startServer({ fetch: served, port, host, onStop, drain: () => facilitator.drained() });
  names.push(...server.authorities);
  return {
    ...stoppable(ending, server, database),
    alsoAt: (url) => {
      names.push(authorityOf(url));
    },
  };
}

/** A client of the facilitator in the name of one of the cast. */
export function clientOf(
  identity: Identity,
  url: string,
  clock: Clock = systemClock,
  patience = 30_000,
): FacilitatorClient {
  return createFacilitatorClient({ url, fetch: fetchAs(identity), clock, patience });
}

/** As of a process of a party: Node 20's own fetch forgets to break off what it was asked to once garbage has been collected. */
const transport = createTransport();

/** fetch in the name of one of the cast. */
export function fetchAs(identity: Identity): typeof fetch {
  // The clock of a test may stand still; nobody's signature would be of now.
  return createSignedFetch({ identity, fetch: transport.fetch, clock: systemClock, random: systemRandom });
}

export interface RunningOwner extends RunningParty {
  readonly owner: OwnerId;
  readonly dataOwner: DataOwner;
  readonly ledgerStore: LedgerStore;
}

export interface OwnerOptions {
  readonly cast: Cast;
  readonly name: string;
  /** The URL of the facilitator. */
  readonly facilitator: string;
  /** The path of the data file. */
  readonly data: string;
  /** What it agrees to; everything unless given. */
  readonly policy?: OwnerPolicy;
  /** That of an owner that was here before. */
  readonly database?: Database;
  readonly dashboard?: Dashboard | undefined;
}

/** Resolves once the facilitator lists the owner as connected. */
export async function startOwner(options: OwnerOptions): Promise<RunningOwner> {
  const { cast, name, facilitator, data, policy = openPolicy, ...known } = options;
  const clock = systemClock;
  const ending = new AbortController();
  const { signal } = ending;
  const identity = cast.owners.find((each) => each.name === name);
  if (identity === undefined) throw new Error(`${name} is none of the cast`);
  const owner = ownerIdSchema.parse(name);
  const log = createLog(name, 'silent');
  const database = await memoryOf('data-owner', known.database);
  const ledgerStore = createLedgerStore(database);
  const ledger = createLedger(ledgerStore);
  const datasets = await openDatasets({ file: data, folder: `${data}.uploaded` });
  const dataOwner = await createDataOwner({
    identity,
    facilitator: cast.facilitator.name,
    parties: () => cast.parties,
    storageKey: storageKeyOf(identity),
    client: clientOf(identity, facilitator),
    datasets,
    store: createDataOwnerStore(database, createAuditLog(identity, clock)),
    ledger,
    policy,
    clock,
    log,
    signal,
  });
  const app = createDataOwnerApp({
    owner,
    facilitator: { name: cast.facilitator.name, url: facilitator },
    dataOwner,
    ledgerStore,
    datasets,
    policy,
    log,
    signal,
    storeTrouble: () => Promise.resolve(undefined),
    localAccess: { authorities: () => [], loopback: true },
    ...(known.dashboard === undefined ? {} : { dashboard: known.dashboard }),
  });
  const server = await startServer({ fetch: app.fetch, port: 0, host, drain: () => dataOwner.idle() });
  const party = stoppable(ending, server, database);
  void dataOwner.run();
  const asker = clientOf(cast.modelOwner, facilitator);
  await until(
    `${name} is connected`,
    async () => dataOwner.connected() && (await asker.owners(signal)).includes(owner),
    patience,
  );
  return { ...party, owner, dataOwner, ledgerStore };
}

export interface ModelOwnerOptions
  extends Partial<
    Pick<ModelOwnerDependencies, 'roster' | 'evaluationFile' | 'newKey' | 'random' | 'clock' | 'log' | 'checkpoint'>
  > {
  /** That of a model owner that was here before. */
  readonly database?: Database;
  /** What its people must show. */
  readonly token?: string;
  readonly dashboard?: Dashboard | undefined;
  /** Any free one unless given. */
  readonly port?: number;
}

/** @param facilitator the URL of the facilitator */
export async function startModelOwner(
  cast: Cast,
  facilitator: string,
  { database: known, token, dashboard, port = 0, ...options }: ModelOwnerOptions = {},
): Promise<RunningParty> {
  const { clock = systemClock, log = createLog('model owner', 'silent') } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const identity = cast.modelOwner;
  const database = await memoryOf('model-owner', known);
  const modelOwner = createModelOwner({
    identity,
    parties: () => cast.parties,
    facilitator: cast.facilitator.name,
    connect: (patience) => clientOf(identity, facilitator, clock, patience),
    store: createModelStore(database, createAuditLog(identity, clock)),
    storageKey: storageKeyOf(identity),
    ...options,
    log,
    clock,
    signal,
  });
  const access = { authorities: () => [], loopback: true, ...(token === undefined ? {} : { token }) };
  const app = createModelOwnerApp({
    modelOwner,
    clock,
    log,
    signal,
    access,
    ...(dashboard === undefined ? {} : { dashboard }),
  });
  await modelOwner.start();
  const server = await startServer({ fetch: app.fetch, port, host, drain: () => modelOwner.idle() });
  return stoppable(ending, server, database);
}

export interface Consortium extends AsyncDisposable {
  readonly cast: Cast;
  readonly folder: Folder;
  readonly facilitator: RunningParty;
  readonly owners: readonly RunningOwner[];
  readonly modelOwner: RunningParty;
}

export interface ConsortiumOptions extends ModelOwnerOptions {
  /** The text of every owner's data file; their names are owner-1, owner-2 and so on. */
  readonly data: readonly string[];
  /** A facilitator that runs already and is stopped by others, and its cast; a new one unless given. */
  readonly facilitator?: RunningParty;
  readonly cast?: Cast;
  /** What an owner takes for the facilitator, such as a proxy before it; the facilitator unless given. */
  readonly lineOf?: (owner: string, facilitator: string) => string | undefined;
  /** What an owner agrees to; everything unless given. */
  readonly policyOf?: (owner: string) => OwnerPolicy | undefined;
  /** The pages that a party serves; none unless given. */
  readonly dashboardOf?: (party: Identity) => Dashboard | undefined;
}

/** Every party, started in the order in which people would, and stopped in the reverse one. */
export async function startConsortium({
  data,
  lineOf,
  policyOf = () => undefined,
  dashboardOf = () => undefined,
  facilitator: given,
  cast = createCast(data.length),
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
    const shown = dashboardOf(cast.facilitator);
    const facilitator =
      given ?? use(await startFacilitator({ cast, ...(shown === undefined ? {} : { dashboard: shown }) }));
    const owners: RunningOwner[] = [];
    for (const [index, text] of data.entries()) {
      const name = `owner-${index + 1}`;
      const line = lineOf?.(name, facilitator.url) ?? facilitator.url;
      const path = await folder.write(`${name}.csv`, text);
      const policy = policyOf(name) ?? openPolicy;
      const identity = cast.owners[index];
      const dashboard = identity === undefined ? undefined : dashboardOf(identity);
      owners.push(use(await startOwner({ cast, name, facilitator: line, data: path, policy, dashboard })));
    }
    const dashboard = dashboardOf(cast.modelOwner);
    const modelOwner = use(await startModelOwner(cast, facilitator.url, { ...options, dashboard }));
    return { cast, folder, facilitator, owners, modelOwner, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Posts a model.json and waits until its training is over, however it ended. */
export async function trainOver(modelOwner: Pick<RunningParty, 'url'>, document: unknown): Promise<ModelView> {
  const id = await postModel(modelOwner, document);
  return over(modelOwner, id);
}

export async function postModel(modelOwner: Pick<RunningParty, 'url'>, document: unknown): Promise<string> {
  const response = await postJson(`${modelOwner.url}/models`, document);
  const posted = (await response.json()) as ModelView & { detail?: string };
  if (response.status !== 202) throw new Error(`POST /models was answered ${response.status}: ${posted.detail ?? ''}`);
  return posted.id;
}

/** Follows the events of a model to their end. */
export async function over(modelOwner: Pick<RunningParty, 'url'>, id: string): Promise<ModelView> {
  const address = `${modelOwner.url}/models/${id}`;
  const events = await fetch(`${address}/events`, { signal: AbortSignal.timeout(patience) });
  await events.text();
  return getJson<ModelView>(address);
}

export function postJson(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
}

/** Asks twice where the first line breaks: a server closes idle ones when it likes. */
export async function getJson<T>(url: string, send: typeof fetch = fetch): Promise<T> {
  const response = await send(url).catch(() => send(url));
  return (await response.json()) as T;
}

/** What the facilitator answers the model owner. */
export function askFacilitator<T>(
  { cast, facilitator }: Pick<Consortium, 'cast' | 'facilitator'>,
  path: string,
): Promise<T> {
  return getJson<T>(facilitator.url + path, fetchAs(cast.modelOwner));
}

/**
 * All parties in one process, as their processes have them: real services on real sockets, the owners and the model owner each with
 * a store in a file of its own. The facilitator's is in memory, so that the many requests that an owner makes of it under fire do
 * not wait for a disk.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { Registry } from 'prom-client';
import { createDataOwnerApp } from '../../parties/data-owner/app.ts';
import { type Datasets, openDatasets } from '../../parties/data-owner/datasets.ts';
import { createOwnerMeter, registerOwnerGauges } from '../../parties/data-owner/metrics.ts';
import { createDataOwner, type DataOwner } from '../../parties/data-owner/service.ts';
import { createModelOwnerApp } from '../../parties/model-owner/app.ts';
import { createMeasures } from '../../parties/model-owner/measures.ts';
import { createModelOwner } from '../../parties/model-owner/service.ts';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { LocalAccessOptions } from '../../src/http/local-access.ts';
import { createLog } from '../../src/http/log.ts';
import { type ServerLimits, startServer } from '../../src/http/server.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createTransport } from '../../src/http/transport.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { createLedger } from '../../src/privacy/ledger.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { createParties, type Parties } from '../../src/protocol/parties.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { testIdentity } from '../support/identities.ts';
import { until } from '../support/until.ts';
import { type FacilitatorParty, startFacilitatorParty } from './facilitator.ts';
import { wideLimits } from './world.ts';

/** One request that a party made of the facilitator, and what it was answered. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly sent: Uint8Array;
  /** Grows for as long as the answer arrives. */
  readonly received: Uint8Array[];
}

/** A party and everything that it holds, says and has heard. */
export interface LocalParty extends AsyncDisposable {
  readonly identity: Identity;
  readonly url: string;
  readonly port: number;
  readonly database: Database;
  /** The file of its store. */
  readonly store: string;
  /** Its log, at the level that says most. */
  readonly lines: readonly string[];
  readonly exchanges: readonly Exchange[];
  readonly storageKey: Uint8Array;
  /** The headers with which its own people ask. */
  readonly access: Readonly<Record<string, string>>;
}

export interface OwnerParty extends LocalParty {
  readonly service: DataOwner;
  readonly datasets: Datasets;
}

export interface Consortium extends AsyncDisposable {
  readonly parties: Parties;
  readonly facilitator: FacilitatorParty;
  readonly owners: readonly OwnerParty[];
  readonly modelOwner: LocalParty;
}

/** Awaited before a request of a party's goes to the facilitator. */
export type Gate = (who: Identity, method: string, path: string) => Promise<void>;

/** How the owners and the model owner serve their own people. */
export interface Serving {
  /** What those have to show; nothing unless told. */
  readonly token?: string;
  /** The greatest body, in bytes; as the parties have it unless told. */
  readonly bodyLimit?: number;
  readonly server?: Partial<ServerLimits>;
}

/** @param data the text of a data file for each owner, by its name */
export async function startConsortium(
  data: Readonly<Record<string, string>>,
  gate: Gate = () => Promise.resolve(),
  serving: Serving = {},
): Promise<Consortium> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-hostile-'));
  const running: AsyncDisposable[] = [];
  const stop = async (): Promise<void> => {
    for (const party of running.splice(0).reverse()) await party[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  try {
    const relay = testIdentity('relay', 'facilitator');
    const clinic = testIdentity('clinic', 'model-owner');
    const identities = Object.keys(data).map((name) => testIdentity(name, 'data-owner'));
    const parties = createParties([relay, clinic, ...identities]);
    const facilitator = await startFacilitatorParty({
      identity: relay,
      parties: () => parties,
      clock: systemClock,
      limiter: wideLimits,
    });
    running.push(facilitator);
    const owners: OwnerParty[] = [];
    for (const [name, text] of Object.entries(data)) {
      const place = join(folder, name);
      await mkdir(place);
      await writeFile(join(place, `${name}.csv`), text);
      const identity = testIdentity(name, 'data-owner');
      const owner = await startOwner({ identity, facilitator, parties, gate, serving }, place);
      running.push(owner);
      owners.push(owner);
    }
    const modelOwner = await startModelOwner({ identity: clinic, facilitator, parties, gate, serving }, folder);
    running.push(modelOwner);
    const connected = (): boolean => owners.every(({ service }) => service.connected());
    await until('all owners to be connected', connected, 30_000);
    return { parties, facilitator, owners, modelOwner, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Start {
  readonly identity: Identity;
  readonly facilitator: FacilitatorParty;
  readonly parties: Parties;
  readonly gate: Gate;
  readonly serving: Serving;
}

/** A server in front of a party's app, and how its own people get in. */
async function serve(
  { serving: { token, server: limits = {} } }: Start,
  createApp: (access: LocalAccessOptions) => Pick<OpenAPIHono, 'fetch'>,
) {
  const authorities: string[] = [];
  const app = createApp({ token, authorities: () => authorities, loopback: true });
  const server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1', limits });
  authorities.push(...server.authorities);
  return { server, access: token === undefined ? {} : { authorization: `Bearer ${token}` } };
}

const limitOf = ({ serving: { bodyLimit } }: Start) => (bodyLimit === undefined ? {} : { bodyLimit });

/** A party's way to the facilitator, with a copy of everything that goes over it. */
function connectTo({ facilitator, identity, gate }: Start) {
  const transport = createTransport();
  const exchanges: Exchange[] = [];
  const recording: typeof fetch = async (input, init = {}) => {
    const received: Uint8Array[] = [];
    const { body, method = 'GET' } = init;
    const { pathname: path } = new URL(input instanceof Request ? input.url : input);
    await gate(identity, method, path);
    exchanges.push({
      method,
      path,
      headers: Object.fromEntries(new Headers(init.headers)),
      sent: typeof body === 'string' ? Buffer.from(body) : body instanceof Uint8Array ? body : new Uint8Array(),
      received,
    });
    const response = await transport.fetch(input, init);
    if (response.body === null) return response;
    const copy = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        received.push(chunk.slice());
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(copy), response);
  };
  const source = { clock: systemClock, random: systemRandom };
  const signed = createSignedFetch({ identity, fetch: recording, ...source });
  return {
    exchanges,
    transport,
    client: (patience: number) => createFacilitatorClient({ url: facilitator.url, fetch: signed, patience, ...source }),
  };
}

async function startOwner(start: Start, folder: string): Promise<OwnerParty> {
  const { identity, facilitator, parties } = start;
  const clock = systemClock;
  const lines: string[] = [];
  const log = createLog(identity.name, 'trace', { write: (line: string) => lines.push(line) });
  const location = join(folder, 'store.db');
  const database = await openDatabase(location, { role: 'data-owner' });
  const stopping = new AbortController();
  const { signal } = stopping;
  const { exchanges, transport, client } = connectTo(start);
  const storageKey = identity.derive('storage of the test');
  const ledgerStore = createLedgerStore(database);
  const ledger = createLedger(ledgerStore, () => new Date(clock.now()));
  const metrics = new Registry();
  const datasets = await openDatasets({
    file: join(folder, `${identity.name}.csv`),
    folder: join(folder, `${identity.name} uploads`),
  });
  const service = await createDataOwner({
    identity,
    facilitator: facilitator.identity.name,
    parties: () => parties,
    storageKey,
    client: client(30_000),
    datasets,
    store: createDataOwnerStore(database, createAuditLog(identity, clock)),
    ledger,
    clock,
    log,
    signal,
    meter: createOwnerMeter(metrics),
  });
  registerOwnerGauges(metrics, ledger, service);
  const { server, access } = await serve(start, (localAccess) =>
    createDataOwnerApp({
      owner: identity.name,
      facilitator: { name: facilitator.identity.name, url: facilitator.url },
      dataOwner: service,
      ledgerStore,
      datasets,
      log,
      signal,
      storeTrouble: () => Promise.resolve(undefined),
      localAccess,
      metrics,
      ...limitOf(start),
    }),
  );
  const running = service.run();
  return {
    identity,
    url: server.url,
    port: server.port,
    database,
    store: location,
    lines,
    exchanges,
    storageKey,
    access,
    service,
    datasets,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await server[Symbol.asyncDispose]();
      await running;
      await service.idle();
      await transport[Symbol.asyncDispose]();
      await database.close();
    },
  };
}

async function startModelOwner(start: Start, folder: string): Promise<LocalParty> {
  const { identity, facilitator, parties } = start;
  const clock = systemClock;
  const lines: string[] = [];
  const log = createLog(identity.name, 'trace', { write: (line: string) => lines.push(line) });
  const location = join(folder, 'clinic.db');
  const database = await openDatabase(location, { role: 'model-owner' });
  const stopping = new AbortController();
  const { signal } = stopping;
  const { exchanges, transport, client } = connectTo(start);
  const storageKey = identity.derive('storage of the test');
  const store = createModelStore(database, createAuditLog(identity, clock));
  const metrics = new Registry();
  const service = createModelOwner({
    identity,
    parties: () => parties,
    facilitator: facilitator.identity.name,
    connect: client,
    store,
    storageKey,
    clock,
    log,
    signal,
    measures: createMeasures(metrics, store),
  });
  await service.start();
  const { server, access } = await serve(start, (localAccess) =>
    createModelOwnerApp({
      modelOwner: service,
      clock,
      log,
      signal,
      access: localAccess,
      metrics,
      ...limitOf(start),
    }),
  );
  return {
    identity,
    url: server.url,
    port: server.port,
    database,
    store: location,
    lines,
    exchanges,
    storageKey,
    access,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await server[Symbol.asyncDispose]();
      await service.idle();
      await transport[Symbol.asyncDispose]();
      await database.close();
    },
  };
}

/** Posts a model.json; the name of its job. */
export async function post(modelOwner: LocalParty, document: unknown): Promise<string> {
  const posted = await fetch(`${modelOwner.url}/models`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...modelOwner.access },
    body: JSON.stringify(document),
  });
  if (posted.status !== 202) throw new Error(`POST /models: ${posted.status} ${await posted.text()}`);
  return ((await posted.json()) as ModelView).id;
}

/** Waits until a training is over, however it ended. */
export async function over(modelOwner: LocalParty, id: string): Promise<ModelView> {
  const asked = { headers: modelOwner.access };
  await (await fetch(`${modelOwner.url}/models/${id}/events`, asked)).text();
  return (await (await fetch(`${modelOwner.url}/models/${id}`, asked)).json()) as ModelView;
}

export async function train(modelOwner: LocalParty, document: unknown): Promise<ModelView> {
  return over(modelOwner, await post(modelOwner, document));
}

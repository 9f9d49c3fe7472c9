/** A tree of facilitators over real sockets, a controller, and clients that reach all of them: stores are in memory unless told. */
import { createKeyChecks } from '../../src/contributing/key-checks.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { createParties } from '../../src/protocol/parties.ts';
import type { Database } from '../../src/storage/database.ts';
import { Client } from '../../src/vector-sum/client.ts';
import type { ClientOptions } from '../../src/vector-sum/client-options.ts';
import { memoryClientStore } from '../../src/vector-sum/client-store.ts';
import { Controller, type ControllerOptions, type VectorSumOptions } from '../../src/vector-sum/controller.ts';
import type { VectorSumJob } from '../../src/vector-sum/vector-sum-job.ts';
import { oneKey } from '../end-to-end/keys.ts';
import {
  type Cast,
  clientOf,
  createCast,
  type FacilitatorOptions,
  type RunningFacilitator,
  startFacilitator,
} from '../end-to-end/parties.ts';
import { testIdentity } from '../support/identities.ts';

const newKey = await oneKey();
const keys = createKeyChecks();

export interface TreeStageOptions {
  readonly owners: number;
  /** The names of the facilitators below the root, which is called `facilitator`. */
  readonly below: readonly string[];
  /** Stands before one of them, and may lie. */
  readonly before?: (name: string, cast: Cast) => FacilitatorOptions['before'];
  /** Stands between one of them and its parent, and may lie. */
  readonly upstream?: (name: string, client: FacilitatorClient, identity: Identity) => FacilitatorClient;
  /** Which of them knows no other. */
  readonly alone?: string;
  readonly clock?: Clock;
  readonly controllerOptions?: Partial<ControllerOptions>;
}

export interface TreeStage extends AsyncDisposable {
  readonly cast: Cast;
  readonly urls: Readonly<Record<string, string>>;
  readonly controller: Controller;
  readonly clients: readonly Client[];
  /** A client in the name of an owner, counted from 0. */
  client(index: number, options?: Partial<ClientOptions>): Client;
  facilitator(name: string): RunningFacilitator;
  identity(name: string): Identity;
  /** Stops one as a process is, and starts it anew on its port with what it remembers. */
  stop(name: string): Promise<void>;
  start(name: string): Promise<void>;
  /** A job of exact sums with small keys, folded by all of them as leaves unless told. */
  job(options?: Partial<VectorSumOptions>): Promise<VectorSumJob>;
}

export async function setTreeStage(options: TreeStageOptions): Promise<TreeStage> {
  const { owners, below, before, clock = systemClock } = options;
  const plain = createCast(owners);
  const identities = new Map<string, Identity>([
    ['facilitator', plain.facilitator],
    ...below.map((name) => [name, testIdentity(name, 'facilitator')] as const),
  ]);
  const cast: Cast = { ...plain, parties: createParties([...identities.values(), plain.modelOwner, ...plain.owners]) };
  const identity = (name: string): Identity => {
    const found = identities.get(name);
    if (found === undefined) throw new Error(`there is no facilitator ${name}`);
    return found;
  };
  const running = new Map<string, RunningFacilitator>();
  const databases = new Map<string, Database>();
  const urls: Record<string, string> = {};

  async function start(name: string): Promise<void> {
    const known = urls[name];
    const stands = before?.(name, { ...cast, facilitator: identity(name) });
    const database = databases.get(name);
    const facilitator = await startFacilitator({
      cast: { ...cast, facilitator: identity(name) },
      ...(known === undefined ? {} : { port: Number(new URL(known).port) }),
      ...(database === undefined ? {} : { database }),
      ...(stands === undefined ? {} : { before: stands }),
      clock,
      upstream: (to) => {
        const url = urls[to];
        if (url === undefined || name === options.alone) return undefined;
        const client = clientOf(identity(name), url, systemClock, Number.POSITIVE_INFINITY);
        return options.upstream?.(name, client, identity(name)) ?? client;
      },
    });
    running.set(name, facilitator);
    databases.set(name, facilitator.database);
    urls[name] = facilitator.url;
  }

  for (const name of identities.keys()) await start(name);
  const { facilitator: root = '', ...facilitators } = urls;
  const shared = {
    facilitator: root,
    facilitatorName: 'facilitator',
    facilitators,
    parties: cast.parties,
    clock: systemClock,
  };
  const controller = await Controller.create({
    ...shared,
    identity: cast.modelOwner,
    newKey,
    ...options.controllerOptions,
  });
  const opened: Client[] = [];
  const client = (index: number, more: Partial<ClientOptions> = {}): Client => {
    const who = cast.owners[index];
    if (who === undefined) throw new Error(`there is no owner ${index}`);
    const made = new Client({ ...shared, identity: who, store: memoryClientStore(), keys, ...more });
    opened.push(made);
    return made;
  };
  const clients = cast.owners.map((_, index) => client(index));
  return {
    cast,
    urls,
    controller,
    clients,
    client,
    facilitator: (name) => {
      const found = running.get(name);
      if (found === undefined) throw new Error(`${name} does not run`);
      return found;
    },
    identity,
    stop: async (name) => {
      await running.get(name)?.stop();
    },
    start,
    job: (more = {}) =>
      controller.createJob({
        length: 3,
        bits: 32,
        bound: 1024,
        keyBits: 2048,
        deadlineSeconds: 60,
        groups: { size: 3 },
        ...more,
      }),
    [Symbol.asyncDispose]: async () => {
      for (const each of opened) await each.close();
      await controller.close();
      for (const each of running.values()) await each.stop();
      for (const each of databases.values()) await each.close();
    },
  };
}

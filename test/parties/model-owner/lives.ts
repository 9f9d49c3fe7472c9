/** The lives of a model owner: one service after the other over the same store, each ended at any point as kill -9 would. */
import { randomBytes } from 'node:crypto';
import type { ModelOwnerCheckpoint } from '../../../parties/model-owner/checkpoints.ts';
import {
  createModelOwner,
  type ModelOwner,
  type ModelOwnerDependencies,
} from '../../../parties/model-owner/service.ts';
import type { NewKeySource } from '../../../src/collecting/new-key.ts';
import { createLog } from '../../../src/http/log.ts';
import { generateKeyPair } from '../../../src/paillier/key-generation.ts';
import { blumCount, rootCount } from '../../../src/paillier/modulus-proof.ts';
import { systemClock } from '../../../src/protocol/clock.ts';
import { createAuditLog } from '../../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../../src/storage/database.ts';
import { createModelStore } from '../../../src/storage/durable-model-store.ts';
import type { ModelRecord, ModelStore } from '../../../src/storage/model-store.ts';
import type { Sample } from '../../end-to-end/data.ts';
import { until } from '../../support/until.ts';
import { createMemoryConsortium, type MemoryConsortium } from './consortium.ts';

/** One key for all tests of a file, and no proof: the owners of a MemoryConsortium ask for none. */
export async function sharedKey(): Promise<NewKeySource> {
  const keyPair = await generateKeyPair({ bits: 2048 });
  const answer = { x: 'AQ', a: 0, b: 0, z: 'AQ' } as const;
  const proof = { w: 'AQ', roots: Array<string>(rootCount).fill('AQ'), blum: Array(blumCount).fill(answer) };
  return () => Promise.resolve({ keyPair, prove: () => Promise.resolve(proof) });
}

export interface Life {
  readonly modelOwner: ModelOwner;
  /** Resolves when it has died, with the place. */
  readonly died: Promise<string>;
  /** From now on nothing that it asks is answered. */
  kill(): void;
  /** What SIGTERM does. */
  park(): Promise<void>;
  /** The places that it has reached. */
  readonly reached: readonly string[];
}

export interface LifeOptions
  extends Partial<Pick<ModelOwnerDependencies, 'evaluationFile' | 'clock' | 'log' | 'measures'>> {
  readonly consortium: MemoryConsortium;
  readonly store: ModelStore;
  readonly storageKey: Uint8Array;
  readonly newKey: NewKeySource;
  /** Where it dies: a place, and how often that must have been reached. */
  readonly deadAt?: { readonly place: ModelOwnerCheckpoint; readonly count?: number };
  /** Where SIGTERM reaches it. */
  readonly parkAt?: ModelOwnerCheckpoint;
}

/** What nobody lives to see. */
class Died extends Error {}

export function startLife({ consortium, store, deadAt, parkAt, ...options }: LifeOptions): Life {
  const ending = new AbortController();
  const reached: string[] = [];
  let alive = true;
  let tellDeath: (place: string) => void = () => undefined;
  const died = new Promise<string>((resolve) => {
    tellDeath = resolve;
  });
  let left = deadAt?.count ?? 1;
  const isAlive = (): boolean => alive;
  const modelOwner = createModelOwner({
    identity: consortium.modelOwner,
    parties: () => consortium.parties,
    facilitator: consortium.facilitator.name,
    connect: (patience) => mortal(consortium.connect(patience), isAlive),
    store: mortal(store, isAlive),
    clock: systemClock,
    log: createLog('model owner', 'silent'),
    signal: ending.signal,
    checkpoint: (place) => {
      if (!alive) throw new Died(place);
      reached.push(place);
      if (place === parkAt) ending.abort();
      if (place !== deadAt?.place) return;
      left -= 1;
      if (left > 0) return;
      alive = false;
      tellDeath(place);
      throw new Died(place);
    },
    ...options,
  });
  return {
    modelOwner,
    died,
    reached,
    kill: () => {
      alive = false;
      tellDeath('anywhere');
    },
    park: async () => {
      ending.abort();
      await modelOwner.idle();
    },
  };
}

/** An object of which no method ever answers once its user has died. */
function mortal<T extends object>(target: T, isAlive: () => boolean): T {
  return new Proxy(target, {
    get: (object, name, receiver) => {
      const value: unknown = Reflect.get(object, name, receiver);
      if (typeof value !== 'function') return value;
      return (...parameters: unknown[]): unknown => (isAlive() ? Reflect.apply(value, object, parameters) : silence());
    },
  });
}

/** A promise and an async generator that never comes to anything. */
function silence(): object {
  const never = new Promise<never>(() => undefined);
  return Object.assign(never, { [Symbol.asyncIterator]: () => ({ next: () => never }) });
}

/** A store, and a consortium around it. */
export interface World {
  readonly consortium: MemoryConsortium;
  readonly store: ModelStore;
  readonly database: Database;
  live(options?: Partial<LifeOptions>): Life;
  /** A model once its training is over and forgotten. */
  ended(id: string): Promise<ModelRecord>;
}

/** Milliseconds within which anything must have happened: only a limit, for busy machines. */
export const patience = 60_000;

/** Makes worlds in which all are for one model: three owners with a third of the rows each. */
export function newWorlds(newKey: NewKeySource, document: unknown, sample: Sample): () => Promise<World> {
  return async () => {
    const consortium = await createMemoryConsortium(document, sample);
    const database = await openDatabase(':memory:', { role: 'model-owner' });
    const store = createModelStore(database, createAuditLog(consortium.modelOwner, systemClock));
    const storageKey = randomBytes(32);
    return {
      consortium,
      store,
      database,
      live: (options) => startLife({ consortium, store, storageKey, newKey, ...options }),
      ended: async (id) => {
        let record: ModelRecord | undefined;
        const isOver = async (): Promise<boolean> => {
          record = await store.get(id);
          return record?.endedAt !== undefined && (await store.training(id)) === undefined;
        };
        await until('the training has ended and is forgotten', isOver, patience);
        if (record === undefined) throw new Error(`there is no model ${id}`);
        return record;
      },
    };
  };
}

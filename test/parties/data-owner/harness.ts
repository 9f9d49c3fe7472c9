/** A data owner over a store in memory and a scripted facilitator, that can be killed at any place and started again. */
import { join } from 'node:path';
import { type Datasets, openDatasets } from '../../../parties/data-owner/datasets.ts';
import { createDataOwner, type DataOwner, type DataOwnerDependencies } from '../../../parties/data-owner/service.ts';
import type { KeyChecks } from '../../../src/contributing/key-checks.ts';
import { createLog, type Logger } from '../../../src/http/log.ts';
import { createLedger, type LedgerStore } from '../../../src/privacy/ledger.ts';
import type { AuditEntry } from '../../../src/storage/audit.ts';
import { createAuditLog, readAuditLog } from '../../../src/storage/audit-log.ts';
import type { AskedJobStore } from '../../../src/storage/data-owner-store.ts';
import { type Database, openDatabase } from '../../../src/storage/database.ts';
import { createDataOwnerStore } from '../../../src/storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../../../src/storage/durable-ledger-store.ts';
import { linearSample, textOf } from '../../end-to-end/data.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';
import { until as untilWithin } from '../../support/until.ts';
import { annaIdentity, facilitator, parties, ScriptedFacilitator } from './scripted-facilitator.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';

export const sample: ReturnType<typeof linearSample> = linearSample(12);

/** A model of four updates, with five parameters. */
export const document: Readonly<Record<string, unknown>> = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 4 },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 30 },
  privacy: { rho: 0.5 },
};
export const parameters: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5];

export const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, 90_000);

/** What outlives a process of anna's: her disk, her data, and whom she follows. */
export class World implements AsyncDisposable {
  readonly script: ScriptedFacilitator = new ScriptedFacilitator();
  readonly clock: TestClock = createTestClock();
  readonly folder: TemporaryFolder;
  readonly datasets: Datasets;
  readonly database: Database;
  readonly lines: string[] = [];
  /** Called by the store at its own places. */
  atStore: (place: string) => void = () => undefined;
  readonly #lives: Life[] = [];

  private constructor(folder: TemporaryFolder, datasets: Datasets, database: Database) {
    this.folder = folder;
    this.datasets = datasets;
    this.database = database;
  }

  static async create(text: string = textOf(sample)): Promise<World> {
    const folder = await temporaryFolder();
    const file = await folder.write('data.csv', text);
    const datasets = await openDatasets({ file, folder: join(folder.path, 'datasets') });
    const worlds: World[] = [];
    const checkpoint = (place: string): void => worlds[0]?.atStore(place);
    const world = new World(folder, datasets, await openDatabase(':memory:', { role: 'data-owner', checkpoint }));
    worlds.push(world);
    return world;
  }

  /** Starts a process of anna's. */
  async live(options: LifeOptions = {}): Promise<Life> {
    const life = new Life(this, options);
    this.#lives.push(life);
    await life.begin();
    return life;
  }

  /** The store as a process sees it. */
  store(): AskedJobStore {
    return createDataOwnerStore(this.database, createAuditLog(annaIdentity, this.clock));
  }

  ledgerStore(): LedgerStore {
    return createLedgerStore(this.database);
  }

  audit(): Promise<readonly AuditEntry[]> {
    return readAuditLog(this.database, 0, 10_000);
  }

  /** What the audit log says, without the proofs of it. */
  async auditTypes(): Promise<string[]> {
    return (await this.audit()).map(({ body }) =>
      body.round === undefined ? body.type : `${body.type} ${body.round}`,
    );
  }

  /** Rounds in the order of their charges. */
  async charged(): Promise<number[]> {
    return (await this.ledgerStore().entries()).map(({ round }) => round);
  }

  /** Lets time pass, a second at a time, until something holds. */
  async passUntil(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    await until(what, async () => {
      this.clock.advance(1000);
      return await holds();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const life of this.#lives) await life.stop();
    await this.database.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

export interface LifeOptions {
  /** Told of every place that is reached, the store's too; true kills the process there. */
  readonly dies?: (place: string) => boolean;
  readonly keys?: KeyChecks;
  readonly changes?: Partial<DataOwnerDependencies>;
}

/** What a process throws where it dies: nothing after it happens. */
class Death extends Error {}

/** One process of anna's. A dead one hears nothing any more, and nothing it does has an effect. */
export class Life {
  readonly world: World;
  dead = false;
  readonly #options: LifeOptions;
  readonly #stop = new AbortController();
  /** Resolves when the process dies. */
  readonly death: Promise<void>;
  #die: () => void = () => undefined;
  #owner: DataOwner | undefined;
  #beginning: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  constructor(world: World, options: LifeOptions) {
    this.world = world;
    this.#options = options;
    this.death = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  begin(): Promise<void> {
    this.#beginning = this.#begin();
    return this.#beginning;
  }

  async #begin(): Promise<void> {
    const { world } = this;
    const at = (place: string): void => {
      if (this.dead) throw new Death();
      if (this.#options.dies?.(place) !== true) return;
      this.dead = true;
      // Only so that it no longer listens: whatever hears of this is dead.
      this.#stop.abort();
      this.#die();
      throw new Death(place);
    };
    world.atStore = at;
    const log: Logger = createLog('anna', 'trace', {
      write: (line: string) => {
        if (!this.dead) world.lines.push(line);
      },
    });
    const ledger = createLedger(world.ledgerStore(), () => new Date(world.clock.now()));
    const creating = createDataOwner({
      identity: annaIdentity,
      facilitator: facilitator.name,
      parties: () => parties,
      storageKey: annaIdentity.derive('storage of the test'),
      client: this.#mortal(world.script.client),
      datasets: world.datasets,
      store: this.#mortal(world.store()),
      ledger: this.#mortal(ledger),
      clock: world.clock,
      log,
      signal: this.#stop.signal,
      ...(this.#options.keys === undefined ? {} : { keys: this.#options.keys }),
      checkpoint: at,
      ...this.#options.changes,
    });
    await Promise.race([this.death, creating]);
    if (this.dead) return;
    this.#owner = await creating;
    this.#running = this.#owner.run();
    this.#running.catch(() => undefined);
  }

  get owner(): DataOwner {
    if (this.#owner === undefined) throw new Error('this process has not begun');
    return this.#owner;
  }

  /** Settles as following the facilitator does. */
  ended(): Promise<void> {
    return this.#running;
  }

  /** As Ctrl-C does; a dead process is only cleared away. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.dead) return;
    // The last of many lives may be stopped when it has only just been given.
    await this.#beginning.catch(() => undefined);
    await this.#running.catch(() => undefined);
    await this.#owner?.idle();
    this.dead = true;
  }

  /** Whatever is asked by a dead process is never answered, whatever was asked before neither. */
  #mortal<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (of, name, receiver): unknown => {
        const method: unknown = Reflect.get(of, name, receiver);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]): unknown => {
          if (this.dead) return silence();
          const result: unknown = Reflect.apply(method, of, args);
          if (!(result instanceof Promise)) return result;
          return result.then(
            (value: unknown) => (this.dead ? silence() : value),
            (error: unknown) => {
              if (this.dead) return silence();
              throw error;
            },
          );
        };
      },
    });
  }
}

function silence(): Promise<never> {
  return new Promise(() => undefined);
}

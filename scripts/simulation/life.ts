/**
 * One life of a party's process: from its start to the moment it is killed. What it has on disk stays; whatever else it was
 * doing stops there and then, and nothing it would still do has any effect.
 */
import type { RandomBytes } from '../../src/paillier/random.ts';
import type { Checkpoint } from '../../src/protocol/checkpoints.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { type AuditLog, createAuditLog } from '../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import type { OpenLogFile } from '../../src/storage/sqlite-log.ts';
import { type Chance, createChance } from './chance.ts';
import type { Network } from './network.ts';
import type { Timeline } from './timeline.ts';

export interface Life {
  readonly identity: Identity;
  readonly alive: () => boolean;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
  readonly database: Database;
  readonly audit: AuditLog;
  readonly checkpoint: Checkpoint;
  /** For nonces, encryption and jitter. */
  readonly random: RandomBytes;
  /** Runs when the party dies, such as taking its server from the network. */
  onDeath(action: () => void): void;
  /** kill -9. */
  kill(): void;
  /** Resolves once nothing holds its store open any more. */
  gone(): Promise<void>;
}

/** How often a party dies at a checkpoint that it passes; changed while the simulation runs. */
export interface Danger {
  probability: number;
}

export interface LifeOptions {
  readonly identity: Identity;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly chance: Chance;
  readonly danger: Danger;
  /** The path of the party's store. */
  readonly store: string;
  /** Told when it dies by itself, at a checkpoint. */
  readonly onDied: (place: string) => void;
}

/** What a party that was killed at a checkpoint stumbles over, so that it does not go on. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

/**
 * Random bytes, for every length from a stream of its own: encryption takes its time from the machine and may come before or
 * after a wait, whose jitter must be the same all the same.
 */
function streamsOf(chance: Chance): RandomBytes {
  const streams = new Map<number, Chance>();
  const seed = chance.between(0, 2 ** 32 - 1);
  return (length) => {
    const stream = streams.get(length) ?? createChance(seed + length);
    streams.set(length, stream);
    return stream.bytes(length);
  };
}

export async function startLife(options: LifeOptions): Promise<Life> {
  const { identity, timeline, network, chance, danger } = options;
  const stop = new AbortController();
  const deaths: (() => void)[] = [];
  let living = true;
  let closed: Promise<void> | undefined;
  const alive = (): boolean => living;
  const clock = timeline.clockFor(alive);

  const kill = (): void => {
    if (!living) return;
    living = false;
    for (const action of deaths) action();
    // Only so that its computations stop too; nothing they lead to has any effect.
    stop.abort();
  };
  const checkpoint: Checkpoint = (place) => {
    if (living && chance.happens(danger.probability)) {
      kill();
      options.onDied(place);
    }
    if (!living) throw new Killed(`killed at ${place}`);
  };
  const database = await openDatabase(options.store, { role: identity.role, checkpoint, openLog: openUntimed });
  return {
    identity,
    alive,
    clock,
    fetch: network.fetchFor(identity.name, alive),
    signal: stop.signal,
    database,
    audit: createAuditLog(identity, clock),
    checkpoint,
    random: streamsOf(chance),
    onDeath: (action) => {
      deaths.push(action);
    },
    kill,
    gone: () => {
      closed ??= database.close();
      return closed;
    },
  };
}

/** A log that is on the disk at once: what happens meanwhile would depend on how long a disk takes. A kill takes nothing from it. */
const openUntimed: OpenLogFile = () =>
  Promise.resolve({ datasync: () => Promise.resolve(), close: () => Promise.resolve() });

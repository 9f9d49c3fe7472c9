/** What a facilitator is made of, and what it may be told. */
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { type Checkpoint, noCheckpoint } from '../../src/protocol/checkpoints.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import type { FacilitatorStore, Retention } from '../../src/storage/facilitator-store.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import { createTurns, type Turns } from '../../src/threads/turns.ts';
import { type Books, createBooks } from './books.ts';
import { type FacilitatorCheckpoint, facilitatorCheckpoint } from './checkpoints.ts';
import { createFacilitatorMetrics, type FacilitatorMetrics } from './metrics.ts';

export interface FacilitatorLimits {
  /** The greatest contribution in bytes; a job whose plan needs more is refused. 64 MiB. */
  readonly contributionBytes: number;
  /** Bytes of the blocks in which contributions are kept and multiplied; the same for the whole life of a store. 256 KiB. */
  readonly blockBytes: number;
  /** Bytes that all contributions that are arriving may have in memory together: a block each. 64 MiB. */
  readonly uploadBytes: number;
  /** Tables for re-randomising in memory, each of up to 18 MB and for one job; 0: none are built. 4. */
  readonly tables: number;
  /** Open jobs of one model owner. 100. */
  readonly openJobs: number;
  /** Days after which an open job in which nothing happened is ended. 7. */
  readonly idleJobDays: number;
}

export interface FacilitatorDependencies {
  readonly identity: Identity;
  /** Everybody who belongs, now. */
  readonly parties: () => Parties;
  readonly store: FacilitatorStore;
  readonly clock: Clock;
  /** The facilitators to which this one may contribute what it has folded, where a job says so; none unless given. */
  readonly upstream?: (facilitator: PartyId) => FacilitatorClient | undefined;
  /** Those of the event loop; by default shared by this facilitator's own work alone. */
  readonly turns?: Turns;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool | undefined;
  readonly log: Logger;
  /** Names uploads and re-randomises aggregates; the operating system's generator unless told. */
  readonly random?: RandomBytes;
  readonly checkpoint?: Checkpoint;
  readonly metrics?: FacilitatorMetrics;
  readonly limits?: Partial<FacilitatorLimits>;
  readonly retention?: Partial<Retention>;
}

/** The same with nothing left out, and the books that are kept with it. */
export interface FacilitatorContext
  extends Required<Omit<FacilitatorDependencies, 'limits' | 'retention' | 'checkpoint'>> {
  readonly limits: FacilitatorLimits;
  readonly retention: Retention;
  readonly checkpoint: (place: FacilitatorCheckpoint) => void;
  readonly books: Books;
}

export function createContext(dependencies: FacilitatorDependencies): FacilitatorContext {
  const { identity, parties, store, clock, log } = dependencies;
  const metrics = dependencies.metrics ?? createFacilitatorMetrics();
  const turns = dependencies.turns ?? createTurns(() => clock.monotonic());
  return {
    identity,
    parties,
    store,
    clock,
    upstream: dependencies.upstream ?? (() => undefined),
    turns,
    pool: dependencies.pool,
    log,
    random: dependencies.random ?? systemRandom,
    checkpoint: facilitatorCheckpoint(dependencies.checkpoint ?? noCheckpoint),
    metrics,
    limits: {
      contributionBytes: 64 * 2 ** 20,
      blockBytes: 2 ** 18,
      uploadBytes: 64 * 2 ** 20,
      tables: 4,
      openJobs: 100,
      idleJobDays: 7,
      ...dependencies.limits,
    },
    retention: { rounds: 2, endedJobs: 1000, endedJobDays: 30, events: 100_000, ...dependencies.retention },
    books: createBooks({ facilitator: identity.name, parties, store, clock, log, metrics, eventLoop: turns }),
  };
}

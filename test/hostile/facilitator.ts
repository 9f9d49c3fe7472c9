/** A facilitator as a process has it, over a real socket and with everything that it keeps in one store. */
import type { Registry } from 'prom-client';
import { createFacilitatorApp } from '../../parties/facilitator/app.ts';
import type { FacilitatorLimits } from '../../parties/facilitator/context.ts';
import { createFacilitatorMetrics } from '../../parties/facilitator/metrics.ts';
import { createFacilitator, type Facilitator } from '../../parties/facilitator/service.ts';
import { authenticate } from '../../src/http/authentication.ts';
import { createLimiter, type Limits } from '../../src/http/limits.ts';
import { createLog } from '../../src/http/log.ts';
import { type ServerLimits, startServer } from '../../src/http/server.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import type { Retention } from '../../src/storage/facilitator-store.ts';

export interface FacilitatorParty extends AsyncDisposable {
  readonly identity: Identity;
  readonly url: string;
  readonly port: number;
  readonly facilitator: Facilitator;
  readonly database: Database;
  /** Its log, at the level that says most. */
  readonly lines: readonly string[];
  readonly metrics: Registry;
}

export interface FacilitatorPartyOptions {
  readonly identity: Identity;
  readonly parties: () => Parties;
  readonly clock: Clock;
  /** The path of its store; in memory unless told. */
  readonly location?: string;
  readonly port?: number;
  readonly server?: Partial<ServerLimits>;
  readonly limits?: Partial<FacilitatorLimits>;
  readonly retention?: Partial<Retention>;
  readonly limiter?: Partial<Limits>;
  /** The greatest body that is not a contribution, in bytes. */
  readonly jsonLimit?: number;
}

export async function startFacilitatorParty(options: FacilitatorPartyOptions): Promise<FacilitatorParty> {
  const { identity, parties, clock, location = ':memory:', jsonLimit = 2 ** 20 } = options;
  const lines: string[] = [];
  const log = createLog('facilitator', 'trace', { write: (line: string) => lines.push(line) });
  const database = await openDatabase(location, { role: 'facilitator' });
  const metrics = createFacilitatorMetrics();
  const store = createFacilitatorStore(database, createAuditLog(identity, clock));
  const facilitator = createFacilitator({
    identity,
    parties,
    store,
    clock,
    log,
    metrics,
    limits: options.limits ?? {},
    retention: options.retention ?? {},
  });
  const ending = new AbortController();
  const authorities: string[] = [];
  const app = createFacilitatorApp({
    facilitator,
    authentication: authenticate({
      parties,
      nonces: createNonceStore(database),
      clock,
      authorities: () => authorities,
      limiter: createLimiter(clock, options.limiter),
      jsonLimit,
    }),
    clock,
    log,
    signal: ending.signal,
    metrics: metrics.registry,
  });
  await facilitator.start();
  const server = await startServer({
    fetch: app.fetch,
    port: options.port ?? 0,
    host: '127.0.0.1',
    limits: options.server ?? {},
    onStop: facilitator.stop,
    drain: () => facilitator.drained().then(() => database.close()),
  });
  authorities.push(...server.authorities);
  return {
    identity,
    url: server.url,
    port: server.port,
    facilitator,
    database,
    lines,
    metrics: metrics.registry,
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

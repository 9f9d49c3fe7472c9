/** Where a client keeps what it must not forget: what it answered, what it sent, and what it has spent. */
import type { LedgerStore } from '../privacy/ledger.ts';
import { type Clock, systemClock } from '../protocol/clock.ts';
import type { Identity } from '../protocol/identity.ts';
import { createAuditLog } from '../storage/audit-log.ts';
import type { DataOwnerStore } from '../storage/data-owner-store.ts';
import { openDatabase } from '../storage/database.ts';
import { createDataOwnerStore } from '../storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../storage/durable-ledger-store.ts';
import { createMemoryDataOwnerStore, createMemoryLedgerStore } from '../storage/memory-data-owner-store.ts';

export interface ClientStore {
  /** Answers, contributions and receipts. */
  readonly jobs: DataOwnerStore;
  readonly ledger: LedgerStore;
}

/**
 * A durable store, as data owner processes have it: `sealsum verify-log` and `sealsum backup` know it.
 *
 * @param location the path of a SQLite file, or a postgres:// URL
 * @param identity signs the audit log
 * @throws SealsumError config_invalid, store_unavailable
 */
export async function openClientStore(
  location: string,
  identity: Identity,
  clock: Clock = systemClock,
): Promise<ClientStore & AsyncDisposable> {
  const database = await openDatabase(location, { role: 'data-owner' });
  return {
    jobs: createDataOwnerStore(database, createAuditLog(identity, clock)),
    ledger: createLedgerStore(database),
    [Symbol.asyncDispose]: () => database.close(),
  };
}

/**
 * A store that is lost when the process or the page ends: what was spent is forgotten with it, and a round that was contributed
 * to cannot be contributed to again. For tests, and for pages that keep the ledger elsewhere.
 *
 * @param ledger where charges are kept instead
 */
export function memoryClientStore(ledger: LedgerStore = createMemoryLedgerStore()): ClientStore {
  return { jobs: createMemoryDataOwnerStore(), ledger };
}

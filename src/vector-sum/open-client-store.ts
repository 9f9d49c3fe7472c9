/** Where a client keeps what it must not forget, on disk. */
import { type Clock, systemClock } from '../protocol/clock.ts';
import type { Identity } from '../protocol/identity.ts';
import { createAuditLog } from '../storage/audit-log.ts';
import { openDatabase } from '../storage/database.ts';
import { createDataOwnerStore } from '../storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../storage/durable-ledger-store.ts';
import type { ClientStore } from './client-store.ts';

/**
 * A durable store, as data owner processes have it: `sealsum verify log` and `sealsum backup` know it.
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

/** Where a client keeps what it must not forget: what it answered, what it sent, and what it has spent. */
import type { LedgerStore } from '../privacy/ledger.ts';
import type { DataOwnerStore } from '../storage/data-owner-store.ts';
import { createMemoryDataOwnerStore, createMemoryLedgerStore } from '../storage/memory-data-owner-store.ts';

/** What a client must not forget. */
export interface ClientStore {
  /** Answers, contributions and receipts. */
  readonly jobs: DataOwnerStore;
  readonly ledger: LedgerStore;
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

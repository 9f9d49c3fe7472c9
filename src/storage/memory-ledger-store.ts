/** A data owner's ledger for as long as its process lives. */
import type { LedgerEntry, LedgerStore } from '../privacy/ledger.ts';

export function createMemoryLedgerStore(): LedgerStore {
  const entries: LedgerEntry[] = [];
  return {
    append: (entry) => {
      entries.push(entry);
      return Promise.resolve();
    },
    entries: () => Promise.resolve([...entries]),
  };
}

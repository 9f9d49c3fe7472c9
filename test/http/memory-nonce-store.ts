/** Nonces remembered in memory, and what a test wants to know of them. */
import type { Fingerprint } from '../../src/protocol/identity.ts';
import type { NonceStore } from '../../src/storage/nonce-store.ts';

export interface MemoryNonceStore extends NonceStore {
  readonly size: () => number;
}

export function createMemoryNonceStore(): MemoryNonceStore {
  const used = new Map<string, number>();
  return {
    use: (key: Fingerprint, nonce, expiresAt) => {
      const name = `${key} ${nonce}`;
      if (used.has(name)) return Promise.resolve(false);
      used.set(name, expiresAt);
      return Promise.resolve(true);
    },
    forget: (before) => {
      for (const [name, expiresAt] of used) if (expiresAt < before) used.delete(name);
      return Promise.resolve();
    },
    size: () => used.size,
  };
}

/**
 * Which nonces have been used: what makes a signed request worth something only once. It outlives its process, or a request
 * that was overheard could be sent again after a restart.
 */
import type { Fingerprint } from '../protocol/identity.ts';

export interface NonceStore {
  /**
   * Uses a nonce up: true exactly once for a key and a nonce, however many ask at the same time. When this resolves it survives
   * the death of the process, but need not be on disk yet: no change that is acknowledged later is there without it.
   *
   * @param nonce 22 characters of base64url
   * @param expiresAt milliseconds since 1970 until which it must be remembered
   */
  use(key: Fingerprint, nonce: string, expiresAt: number): Promise<boolean>;
  /** Forgets what expired before a moment, in milliseconds since 1970. */
  forget(before: number): Promise<void>;
}

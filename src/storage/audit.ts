/** What a party notes of itself in its audit log: hash-chained, signed entries, written together with what they tell of. */
import type { Fingerprint } from '../protocol/identity.ts';

/** Who did what to what; names, counts and digests, never a value. */
export interface AuditBody {
  /** For example `round.closed` */
  readonly type: string;
  readonly job?: string;
  readonly round?: number;
  readonly owner?: string;
  readonly details?: Readonly<Record<string, string | number>>;
}

export interface AuditEntry {
  /** Counted from 1. */
  readonly sequence: number;
  /** RFC 3339. */
  readonly at: string;
  readonly body: AuditBody;
  /** The hash of the entry before, 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256 of the entry without hash and signature, kind `audit entry`. */
  readonly hash: string;
  readonly key: Fingerprint;
  /** Of the entry without hash and signature, as objects of kind `audit entry` are signed; base64url. */
  readonly signature: string;
}

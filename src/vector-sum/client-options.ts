/** What a client is given, and what it gives back. */
import { type OwnerPolicy, ownerPolicy, ownerPolicySchema, type PolicyTable } from '../config/owner-policy.ts';
import type { KeyChecks } from '../contributing/key-checks.ts';
import { SealsumError } from '../errors.ts';
import { parseMessage } from '../http/problem.ts';
import type { SignedReceipt } from '../protocol/round-messages.ts';
import type { ThreadPool } from '../threads/pool.ts';
import type { ClientStore } from './client-store.ts';
import type { ConnectionOptions } from './connection.ts';
import type { Expected } from './vector-job.ts';

/** Who a client is, and what it keeps and agrees to. */
export interface ClientOptions extends ConnectionOptions {
  /** What must not be forgotten; openClientStore() keeps it on disk. */
  readonly store: ClientStore;
  /** What this owner agrees to, in the words of [policy] in a data owner's config.toml; everything unless given. */
  readonly policy?: PolicyTable | OwnerPolicy;
  /** 32 secret bytes that stay the same when the identity gets a new key; they follow from the identity unless given. */
  readonly storageKey?: Uint8Array;
  /** What the program is made for: a job that is otherwise is refused. */
  readonly expects?: Expected;
  /** What the ledger calls the data that vectors are made of: each has the caps for itself. `vectors` unless given. */
  readonly dataset?: string;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool;
  /** The proofs of keys that were found good, for clients that share them; its own unless given. */
  readonly keys?: KeyChecks;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What goes with a vector. */
export interface SubmitOptions extends CallOptions {
  /** A whole number from 1 to the job's `max_weight`; 1 unless given. */
  readonly weight?: number;
  /** What the caller takes the job to be, beside what the client is made for. */
  readonly expects?: Expected;
}

/** What became of a vector. */
export interface Submission {
  /** The facilitator's, for `sealsum verify receipt`. */
  readonly receipt: SignedReceipt;
  /** The L2 norm of the vector that was given, and whether it was shortened to the job's norm. Nobody else is told. */
  readonly norm: number;
  readonly clipped: boolean;
}

/**
 * A program that calls join() has decided, so that nobody is left to be asked; what a configuration says is never passed over.
 *
 * @throws SealsumError config_invalid
 */
export function policyOf(table: PolicyTable | OwnerPolicy | undefined): OwnerPolicy {
  if (table?.consent === 'ask')
    throw new SealsumError(
      'config_invalid',
      'policy.consent: "ask" is for the process of a data owner, which its people use; a program asks them before it calls join(): give it a policy without consent',
      { field: 'policy.consent' },
    );
  if (table !== undefined && 'caps' in table) return table;
  const fields = parseMessage(ownerPolicySchema, table ?? {}, 'policy');
  return ownerPolicy(
    fields,
    (field, why) => new SealsumError('config_invalid', `policy.${field}: ${why}`, { field: `policy.${field}` }),
  );
}

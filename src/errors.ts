/**
 * One error for the whole house: a class, a closed list of codes, a message that names what was wrong and how to mend it.
 *
 * Messages carry names, positions, sizes and limits. They never carry a secret, a plaintext or a record's value.
 */

/** Every way in which sealsum refuses, by the layer that refuses. */
export type ErrorCode =
  // paillier
  | 'key_invalid'
  | 'key_too_small'
  | 'ciphertext_invalid'
  | 'plaintext_out_of_range'
  | 'exponent_out_of_range'
  | 'backend_unavailable'
  // encoding
  | 'number_not_finite'
  | 'number_out_of_bounds'
  | 'plan_unsafe'
  | 'plan_mismatch'
  | 'slot_overflow'
  | 'count_mismatch'
  | 'weight_zero'
  // privacy
  | 'privacy_invalid'
  | 'policy_refused'
  | 'consent_conflict'
  // learning
  | 'model_invalid'
  | 'data_invalid'
  | 'dataset_unknown'
  | 'dataset_conflict'
  | 'matrix_singular'
  // protocol
  | 'message_invalid'
  | 'job_unknown'
  | 'job_conflict'
  | 'job_ended'
  | 'owner_not_on_roster'
  | 'owners_too_few'
  | 'round_unknown'
  | 'round_conflict'
  | 'round_open'
  | 'round_closed'
  | 'round_abandoned'
  | 'contribution_conflict'
  | 'tag_mismatch'
  | 'manifest_invalid'
  // identities and signatures
  | 'identity_invalid'
  | 'party_unknown'
  | 'signature_missing'
  | 'signature_invalid'
  | 'signature_expired'
  | 'nonce_reused'
  | 'role_forbidden'
  | 'passphrase_wrong'
  | 'session_missing'
  | 'login_invalid'
  // storage
  | 'store_unavailable'
  | 'log_broken'
  // configuration
  | 'config_invalid'
  // models at the model owner
  | 'model_unknown'
  | 'model_unfinished'
  // http
  | 'route_unknown'
  | 'media_type_unsupported'
  | 'body_too_large'
  | 'body_too_slow'
  | 'too_many_requests'
  | 'overloaded'
  | 'facilitator_unreachable'
  | 'request_failed'
  | 'aborted'
  | 'internal';

/** What may accompany an error besides its message. */
export interface ErrorDetails {
  /** The error underneath, kept for logs. */
  readonly cause?: unknown;
  /** The field, slot, column or argument that was refused, as its owner would name it. */
  readonly field?: string;
  /** The line of a data file, counted from 1 as an editor counts. */
  readonly line?: number;
  /** The whole seconds after which it may be tried again. */
  readonly retryAfter?: number;
}

/** The only error class that sealsum throws on purpose; branch on `code`, show `message`. */
export class SealsumError extends Error {
  override readonly name = 'SealsumError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly line: number | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.field = details.field;
    this.line = details.line;
    this.retryAfter = details.retryAfter;
  }
}

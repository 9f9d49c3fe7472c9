/** What an owner does about an error depends on what it is of: the moment, the job, or what was done. */
import { type ErrorCode, SealsumError } from '../errors.ts';

/** Whether an error has one of these codes. */
export function hasCode(error: unknown, codes: readonly ErrorCode[]): error is SealsumError {
  return error instanceof SealsumError && codes.includes(error.code);
}

/** Whether an error says that the job is over, which is no fault of ours. */
export function isEnd(error: unknown): boolean {
  return hasCode(error, ['job_ended', 'job_unknown']);
}

/** Whether an error is of the line, the store, the moment or the other side's view of who we are, not of what was done. */
export function isPassing(error: unknown): boolean {
  return hasCode(error, passing);
}

const passing: readonly ErrorCode[] = [
  'facilitator_unreachable',
  'request_failed',
  'internal',
  'aborted',
  'overloaded',
  'too_many_requests',
  'body_too_slow',
  'store_unavailable',
  // A clock that is wrong or a roster file that is old, here or there, is mended by people while this goes on.
  'signature_missing',
  'signature_invalid',
  'signature_expired',
  'nonce_reused',
  'party_unknown',
  'role_forbidden',
];

import { SealsumError } from '../errors.ts';

/** What to throw where a signal has fired. */
export function aborted(signal: AbortSignal): SealsumError {
  return new SealsumError('aborted', 'the work was aborted', { cause: signal.reason });
}

/** What the tests have threads do. */
import { SealsumError } from '../../src/errors.ts';
import { answering } from '../../src/threads/thread.ts';

export const double = answering((number: bigint) => 2n * number);

export const refuse = answering((field: string): never => {
  throw new SealsumError('privacy_invalid', `${field}: no`, { field });
});

export const err = answering((): never => {
  throw new Error('the thread erred');
});

export const spin = answering((): never => {
  for (;;);
});

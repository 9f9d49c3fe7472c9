/** What the tests have threads do. */
import { SealsumError } from '../../src/errors.ts';
import { answering, type ThreadFunction } from '../../src/threads/thread.ts';

export const double: ThreadFunction<bigint, bigint> = answering((number) => 2n * number);

export const refuse: ThreadFunction<string, never> = answering((field) => {
  throw new SealsumError('privacy_invalid', `${field}: no`, { field });
});

export const err: ThreadFunction<undefined, never> = answering(() => {
  throw new Error('the thread erred');
});

export const spin: ThreadFunction<undefined, never> = answering(() => {
  for (;;);
});

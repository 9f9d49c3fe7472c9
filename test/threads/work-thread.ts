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

let lent: Uint8Array | undefined;

/** Gives its memory away, or keeps it: a part of a larger one is not given away. @returns what the last call has of its own left */
export const lend: ThreadFunction<'whole' | 'part', { readonly bytes: Uint8Array; readonly left: number | undefined }> =
  answering(
    (how) => {
      const left = lent?.byteLength;
      lent = how === 'whole' ? Uint8Array.of(1, 2, 3) : Uint8Array.of(0, 1, 2, 3).subarray(1);
      return { bytes: lent, left };
    },
    ({ bytes }) => [bytes],
  );

export const spin: ThreadFunction<undefined, never> = answering(() => {
  for (;;);
});

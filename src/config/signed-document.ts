/** JSON files with a signature inside, that parties send each other. */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { parseMessage } from '../http/problem.ts';

/**
 * A document as its schema reads it, which must be as it was written: its signature is over what it says.
 *
 * @throws SealsumError message_invalid
 */
export function checkDocument<T>(schema: z.ZodType<T>, document: unknown, what: string): T {
  const parsed = parseMessage(schema, document, what);
  if (!isDeepStrictEqual(parsed, document))
    throw new SealsumError('message_invalid', `${what} is not written as sealsum writes it`);
  return parsed;
}

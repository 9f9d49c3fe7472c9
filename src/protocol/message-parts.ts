/** Parts that several messages have in common. */
import { z } from 'zod';
import { type OwnerId, ownerIdSchema } from './identifiers.ts';

/**
 * A list of at most `most` elements. It is looked through up to its first wrong element and no further, so that a message of
 * a million mistakes costs no more than one.
 */
export function list<T>(element: z.ZodType<T>, most: number): z.ZodType<readonly T[]> {
  const upToFirstWrong = (value: unknown): unknown => {
    if (!Array.isArray(value)) return value;
    const looked: unknown[] = value.length > most ? value.slice(0, most + 1) : value;
    const wrong = looked.findIndex((each) => !element.safeParse(each).success);
    return wrong === -1 ? looked : looked.slice(0, wrong + 1);
  };
  return z.preprocess(upToFirstWrong, z.array(element).max(most));
}

/** Names of owners, each once. */
export function owners(least: number, message: string): z.ZodType<readonly OwnerId[]> {
  return list(ownerIdSchema, 10_000)
    .refine((names) => names.length >= least, message)
    .refine((names) => new Set(names).size === names.length, 'an owner is named twice');
}

/** SHA-256 in lowercase hexadecimal. */
export const digestSchema: z.ZodType<string> = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'expected SHA-256 in lowercase hexadecimal');

export const decimal: z.ZodType<string> = z
  .string()
  .max(1000)
  .regex(/^(0|[1-9][0-9]*)$/, 'expected a decimal integer without leading zeros');

/** An X25519 public key: 32 bytes in base64url. */
export const tagKeySchema: z.ZodType<string> = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, 'expected 32 bytes in base64url');

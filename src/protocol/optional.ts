import type { z } from 'zod';

/**
 * A field of a message that may be left out: z.exactOptional() to its reader, and z.optional() to whoever writes the OpenAPI
 * document, which takes a field for required when its schema refuses undefined. JSON has no undefined, so both parse alike.
 */
export function optional<T>(schema: z.ZodType<T>): z.ZodExactOptional<z.ZodType<T>> {
  return schema.optional() as unknown as z.ZodExactOptional<z.ZodType<T>>;
}

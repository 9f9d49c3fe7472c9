/** model.json as JSON Schema, for programs and people who ask what may stand in it; parseDocument() is what decides. */
import { z } from 'zod';
import type { JsonObject } from './json-object.ts';
import { modelSchema } from './model-schema.ts';
import { statisticsSchema } from './statistics/schema.ts';

/** Fields that follow from others where they are left out, before the schemas look at a document. */
const filledIn: ReadonlySet<unknown> = new Set(['header', 'training', 'solver']);

/**
 * A training or a job for statistics, in JSON Schema 2020-12: every field with its type, choices and default where that can be said
 * so. What goes together, and within which bounds, it does not say.
 */
export function documentSchema(): JsonObject {
  return { anyOf: [modelSchema, statisticsSchema].map(described) };
}

function described(schema: z.ZodType): unknown {
  const whole = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return JSON.parse(JSON.stringify(whole), (name, value: unknown) => {
    // OpenAPI says by itself which JSON Schema it means.
    if (name === '$schema') return undefined;
    if (name === 'required' && Array.isArray(value))
      return value.filter((field: unknown) => !filledIn.has(field)) as unknown;
    // The type of a target follows from that of the model.
    return name === 'target' ? withoutRequired(value as JsonObject, 'type') : value;
  });
}

function withoutRequired(schema: JsonObject, field: string): JsonObject {
  const { oneOf } = schema as { readonly oneOf: readonly { readonly required: readonly string[] }[] };
  return {
    ...schema,
    oneOf: oneOf.map((each) => ({ ...each, required: each.required.filter((name) => name !== field) })),
  };
}

/** Parts of the descriptions of addresses that the apps of the parties have in common. */
import { extendZodWithOpenApi, z } from '@hono/zod-openapi';
import { type Problem, problemUrns } from './problem.ts';

// The library does so when it is loaded, which a bundle may do later than it uses it here.
extendZodWithOpenApi(z);

/** An answer in JSON. */
export interface JsonAnswer<T extends z.ZodType> {
  readonly description: string;
  readonly content: { readonly 'application/json': { readonly schema: T } };
}

export function jsonAnswer<T extends z.ZodType>(schema: T, description: string): JsonAnswer<T> {
  return { description, content: { 'application/json': { schema } } };
}

/** A body in JSON that must be there. */
export interface JsonBody<T extends z.ZodType> {
  readonly required: true;
  readonly content: { readonly 'application/json': { readonly schema: T } };
}

export function jsonBody<T extends z.ZodType>(schema: T): JsonBody<T> {
  return { required: true, content: { 'application/json': { schema } } };
}

type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array' | 'null';

interface FieldDescription {
  type: JsonType | JsonType[];
  enum?: string[];
  format?: string;
  items?: { type?: JsonType };
  description?: string;
}

/** The fields of an answer that is described by hand: none may be missing. */
export type FieldsOf<T> = Record<keyof T, FieldDescription>;

/** RFC 9457, with the closed list of types. Described and not parsed: clients read it by fromProblem(). */
const problem = z.custom<Problem>().openapi('Problem', {
  type: 'object',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: { type: 'string', enum: [...problemUrns] },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What was wrong here, and the mend.' },
    field: { type: 'string', description: 'The field, column or parameter that was refused.' },
    line: { type: 'integer', description: 'Of a data file, counted from 1.' },
  } satisfies FieldsOf<Problem>,
});

/** Every answer that says no. */
export const refusal: {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: z.ZodType<Problem> } };
} = {
  description:
    'Refused; `type` says how, `detail` why, `field` where. The header `Link` leads to what lies behind it: `/problems/{type}`.',
  content: { 'application/problem+json': { schema: problem } },
};

/** A stream of events. */
export const eventStream: {
  readonly description: string;
  readonly content: { readonly 'text/event-stream': Record<string, never> };
} = {
  description: 'Events as they happen; resumes after Last-Event-ID.',
  content: { 'text/event-stream': {} },
};

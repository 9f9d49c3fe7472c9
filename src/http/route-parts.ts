/** Parts of the descriptions of addresses that the apps of the parties have in common. */
import type { z } from '@hono/zod-openapi';
import { type Problem, problemSchema } from './problem.ts';

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

/** Every answer that says no. */
export const refusal: {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: z.ZodType<Problem> } };
} = {
  description:
    'Refused; `type` says how, `detail` why, `field` where. The header `Link` leads to what lies behind it: `/problems/{type}`.',
  content: { 'application/problem+json': { schema: problemSchema } },
};

/** A stream of events. */
export const eventStream: {
  readonly description: string;
  readonly content: { readonly 'text/event-stream': Record<string, never> };
} = {
  description: 'Events as they happen; resumes after Last-Event-ID.',
  content: { 'text/event-stream': {} },
};

/** The addresses of trainings: begun, listed, followed round by round, stopped. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import type { Logger } from '../../src/http/log.ts';
import { eventStream, type FieldsOf, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import { documentSchema } from '../../src/learning/document-schema.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { ModelEventRecord, RoundReport } from '../../src/storage/model-store.ts';
import type { ModelOwner } from './service.ts';
import type { ModelView } from './views.ts';

export interface TrainingRoutesDependencies {
  readonly modelOwner: ModelOwner;
  /** For the heartbeat of event streams. */
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the process stops, so that streams end. */
  readonly signal: AbortSignal;
}

/** Where one model is. */
export const modelPath: z.ZodObject<{ id: z.ZodString }> = z.object({ id: z.string().max(100) });
/** Described here and parsed by the service, which says more of what is wrong. */
const posted = z.unknown().openapi('model.json', {
  ...documentSchema(),
  description:
    'What to train, or which statistics to sum; what is unknown, missing or makes no sense is refused by the path of its field.',
});
// Answers are made here and only described, not validated again.
const modelView = z.custom<ModelView>().openapi('Model', {
  type: 'object',
  required: ['id', 'model_type', 'status', 'created_at', 'owners', 'updates', 'planned_updates', 'settings', 'privacy'],
  properties: {
    id: { type: 'string' },
    name: { type: 'string' },
    model_type: { type: 'string' },
    status: {
      type: 'string',
      enum: ['preparing', 'waiting_for_owners', 'training', 'finished', 'failed', 'cancelled'],
    },
    created_at: { type: 'string', format: 'date-time' },
    ended_at: { type: 'string', format: 'date-time' },
    owners: { type: 'array', items: { type: 'object' } },
    updates: { type: 'integer' },
    planned_updates: { type: 'integer' },
    last_round: { type: 'object' },
    metrics: { type: 'object' },
    kept_update: { type: 'integer' },
    cross_validation: { type: 'object' },
    diagnostics: { type: 'object' },
    at_parameter_bound: { type: 'boolean' },
    settings: { type: 'object' },
    privacy: { type: 'object' },
    failure: { type: 'object' },
  } satisfies FieldsOf<ModelView>,
});
const roundNumber = z.coerce.number().int().min(0).max(2_000_000_000);
const roundsQuery = z
  .strictObject({
    after: roundNumber.optional(),
    before: roundNumber.optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(100),
  })
  .refine(({ after, before }) => after === undefined || before === undefined, {
    path: ['before'],
    message: 'say after or before, not both',
  });
const roundsView = z.object({
  rounds: z.array(
    z.custom<RoundReport>().openapi('Round', {
      type: 'object',
      required: ['round', 'contributors', 'seconds', 'bytes'],
      properties: {
        round: { type: 'integer' },
        closing: { type: 'boolean' },
        contributors: { type: 'integer' },
        missing: { type: 'array', items: { type: 'string' } },
        not_asked: { type: 'array', items: { type: 'string' } },
        metrics: { type: 'object' },
        clip: { type: 'number' },
        seconds: { type: 'number' },
        bytes: { type: 'integer' },
        digests: { type: 'object' },
        spent: { type: 'object' },
      } satisfies FieldsOf<RoundReport>,
    }),
  ),
});

const routes = {
  start: createRoute({
    method: 'post',
    path: '/models',
    summary: 'Post a model.json and start its training, or the round that sums the statistics it asks for',
    request: { body: jsonBody(posted) },
    responses: {
      202: jsonAnswer(modelView, 'The training has begun; Location says where it is shown.'),
      default: refusal,
    },
  }),
  models: createRoute({
    method: 'get',
    path: '/models',
    summary: 'All models, oldest first',
    responses: { 200: jsonAnswer(z.object({ models: z.array(modelView) }), 'The models.'), default: refusal },
  }),
  model: createRoute({
    method: 'get',
    path: '/models/{id}',
    summary: 'One model: how far it is, how well it fits, what privacy was spent',
    request: { params: modelPath },
    responses: { 200: jsonAnswer(modelView, 'The model.'), default: refusal },
  }),
  rounds: createRoute({
    method: 'get',
    path: '/models/{id}/rounds',
    summary: "A model's rounds: who was missing, how well it fitted, what was spent; newest first, or after a round",
    request: { params: modelPath, query: roundsQuery },
    responses: { 200: jsonAnswer(roundsView, 'A part of the rounds.'), default: refusal },
  }),
  remove: createRoute({
    method: 'delete',
    path: '/models/{id}',
    summary: 'Stop a training that runs and forget the model',
    request: { params: modelPath },
    responses: { 204: { description: 'Forgotten.' }, default: refusal },
  }),
  events: createRoute({
    method: 'get',
    path: '/models/{id}/events',
    summary: "Follow a model's training from its beginning",
    request: { params: modelPath },
    responses: {
      200: eventStream,
      204: { description: 'The training is over and its last event was seen.' },
      default: refusal,
    },
  }),
};

export function addTrainingRoutes(app: OpenAPIHono, dependencies: TrainingRoutesDependencies): void {
  const { modelOwner, clock, log, signal } = dependencies;
  app.openapi(routes.start, async (context) => {
    const view = await modelOwner.train(context.req.valid('json'));
    context.header('Location', `/models/${view.id}`);
    return context.json(view, 202);
  });
  app.openapi(routes.models, async (context) => context.json({ models: [...(await modelOwner.models())] }, 200));
  app.openapi(routes.model, async (context) =>
    context.json(await modelOwner.model(context.req.valid('param').id), 200),
  );
  app.openapi(routes.rounds, async (context) => {
    const { after, before, limit } = context.req.valid('query');
    const page = after === undefined ? { before, limit } : { after, limit };
    return context.json({ rounds: [...(await modelOwner.rounds(context.req.valid('param').id, page))] }, 200);
  });
  app.openapi(routes.remove, async (context) => {
    await modelOwner.remove(context.req.valid('param').id);
    return context.body(null, 204);
  });
  const isLast = (event: ModelEventRecord): boolean => event.type === 'finished' || event.type === 'failed';
  app.openapi(routes.events, async (context) => {
    const read = await modelOwner.events(context.req.valid('param').id);
    const asked = resumePoint(context, 0);
    // The event that was seen last is read again: who names one that there is not yet begins anew.
    const [seen] = asked === 0 ? [] : await read(asked - 1);
    // An EventSource connects again after the end of a stream, unless it is told that nothing more will come.
    if (seen !== undefined && isLast(seen)) return context.body(null, 204);
    const onFailed = (error: unknown): void => {
      log.error({ err: error }, 'a stream of events ended early');
    };
    const source = { read, bell: modelOwner.bell, last: isLast, clock, signal, onFailed };
    return serveEvents(context, source, seen?.id === asked ? asked : 0);
  });
}

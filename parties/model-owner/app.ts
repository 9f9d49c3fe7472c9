/** The model owner's interface: post a model.json, follow its training, get predictions. Behaviour is in service.ts. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Registry } from 'prom-client';
import { createBaseApp } from '../../src/http/base-app.ts';
import { type Dashboard, serveLiveUpdates } from '../../src/http/dashboard/serve.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import type { LocalAccessOptions } from '../../src/http/local-access.ts';
import type { Logger } from '../../src/http/log.ts';
import { requireMediaType } from '../../src/http/request-body.ts';
import { eventStream, type FieldsOf, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import { documentSchema } from '../../src/learning/document-schema.ts';
import type { FeatureRow } from '../../src/learning/fields.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { ModelEventRecord, RoundReport } from '../../src/storage/model-store.ts';
import { addDashboardRoutes } from './dashboard.ts';
import { cardFormats, type ExportedFile, exportFormats } from './exports.ts';
import { plotHeaders } from './plots.ts';
import type { ModelOwner } from './service.ts';
import { statisticsView } from './statistics-schema.ts';
import type { ModelView, PredictionView } from './views.ts';

export interface ModelOwnerAppDependencies {
  readonly modelOwner: ModelOwner;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Who may use the interface; left out, whoever reaches it. */
  readonly access?: LocalAccessOptions;
  /** What is not ready beside the line to the facilitator, such as the store; undefined when everything is. */
  readonly notReady?: () => Promise<string | undefined>;
  /** Where measurements are kept. */
  readonly metrics?: Registry;
  /** Pages for its people; none unless given. */
  readonly dashboard?: Dashboard;
  /** The greatest body of a request, in bytes; 64 MiB unless said otherwise. */
  readonly bodyLimit?: number;
}

const modelPath = z.object({ id: z.string().max(100) });
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
const predictionView = z.custom<PredictionView>().openapi('Predictions', {
  type: 'object',
  required: ['model', 'model_type', 'cost', 'metrics', 'predictions', 'dropped_rows', 'privacy'],
  properties: {
    model: { type: 'string' },
    name: { type: 'string' },
    model_type: { type: 'string' },
    cost: { type: ['number', 'null'] },
    metrics: { type: 'object' },
    cross_validation: { type: 'object' },
    predictions: { type: 'array', items: {} },
    dropped_rows: { type: 'integer' },
    unpredictable: { type: 'string' },
    privacy: { type: 'string' },
  } satisfies FieldsOf<PredictionView>,
});
const predicted = z.object({ predictions: z.array(z.unknown()) });
const cell = z.union([z.string(), z.number(), z.null()]);
const rowError = 'expected an array or an object of texts, numbers and nulls';
const rows = z.strictObject({
  rows: z
    .array(z.union([z.array(cell), z.record(z.string(), cell)], { error: rowError }), {
      error: 'expected a list of rows',
    })
    .max(1_000_000),
});
const parameters = z.object({
  columns: z.array(z.string()),
  coefficients: z.union([z.array(z.number()), z.array(z.array(z.number()))]),
  classes: z.array(z.string()).optional(),
  standard_errors: z.array(z.number()).optional().describe('of the coefficients, in their order and units'),
  intervals: z
    .object({ level: z.number(), lower: z.array(z.number()), upper: z.array(z.number()) })
    .optional()
    .describe('confidence intervals of the coefficients'),
  p_values: z.array(z.number()).optional().describe('two-sided, of the hypothesis that the coefficient is 0'),
  degrees_of_freedom: z.number().optional().describe("linear: of Student's t"),
  residual_standard_error: z.number().optional().describe("linear: in the target's own unit"),
  inference_unavailable: z.string().optional().describe('why there are no standard errors'),
});

const expectedOneOf = (formats: readonly string[]): string => `expected one of ${formats.join(', ')}`;

/** A file in one of some formats. */
function file(mediaTypes: readonly string[], description: string) {
  const schema = { type: 'string', format: 'binary' } as const;
  return { description, content: Object.fromEntries(mediaTypes.map((each) => [each, { schema }])) };
}
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
  statistics: createRoute({
    method: 'get',
    path: '/models/{id}/statistics',
    summary: "The statistics that a finished model of the type STATISTICS asked for, in the data's own units",
    request: { params: modelPath },
    responses: { 200: jsonAnswer(statisticsView, 'The statistics.'), default: refusal },
  }),
  parameters: createRoute({
    method: 'get',
    path: '/models/{id}/parameters',
    summary:
      "A finished model's coefficients in the data's own units, with standard errors and intervals or why there are none; 422 for one of the type STATISTICS",
    request: { params: modelPath },
    responses: { 200: jsonAnswer(parameters, 'The coefficients.'), default: refusal },
  }),
  plot: createRoute({
    method: 'get',
    path: '/models/{id}/plots/{plot}',
    summary:
      'A picture of a model: its loss by round, its residuals (linear) or its calibration (classifiers); the last two where training.diagnostics asked for them',
    request: {
      params: modelPath.extend({
        plot: z.enum(['loss.svg', 'residuals.svg', 'calibration.svg'], {
          error: 'expected one of loss.svg, residuals.svg, calibration.svg',
        }),
      }),
    },
    responses: {
      200: {
        description: 'An SVG page that loads nothing from elsewhere.',
        content: { 'image/svg+xml': { schema: z.string() } },
      },
      default: refusal,
    },
  }),
  predictionOf: createRoute({
    method: 'get',
    path: '/models/{id}/predictions',
    summary: "A finished model's final cost and predicted values; 422 for one of the type STATISTICS",
    request: { params: modelPath },
    responses: { 200: jsonAnswer(predictionView, 'Cost and predictions.'), default: refusal },
  }),
  predict: createRoute({
    method: 'post',
    path: '/models/{id}/predictions',
    summary:
      'Predict rows with a finished model; null for a row that a missing value drops; 422 for one of the type STATISTICS',
    request: { params: modelPath, body: jsonBody(rows) },
    responses: { 200: jsonAnswer(predicted, 'One prediction per row.'), default: refusal },
  }),
  export: createRoute({
    method: 'get',
    path: '/models/{id}/export',
    summary:
      'A finished model as a file: JSON that sealsum reads back, PMML 4.4, or ONNX; 422 for one of the type STATISTICS',
    request: {
      params: modelPath,
      query: z.strictObject({ format: z.enum(exportFormats, { error: expectedOneOf(exportFormats) }).default('json') }),
    },
    responses: {
      200: file(
        ['application/json', 'application/xml', 'application/octet-stream'],
        'The file; Content-Disposition names it.',
      ),
      default: refusal,
    },
  }),
  card: createRoute({
    method: 'get',
    path: '/models/{id}/card',
    summary:
      "A finished model's card: data, owners, settings, fit, privacy, coefficients, rounds with their digests, limitations",
    request: {
      params: modelPath,
      query: z.strictObject({ format: z.enum(cardFormats, { error: expectedOneOf(cardFormats) }).default('markdown') }),
    },
    responses: { 200: file(['text/markdown', 'application/json'], 'The card.'), default: refusal },
  }),
  newest: createRoute({
    method: 'get',
    path: '/prediction',
    summary: "The newest finished model's final cost and predicted values",
    responses: { 200: jsonAnswer(predictionView, 'Cost and predictions.'), default: refusal },
  }),
  predictions: createRoute({
    method: 'get',
    path: '/predictions',
    summary: "Every finished model's final cost and predicted values, oldest first",
    responses: {
      200: jsonAnswer(z.object({ models: z.array(predictionView) }), 'Costs and predictions.'),
      default: refusal,
    },
  }),
};

const plotNames = { 'loss.svg': 'loss', 'residuals.svg': 'residuals', 'calibration.svg': 'calibration' } as const;

/** The greatest body: rows to predict, in bytes. */
const greatestBody = 64 * 2 ** 20;

export function createModelOwnerApp(dependencies: ModelOwnerAppDependencies): OpenAPIHono {
  const { modelOwner, clock, log, signal, access, metrics, dashboard } = dependencies;
  const app = createBaseApp({
    party: 'model owner',
    description:
      'Takes a model.json, trains it on encrypted gradients, and predicts; or sums the statistics it asks for.',
    log,
    bodyLimit: dependencies.bodyLimit ?? greatestBody,
    notReady: () => notReady(dependencies),
    ...(access === undefined ? {} : { localAccess: { ...access, covers: 'everything' } }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(dashboard === undefined ? {} : { dashboard }),
  });
  if (dashboard !== undefined) {
    serveLiveUpdates(app, dashboard, { bell: modelOwner.bell, clock, signal });
    addDashboardRoutes(app, modelOwner);
  }
  app.use('/models/*', async (context, next) => {
    if (context.req.method === 'POST') requireMediaType(context.req.header('content-type'), 'application/json');
    await next();
  });

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
  app.openapi(routes.statistics, async (context) =>
    context.json(await modelOwner.statistics(context.req.valid('param').id), 200),
  );
  app.openapi(routes.parameters, async (context) => {
    const found = await modelOwner.parameters(context.req.valid('param').id);
    return context.json(found as z.output<typeof parameters>, 200);
  });
  app.openapi(routes.plot, async (context) => {
    const { id, plot } = context.req.valid('param');
    const page = await modelOwner.plot(id, plotNames[plot]);
    return context.body(page, 200, plotHeaders);
  });
  app.openapi(routes.predictionOf, async (context) =>
    context.json(await modelOwner.predictionOf(context.req.valid('param').id), 200),
  );
  app.openapi(routes.predict, async (context) => {
    const sent: { readonly rows: readonly FeatureRow[] } = context.req.valid('json');
    return context.json({ predictions: await modelOwner.predictRows(context.req.valid('param').id, sent.rows) }, 200);
  });
  app.openapi(routes.export, async (context) => {
    const { id } = context.req.valid('param');
    return answerFile(await modelOwner.export(id, context.req.valid('query').format));
  });
  app.openapi(routes.card, async (context) => {
    const { id } = context.req.valid('param');
    return answerFile(await modelOwner.card(id, context.req.valid('query').format));
  });
  app.openapi(routes.newest, async (context) => context.json(await modelOwner.newestPrediction(), 200));
  app.openapi(routes.predictions, async (context) =>
    context.json({ models: [...(await modelOwner.predictions())] }, 200),
  );
  return app;
}

function answerFile({ name, mediaType, content }: ExportedFile): Response {
  return new Response(content, {
    headers: { 'content-type': mediaType, 'content-disposition': `attachment; filename="${name}"` },
  });
}

/** What is not ready, or undefined when everything is. */
async function notReady({
  modelOwner,
  signal,
  notReady: other,
}: ModelOwnerAppDependencies): Promise<string | undefined> {
  if (signal.aborted) return 'stopping';
  const reason = await other?.();
  if (reason !== undefined) return reason;
  return (await modelOwner.reachesFacilitator()) ? undefined : 'the facilitator does not answer';
}

/** The addresses of what a finished training gives: coefficients, statistics, predictions, plots, and files to take away. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type FieldsOf, jsonAnswer, jsonBody, refusal } from '../../src/http/route-parts.ts';
import type { FeatureRow } from '../../src/learning/fields.ts';
import { cardFormats, type ExportedFile, exportFormats } from './exports.ts';
import { plotHeaders } from './plots.ts';
import type { ModelOwner } from './service.ts';
import { statisticsView } from './statistics-schema.ts';
import { modelPath } from './training-routes.ts';
import type { PredictionView } from './views.ts';

// Answers are made here and only described, not validated again.
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

const routes = {
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

export function addResultRoutes(app: OpenAPIHono, modelOwner: ModelOwner): void {
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
}

function answerFile({ name, mediaType, content }: ExportedFile): Response {
  return new Response(content, {
    headers: { 'content-type': mediaType, 'content-disposition': `attachment; filename="${name}"` },
  });
}

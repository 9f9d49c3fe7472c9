/** The addresses of a data owner's data sets. What they say of columns is for its own people: nothing of it goes to other parties. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { SealsumError } from '../../src/errors.ts';
import { jsonAnswer, refusal } from '../../src/http/route-parts.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import type { Datasets } from './datasets.ts';

export interface DatasetRoutesDependencies {
  readonly datasets: Datasets;
  /** Told when there is one more, another or one less. */
  readonly onChanged: () => void;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool | undefined;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

const datasetView = z.object({
  name: z.string(),
  path: z.string().openapi({ description: 'Of a query: the database, without the password.' }),
  bytes: z.number().optional().openapi({ description: 'Of a file.' }),
  modified_at: z.string().optional().openapi({ description: 'Of a file.' }),
  format: z.enum(['text', 'json-lines', 'parquet', 'query']),
});

const column = z.object({
  name: z.string().optional().openapi({ description: 'Left out where a text has no header.' }),
  col_idx: z.number(),
  missing: z.number(),
  values: z
    .union([
      z.object({ kind: z.literal('numbers'), whole: z.boolean(), least: z.number(), greatest: z.number() }),
      z.object({ kind: z.literal('texts'), distinct: z.number(), levels: z.array(z.string()).readonly().optional() }),
    ])
    .optional()
    .openapi({ description: 'Left out where every value is missing. `levels` are there where they are few.' }),
});

const numbersSummary = z.object({
  kind: z.literal('numbers'),
  whole: z.boolean(),
  distinct: z.number(),
  minimum: z.number(),
  maximum: z.number(),
  mean: z.number(),
  standard_deviation: z.number().nullable(),
  quartiles: z.array(z.number()).length(3).readonly(),
  histogram: z.object({ edges: z.array(z.number()).readonly(), counts: z.array(z.number()).readonly() }),
});

const textsSummary = z.object({
  kind: z.literal('texts'),
  distinct: z.number(),
  most_frequent: z.array(z.object({ value: z.string(), count: z.number() })).readonly(),
});

const summarisedColumn = z.object({
  name: z.string().optional(),
  col_idx: z.number(),
  count: z.number(),
  missing: z.number(),
  values: z.union([numbersSummary, textsSummary]).optional(),
});

const truth = z.enum(['true', 'false']).transform((text) => text === 'true');
const namePath = z.object({ name: z.string() });
const headerQuery = z.object({
  header: truth.default(true).openapi({
    type: 'string',
    enum: ['true', 'false'],
    description: "Whether a text's first line holds the names of the columns.",
  }),
});
/** Described and never parsed: as a schema of zod it would have JSON lines read as one document. */
const file = { schema: { type: 'string', format: 'binary' } } as const;
const mediaTypes = [
  'text/csv',
  'text/tab-separated-values',
  'application/jsonl',
  'application/x-ndjson',
  'application/vnd.apache.parquet',
  'application/octet-stream',
] as const;

const routes = {
  list: createRoute({
    method: 'get',
    path: '/datasets',
    summary: 'The data sets this owner computes on: those of its configuration first',
    responses: { 200: jsonAnswer(z.object({ datasets: z.array(datasetView) }), 'The data sets.'), default: refusal },
  }),
  describe: createRoute({
    method: 'get',
    path: '/datasets/{name}',
    summary: 'What stands in the columns of a data set, for declaring them in model.json',
    request: {
      params: namePath,
      query: headerQuery,
    },
    responses: {
      200: jsonAnswer(datasetView.extend({ records: z.number(), columns: z.array(column).readonly() }), 'Its columns.'),
      default: refusal,
    },
  }),
  summary: createRoute({
    method: 'get',
    path: '/datasets/{name}/summary',
    summary:
      'What the columns of a data set look like: moments, quartiles, histograms, frequent values; for its own people only',
    description:
      'Computed from the records without any noise, once for a file as it is, and told to nobody else: share it as you would share the records. A ' +
      'column whose values are all numbers is summarised as such.',
    request: { params: namePath, query: headerQuery },
    responses: {
      200: jsonAnswer(
        datasetView.extend({ records: z.number(), columns: z.array(summarisedColumn).readonly() }),
        'Its columns.',
      ),
      default: refusal,
    },
  }),
  add: createRoute({
    method: 'post',
    path: '/datasets',
    summary: 'Upload a data set: CSV, TSV, JSON lines or Parquet, told apart by how it begins',
    description: [
      'A job takes the data set that its model.json names in `data_props.dataset`; the one of the configuration, or the only one, where it names',
      'none. What a job that is not over computes on cannot be replaced or removed. The ledger counts by name: what was spent on',
      'a name stays spent when its content is replaced.',
    ].join(' '),
    request: {
      query: z.object({
        name: z.string().openapi({ description: 'What it is called from now on.', example: 'trial-2026.csv' }),
        replace: truth.default(false).openapi({
          type: 'string',
          enum: ['true', 'false'],
          description: 'Whether it may take the place of another one of this name.',
        }),
      }),
      body: { content: Object.fromEntries(mediaTypes.map((type) => [type, file])), required: true },
    },
    responses: {
      200: jsonAnswer(datasetView, 'It was there, or took the place of another one.'),
      201: jsonAnswer(datasetView, 'It is there now.'),
      default: refusal,
    },
  }),
  remove: createRoute({
    method: 'delete',
    path: '/datasets/{name}',
    summary: 'Remove a data set that was uploaded; what was spent on it stays in the ledger',
    request: { params: namePath },
    responses: { 204: { description: 'It is gone.' }, default: refusal },
  }),
};

export function addDatasetRoutes(app: OpenAPIHono, dependencies: DatasetRoutesDependencies): void {
  const { datasets, onChanged, pool, signal } = dependencies;
  app.use('/datasets', async (context, next) => {
    if (context.req.method === 'POST') requireDataType(context.req.header('content-type'));
    await next();
  });
  app.openapi(routes.list, async (context) => context.json({ datasets: [...(await datasets.views())] }, 200));
  app.openapi(routes.describe, async (context) => {
    const { header } = context.req.valid('query');
    const dataset = datasets.named(context.req.valid('param').name);
    return context.json(await dataset.describe(header, signal), 200);
  });
  app.openapi(routes.summary, async (context) => {
    const { header } = context.req.valid('query');
    const dataset = datasets.named(context.req.valid('param').name);
    return context.json(await dataset.summary({ header, pool, signal }), 200);
  });
  app.openapi(routes.add, async (context) => {
    const { name, replace } = context.req.valid('query');
    const { body } = context.req.raw;
    if (body === null)
      throw new SealsumError('message_invalid', 'expected the data file as the body (with curl: --data-binary @FILE)', {
        field: 'body',
      });
    const { created, view } = await datasets.add({ name, replace, content: body }, signal);
    onChanged();
    context.header('Location', `/datasets/${view.name}`);
    return context.json(view, created ? 201 : 200);
  });
  app.openapi(routes.remove, async (context) => {
    await datasets.remove(context.req.valid('param').name);
    onChanged();
    return context.body(null, 204);
  });
}

/** @throws SealsumError media_type_unsupported */
function requireDataType(header: string | undefined): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaTypes.some((each) => each === type)) return;
  throw new SealsumError(
    'media_type_unsupported',
    `send the data file with content-type: ${mediaTypes.join(' or ')} (with curl: -H 'content-type: text/csv' --data-binary @FILE)`,
    { field: 'content-type' },
  );
}

/** How the answer to GET /models/{id}/statistics is described. Answers are made here and only described, not validated again. */
import { z } from '@hono/zod-openapi';
import type { StatisticsView } from './views.ts';

const estimate =
  '{"value", "standard_error"}: a number as it was released, and the standard deviation of the noise in it, to first order (0 without noise); both null, with a "reason", where there is none';
const counts =
  'Numbers of units, with noise where there is privacy: neither whole then, nor always positive; one "standard_error" for all of them';

export const statisticsView: z.ZodType<StatisticsView> = z.custom<StatisticsView>().openapi('Statistics', {
  type: 'object',
  required: ['model', 'unit', 'contributors', 'count', 'moments', 'histograms', 'contingency', 'privacy'],
  properties: {
    model: { type: 'string' },
    name: { type: 'string' },
    unit: { type: 'string', enum: ['record', 'owner'], description: 'What is counted.' },
    contributors: { type: 'integer', description: 'Data owners in the sum.' },
    count: { type: 'object', description: `${estimate}.` },
    moments: {
      type: 'array',
      items: { type: 'object' },
      description: `Of a "column", over the units with a value: "count", "missing" where they are counted, "mean", "variance", "standard_deviation", each ${estimate}.`,
    },
    covariance: {
      type: 'object',
      description: `Of "columns", over the units with a value in all of them: "count", "missing" where they are counted, "mean", and the matrices "covariance" and "correlation", each entry ${estimate}.`,
    },
    histograms: {
      type: 'array',
      items: { type: 'object' },
      description: `Of a "column": "edges" or "levels", "counts"; "below" and "above" where the range goes beyond the edges, "missing" where missing values are counted. ${counts}.`,
    },
    contingency: {
      type: 'array',
      items: { type: 'object' },
      description: `Of two "columns": "levels" of both, "counts", a row for each level of the first; "missing" where missing values are counted. ${counts}.`,
    },
    privacy: { type: 'object', description: 'What was promised and what was spent.' },
  },
});

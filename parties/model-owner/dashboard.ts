/** What the model owner's dashboard asks beside its interface: whether a text is a model that could be trained, and predictions as a file. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import { SealsumError } from '../../src/errors.ts';
import { parseMessage } from '../../src/http/problem.ts';
import { readJson } from '../../src/http/request-body.ts';
import { positionIn } from '../../src/learning/json-position.ts';
import type { Prediction } from '../../src/learning/prediction.ts';
import type { ModelOwner } from './service.ts';
import type { CheckView } from './views.ts';

/** What is told of a text while somebody writes it. */
export type TextCheck =
  | ({ readonly ok: true } & CheckView)
  | {
      readonly ok: false;
      /** What is wrong, and the mend. */
      readonly detail: string;
      readonly field?: string;
      /** Where the text is no JSON; both counted from 1. */
      readonly line?: number;
      readonly column?: number;
    };

/** The longest text that is read, in characters. */
const longestText = 4 * 2 ** 20;
const textSchema = z.strictObject({ text: z.string().max(longestText) });

/** To be called where /ui/api is guarded. */
export function addDashboardRoutes(app: OpenAPIHono, modelOwner: ModelOwner): void {
  app.post('/ui/api/model-check', async (context) => {
    const { text } = parseMessage(textSchema, await readJson(context, 4 * longestText), "the request's body");
    return context.json(await checkText(text, modelOwner), 200);
  });
  app.get('/ui/api/models/:id/predictions.csv', async (context) => {
    const id = context.req.param('id');
    const { predictions } = await modelOwner.predictionOf(id);
    context.header('content-disposition', `attachment; filename="predictions-${id}.csv"`);
    return context.body(predictionsCsv(predictions), 200, { 'content-type': 'text/csv; charset=utf-8' });
  });
}

async function checkText(text: string, modelOwner: ModelOwner): Promise<TextCheck> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { ok: false, ...positionIn(text) };
  }
  try {
    return { ok: true, ...(await modelOwner.check(document)) };
  } catch (error) {
    if (!(error instanceof SealsumError)) throw error;
    return { ok: false, detail: error.message, ...(error.field === undefined ? {} : { field: error.field }) };
  }
}

/** RFC 4180: the target, or the class with what speaks for it. */
export function predictionsCsv(predictions: readonly Prediction[]): string {
  const [first] = predictions;
  const classes = typeof first === 'object' && 'probabilities' in first ? Object.keys(first.probabilities) : [];
  const head =
    typeof first !== 'object' ? ['prediction'] : classes.length > 0 ? ['class', ...classes] : ['class', 'probability'];
  const rows = predictions.map((each) => {
    if (typeof each === 'number') return [String(each)];
    if ('probability' in each) return [each.class, String(each.probability)];
    return [each.class, ...classes.map((name) => String(each.probabilities[name] ?? ''))];
  });
  return [head, ...rows].map((row) => `${row.map(csvField).join(',')}\r\n`).join('');
}

/** What a spreadsheet would take for a formula begins with an apostrophe: levels are whatever somebody has declared. */
function csvField(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

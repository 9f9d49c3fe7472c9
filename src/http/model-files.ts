/** Asks a model owner for a finished model as a file, or for its card. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { fromProblem, parseMessage } from './problem.ts';

export const fileFormats = ['json', 'pmml', 'onnx', 'card', 'card-json'] as const;
export type FileFormat = (typeof fileFormats)[number];

/** Where each of them is. */
const places: Readonly<Record<FileFormat, string>> = {
  json: 'export?format=json',
  pmml: 'export?format=pmml',
  onnx: 'export?format=onnx',
  card: 'card?format=markdown',
  'card-json': 'card?format=json',
};

export interface ModelFilesOptions {
  /** For example http://127.0.0.1:9090 */
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly signal?: AbortSignal;
}

/** Milliseconds that an answer may take. */
const patience = 60_000;

const listed = z.object({
  models: z.array(
    z.object({ id: z.string(), model_type: z.string(), status: z.string(), ended_at: z.string().optional() }),
  ),
});

/**
 * The id of the model that was finished last: what `latest` means.
 *
 * @param answer to GET /models
 * @throws SealsumError model_unfinished where none is; message_invalid for what is no such answer
 */
export function newestOf(answer: unknown): string {
  const { models } = parseMessage(listed, answer, 'the answer to GET /models');
  const trained = models.filter(({ status, model_type: type }) => status === 'finished' && type !== 'STATISTICS');
  const newest = trained.sort((left, right) => ((left.ended_at ?? '') < (right.ended_at ?? '') ? -1 : 1)).at(-1);
  if (newest === undefined)
    throw new SealsumError('model_unfinished', 'no model is finished yet; see sealsum status', { field: 'model' });
  return newest.id;
}

/** The same of a model owner that is asked. @throws SealsumError as newestOf() and fetchModelFile() */
export async function newestModel(options: ModelFilesOptions): Promise<string> {
  const answer = new TextDecoder().decode(await ask(options, '/models'));
  return newestOf(parsedOf(answer));
}

/**
 * @throws SealsumError what the model owner refused: model_unknown, model_unfinished, model_invalid; request_failed when it does
 *   not answer; message_invalid when the address is none; aborted
 */
export function fetchModelFile(
  options: ModelFilesOptions,
  id: string,
  format: FileFormat,
): Promise<Uint8Array<ArrayBuffer>> {
  return ask(options, `/models/${encodeURIComponent(id)}/${places[format]}`);
}

async function ask({ url, fetch: send, signal }: ModelFilesOptions, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const base = url.replace(/\/+$/, '');
  if (!/^https?:/.test(base) || !URL.canParse(base))
    throw new SealsumError('message_invalid', `${base}: expected a URL such as http://127.0.0.1:9090`, {
      field: 'url',
    });
  let response: Response;
  let body: Uint8Array<ArrayBuffer>;
  try {
    const late = AbortSignal.timeout(patience);
    response = await send(base + path, { signal: signal === undefined ? late : AbortSignal.any([signal, late]) });
    // The line may break in the middle of it.
    body = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    if (signal?.aborted === true) throw new SealsumError('aborted', 'it was stopped', { cause });
    const { origin } = new URL(base);
    throw new SealsumError('request_failed', `${origin} does not answer; is the model owner running?`, { cause });
  }
  if (response.ok) return body;
  const problem = fromProblem(parsedOf(new TextDecoder().decode(body)));
  throw problem ?? new SealsumError('request_failed', `${base}${path} answered ${response.status}`);
}

/** undefined where it is no JSON. */
function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

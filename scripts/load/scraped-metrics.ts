/** What a facilitator says of itself at /metrics, in the text format of Prometheus. */
import { SealsumError } from '../../src/errors.ts';

export interface ScrapedMetrics {
  /** The sum of all series of a name, whatever their labels; undefined when there is none. */
  total(name: string): number | undefined;
}

/** @throws SealsumError request_failed */
export async function scrapeMetrics(url: string, send: typeof fetch, signal: AbortSignal): Promise<ScrapedMetrics> {
  const response = await send(`${url}/metrics`, { signal });
  const text = await response.text();
  if (!response.ok) throw new SealsumError('request_failed', `GET ${url}/metrics was answered ${response.status}`);
  return parseMetrics(text);
}

export function parseMetrics(text: string): ScrapedMetrics {
  const totals = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})? ([^ ]+)(?: [0-9]+)?$/.exec(line) ?? [];
    if (name !== undefined) totals.set(name, (totals.get(name) ?? 0) + Number(value));
  }
  return { total: (name) => totals.get(name) };
}

/** Figures and names as people read them. */
import type { OwnedJobView } from '../../http/owned-job.ts';

/** A number in four digits. */
export function figure(value: number): string {
  if (value === 0 || Number.isInteger(value)) return value.toLocaleString('en', { maximumFractionDigits: 0 });
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(3);
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}

/** An ε, or that there is none. */
export function epsilonText(epsilon: number | null): string {
  return epsilon === null ? '–' : figure(epsilon);
}

/** A whole number of something. */
export function counted(count: number, one: string, many: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${figure(bytes / 1000 ** power)} ${units[power] ?? ''}`;
}

/** @param time RFC 3339 */
export function timeText(time: string): string {
  return new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

type Status = OwnedJobView['status'];

/** How a status is said, and how it looks. */
export const statuses: Readonly<Record<Status, readonly [text: string, tone: 'good' | 'busy' | 'warn' | 'bad' | '']>> =
  {
    joining: ['is looked at', 'busy'],
    asking: ['waits for you', 'warn'],
    ready: ['takes part', 'good'],
    refused: ['refused', 'bad'],
    withdrawn: ['withdrawn', 'bad'],
    ended: ['over', ''],
  };

const modelTypes: Readonly<Record<string, string>> = {
  LINEAR_REGRESSION: 'Linear regression',
  LOGISTIC_REGRESSION: 'Logistic regression',
  SOFTMAX_REGRESSION: 'Softmax regression',
  STATISTICS: 'Statistics of columns',
};

export function modelTypeText(type: string): string {
  return modelTypes[type] ?? type;
}

export const places: Readonly<Record<'model-owner' | 'facilitator' | 'data-owners', string>> = {
  'model-owner': 'the model owner, after decryption',
  facilitator: 'the facilitator, under encryption',
  'data-owners': 'the data owners, each a share before it encrypts',
};

export const sumKinds: Readonly<Record<string, string>> = {
  gradient: 'Gradient of the loss',
  products: 'Products of columns',
  metric: 'Metrics',
  count: 'Counts',
  inference: 'What standard errors are computed from',
  diagnostics: 'Counts and sums in bins of residuals or probabilities',
  moments: 'Moments',
  covariance: 'Covariances',
  histograms: 'Histogram',
  contingency: 'Contingency table',
};

type Format = 'text' | 'json-lines' | 'parquet' | 'query';

export const formats: Readonly<Record<Format, string>> = {
  text: 'text',
  'json-lines': 'JSON lines',
  parquet: 'Parquet',
  query: 'query',
};

/** One data set, as GET /datasets says it. */
export interface DatasetView {
  readonly name: string;
  readonly path: string;
  /** Of a file. */
  readonly bytes?: number;
  /** Of a file; RFC 3339. */
  readonly modified_at?: string;
  readonly format: Format;
}

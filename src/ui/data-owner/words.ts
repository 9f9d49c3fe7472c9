/** What a data owner's pages call things; figures are told by parts/words.ts. */
import type { DatasetView } from '../../../parties/data-owner/dataset.ts';
import type { RequestedSums } from '../../http/job-request.ts';
import type { OwnedJobView } from '../../http/owned-job.ts';

/** How a status is said. */
export const statuses: Readonly<Record<OwnedJobView['status'], string>> = {
  joining: 'is looked at',
  asking: 'waits for you',
  ready: 'takes part',
  refused: 'refused',
  withdrawn: 'withdrawn',
  ended: 'over',
};

export const sumKinds: Readonly<Record<RequestedSums['kind'], string>> = {
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

export const formats: Readonly<Record<DatasetView['format'], string>> = {
  text: 'text',
  'json-lines': 'JSON lines',
  parquet: 'Parquet',
  query: 'query',
};

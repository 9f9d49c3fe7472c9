/** Statistics as tables for people: numbers to seven digits, and behind ± the standard error that comes from the noise. */
import type { CollectedStatistics } from '../http/model-owner-client.ts';
import type { Estimate } from '../learning/statistics/moments.ts';
import type { ContingencyReport, HistogramReport } from '../learning/statistics/report.ts';
import type { PrivacyStatement } from '../privacy/statement.ts';
import { numberTable } from './table.ts';

/** The whole of it, without a newline at its end. */
export function statisticsTables(found: CollectedStatistics): string {
  const { unit, contributors, count, moments, covariance, histograms, contingency, privacy } = found;
  const reasons = new Reasons();
  const show = (estimate: Estimate): string => reasons.show(estimate);
  const parts = [`${unit}s ${show(count)}, from ${contributors} data owners`];
  if (moments.length > 0)
    parts.push(
      numberTable([
        ['column', 'count', 'missing', 'mean', 'standard deviation', 'variance'],
        ...moments.map((each) => [
          each.column,
          show(each.count),
          each.missing === undefined ? '-' : show(each.missing),
          show(each.mean),
          show(each.standard_deviation),
          show(each.variance),
        ]),
      ]),
    );
  if (covariance !== undefined) {
    const { columns, covariance: covariances, correlation, missing } = covariance;
    const without = missing === undefined ? '' : `, without ${show(missing)} that miss one of these`;
    const over = `over ${show(covariance.count)} ${unit}s${without}`;
    for (const [title, matrix] of [
      ['covariance', covariances],
      ['correlation', correlation],
    ] as const)
      parts.push(
        `${title}, ${over}\n${numberTable([['', ...columns], ...matrix.map((row, index) => [columns[index] ?? '', ...row.map(show)])])}`,
      );
  }
  parts.push(...histograms.map(histogramTable), ...contingency.map(contingencyTable));
  return [...parts, ...reasons.notes(), privacyLine(privacy)].join('\n\n');
}

/** Why there is no number, each reason told once below the tables. */
class Reasons {
  readonly #known: string[] = [];

  show({ value, standard_error: error, reason = 'there is none' }: Estimate): string {
    if (value !== null) return withError(value, error ?? 0);
    if (!this.#known.includes(reason)) this.#known.push(reason);
    return `none (${this.#known.indexOf(reason) + 1})`;
  }

  notes(): string[] {
    return this.#known.length === 0 ? [] : [this.#known.map((reason, index) => `(${index + 1}) ${reason}`).join('\n')];
  }
}

function withError(value: number, error: number): string {
  return error === 0 ? shown(value) : `${shown(value)} ± ${Number(error.toPrecision(2))}`;
}

const shown = (value: number): string => String(Number(value.toPrecision(7)));

function histogramTable({
  column,
  edges,
  levels,
  counts,
  below,
  above,
  missing,
  standard_error,
}: HistogramReport): string {
  const last = counts.length - 1;
  const bins = counts.map((count, bin) => {
    const name =
      edges === undefined
        ? (levels?.[bin] ?? '')
        : `[${edges[bin] ?? ''}, ${edges[bin + 1] ?? ''}${bin === last ? ']' : ')'}`;
    return [name, shown(count)];
  });
  const rows = [
    ...(below === undefined ? [] : [['below', shown(below)]]),
    ...bins,
    ...(above === undefined ? [] : [['above', shown(above)]]),
    ...(missing === undefined ? [] : [['missing', shown(missing)]]),
  ];
  return numberTable([[column, heading(standard_error)], ...rows]);
}

function contingencyTable({ columns, levels, counts, missing, standard_error }: ContingencyReport): string {
  const [rows, across] = levels;
  const table = numberTable([
    [`${columns[0]} \\ ${columns[1]}`, ...across],
    ...counts.map((row, index) => [rows[index] ?? '', ...row.map(shown)]),
  ]);
  const without = missing === undefined ? '' : `\nmissing ${shown(missing)}`;
  return `${heading(standard_error)}\n${table}${without}`;
}

const heading = (error: number): string => (error === 0 ? 'count' : `count ± ${Number(error.toPrecision(2))}`);

function privacyLine(privacy: PrivacyStatement): string {
  if (privacy.guarantee === 'no differential privacy') return privacy.guarantee;
  const { rho, epsilon, delta } = privacy.spent;
  const inEpsilon = epsilon === null || delta === null ? '' : ` (epsilon ${epsilon.toPrecision(4)}, delta ${delta})`;
  return `${privacy.guarantee}: spent rho ${rho.number.toPrecision(4)}${inEpsilon} per ${privacy.unit}`;
}

/** Fitted coefficients as a table for people, with what is known of their precision. */
import type { TrainedModel } from '../http/model-owner-client.ts';
import { coefficientRows } from '../learning/prediction.ts';
import { numberTable } from './table.ts';

/** The whole of it, without a newline at its end. */
export function coefficientTable({
  parameters,
  cost,
  metrics,
  privacy,
}: Pick<TrainedModel, 'parameters' | 'cost' | 'metrics' | 'privacy'>): string {
  const { columns, classes, standard_errors: errors, intervals, p_values: pValues } = parameters;
  const rows = coefficientRows(parameters);
  const heads = rows.length > 1 ? rows.map((_, output) => classes?.[output] ?? '') : ['coefficient'];
  const level = intervals === undefined ? '' : `${Number((100 * intervals.level).toPrecision(6))} % interval`;
  const known = errors !== undefined && intervals !== undefined;
  const table = numberTable([
    ['column', ...heads, ...(known ? ['± standard error', level, 'p'] : [])],
    ...columns.map((column, index) => [
      column,
      ...rows.map((row) => shown(row[index])),
      ...(known
        ? [
            `± ${shown(errors[index], 3)}`,
            `${shown(intervals.lower[index])} to ${shown(intervals.upper[index])}`,
            probability(pValues?.[index]),
          ]
        : []),
    ]),
  ]);
  const fit = Object.entries({ cost, ...metrics }).flatMap(([name, value]) =>
    typeof value === 'number' ? [`${name} ${shown(value)}`] : [],
  );
  return [
    table,
    ...(parameters.degrees_of_freedom === undefined
      ? []
      : [
          `residual standard error ${shown(parameters.residual_standard_error)} on ${parameters.degrees_of_freedom} degrees of freedom`,
        ]),
    ...(parameters.inference_unavailable === undefined
      ? []
      : [`no standard errors: ${parameters.inference_unavailable}`]),
    fit.join(', '),
    privacy.guarantee,
  ].join('\n\n');
}

function shown(value: number | undefined, digits = 6): string {
  return value === undefined ? '' : String(Number(value.toPrecision(digits)));
}

/** As R prints it: what is less than a double tells of 1 is not told. */
function probability(value: number | undefined): string {
  if (value === undefined) return '';
  return value < 2e-16 ? '< 2e-16' : String(Number(value.toPrecision(3)));
}

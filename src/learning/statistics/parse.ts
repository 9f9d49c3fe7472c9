/** Reads a model.json that asks for statistics: refuses what makes no sense as a whole, and fills in every default. */
import { fieldName, isNumeric } from '../fields.ts';
import { MAXIMUM_VALUES } from '../model.ts';
import {
  describeIssues,
  type Problem,
  participationProblems,
  placeProblems,
  refuse,
  silenceProblems,
  textProblems,
} from '../problems.ts';
import { equalEdges, isColumn, lengthsAsked, levelsOf } from './groups.ts';
import type { ColumnReference, HistogramRequest, StatisticsColumn, StatisticsModel } from './model.ts';
import { statisticsSchema } from './schema.ts';

/**
 * Reads the JSON value of a model.json of the type STATISTICS.
 *
 * @returns plain data, which it accepts again unchanged
 * @throws SealsumError `model_invalid` with `field` the dotted path of the first thing that was refused; the message lists all
 */
export function parseStatistics(json: unknown): StatisticsModel {
  const parsed = statisticsSchema.safeParse(json);
  if (!parsed.success) throw refuse(describeIssues(parsed.error.issues));
  const model = withWeights(parsed.data);
  const { data_props, participation, privacy } = model;
  const places = data_props.columns.map((column, index) => [`data_props.columns[${index}]`, column] as const);
  const problems = [
    ...textProblems(model, []),
    ...placeProblems(data_props.header, places),
    ...participationProblems(model),
    ...(privacy === undefined ? [] : silenceProblems(privacy, participation.quorum)),
    ...settingProblems(parsed.data),
    ...momentProblems(model),
    ...histogramProblems(model),
    ...contingencyProblems(model),
  ];
  if (problems.length > 0) throw refuse(problems);
  const tooMany = lengthProblems(model);
  if (tooMany.length > 0) throw refuse(tooMany);
  return model;
}

const evenWeights = { count: 1, moments: 1, covariance: 1, histograms: 1, contingency: 1 };

/** With privacy everything has its weight. */
function withWeights(model: StatisticsModel): StatisticsModel {
  const { statistics, privacy } = model;
  if (privacy === undefined) return model;
  return { ...model, statistics: { ...statistics, weights: statistics.weights ?? evenWeights } };
}

function settingProblems({ encryption, privacy, statistics }: StatisticsModel): Problem[] {
  const { quantization_bits, rounding, quantization_range } = encryption;
  const { moments, covariance, histograms, contingency, weights } = statistics;
  return [
    ...Object.entries({ quantization_bits, rounding, quantization_range }).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [{ field: `encryption.${name}`, expected: 'only for gradients: statistics are exact sums; remove it' }],
    ),
    ...(weights === undefined || privacy !== undefined
      ? []
      : [{ field: 'statistics.weights', expected: 'only with privacy, whose allowance they divide; remove it' }]),
    ...([moments, covariance, histograms, contingency].some(({ length }) => length > 0)
      ? []
      : [
          {
            field: 'statistics',
            expected: 'expected at least one of moments, covariance, histograms, contingency to ask for something',
          },
        ]),
  ];
}

/** @param use what the column is for, of which it then says whether the column fits */
function referenceProblems(
  { data_props: { columns } }: StatisticsModel,
  field: string,
  reference: ColumnReference,
  fits: (column: StatisticsColumn) => string | undefined,
): Problem[] {
  const column = columns.find((each) => isColumn(each, reference));
  if (column === undefined) {
    const what = typeof reference === 'string' ? `column ${reference}` : `col_idx ${reference}`;
    return [{ field, expected: `data_props.columns declares no ${what}` }];
  }
  const why = fits(column);
  return why === undefined ? [] : [{ field, expected: `${fieldName(column)} is ${column.type}: ${why}` }];
}

function momentProblems(model: StatisticsModel): Problem[] {
  const { moments, covariance } = model.statistics;
  const check = (field: string, list: readonly ColumnReference[]): Problem[] => [
    ...list.flatMap((each, index) =>
      referenceProblems(model, `${field}[${index}]`, each, ({ type }) =>
        type === 'nominal' ? 'its levels have no mean; ask for a histogram' : undefined,
      ),
    ),
    ...list.flatMap((each, index) =>
      list.indexOf(each) === index ? [] : [{ field: `${field}[${index}]`, expected: 'expected distinct columns' }],
    ),
  ];
  return [
    ...check('statistics.moments', moments),
    ...check('statistics.covariance', covariance),
    ...(covariance.length === 1
      ? [{ field: 'statistics.covariance', expected: 'expected at least 2 columns; moments has the variance of one' }]
      : []),
  ];
}

function histogramProblems(model: StatisticsModel): Problem[] {
  return model.statistics.histograms.flatMap((asked, index) => {
    const field = `statistics.histograms[${index}]`;
    const missing = referenceProblems(model, `${field}.column`, asked.column, () => undefined);
    const column = model.data_props.columns.find((each) => isColumn(each, asked.column));
    return column === undefined ? missing : binProblems(field, column, asked);
  });
}

function binProblems(field: string, column: StatisticsColumn, { edges, bins }: HistogramRequest): Problem[] {
  const given = edges === undefined ? 'bins' : 'edges';
  if (!isNumeric(column)) {
    if (edges === undefined && bins === undefined) return [];
    return [
      {
        field: `${field}.${given}`,
        expected: `${fieldName(column)} is ${column.type}: its levels are bins; remove it`,
      },
    ];
  }
  const [low, high] = column.range;
  if (edges !== undefined) {
    const last = edges.at(-1) ?? low;
    if ((edges[0] ?? high) <= high && last >= low) return [];
    return [{ field: `${field}.edges`, expected: `none of the range [${low}, ${high}] lies between them` }];
  }
  if (bins === undefined)
    return column.type === 'discrete'
      ? []
      : [{ field, expected: `${fieldName(column)} is continuous: give edges or bins` }];
  const found = equalEdges(low, high, bins);
  if (found.every((edge, index) => index === 0 || edge > (found[index - 1] ?? edge))) return [];
  return [{ field: `${field}.bins`, expected: 'so narrow bins cannot be told apart; ask for fewer' }];
}

function contingencyProblems(model: StatisticsModel): Problem[] {
  return model.statistics.contingency.flatMap((pair, index) => {
    const field = `statistics.contingency[${index}]`;
    return [
      ...pair.flatMap((each, axis) =>
        referenceProblems(model, `${field}[${axis}]`, each, (column) =>
          levelsOf(column) === undefined ? 'a table needs levels; declare them, or ask for a histogram' : undefined,
        ),
      ),
      ...(pair[0] === pair[1] ? [{ field: `${field}[1]`, expected: 'expected another column than the first' }] : []),
    ];
  });
}

/** Names the entry with which the vector becomes too long. */
function lengthProblems(model: StatisticsModel): Problem[] {
  let length = 0;
  for (const { field, values } of lengthsAsked(model)) {
    length += values;
    if (length <= MAXIMUM_VALUES) continue;
    const expected = `${length} values would be encrypted per owner; at most ${MAXIMUM_VALUES}: ask for fewer columns, bins or cells`;
    return [{ field, expected }];
  }
  return [];
}

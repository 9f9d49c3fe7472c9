/** What a model's losses, residuals and calibration look like: SVG pages of what the model shows in numbers. */
import { axisOver } from '../../src/charts/axis.ts';
import { lineChart } from '../../src/charts/line-chart.ts';
import { type LegendEntry, type Panel, panelPage, type Shape } from '../../src/charts/panels.ts';
import { SealsumError } from '../../src/errors.ts';
import { fieldName } from '../../src/learning/fields.ts';
import type {
  Calibration,
  Diagnostics,
  ResidualHistogram,
  ResidualProfile,
} from '../../src/learning/inference/diagnostics.ts';
import { requireTrained } from '../../src/learning/model-document.ts';
import type { Model } from '../../src/learning/model-types.ts';
import type { ModelRecord, RoundReport } from '../../src/storage/model-store.ts';

export type PlotName = 'loss' | 'residuals' | 'calibration';

/**
 * @param rounds of the model so far
 * @throws SealsumError model_unfinished where there is nothing to draw yet; model_invalid where there never will be, naming the field
 */
export function plotOf(name: PlotName, record: ModelRecord, rounds: readonly RoundReport[]): string {
  const model = requireTrained(record.model, 'plots');
  if (name === 'loss') return lossPlot(record, model, rounds);
  const isLinear = model.model_type === 'LINEAR_REGRESSION';
  if (isLinear !== (name === 'residuals'))
    throw refuse(
      'model_type',
      `${model.model_type} has ${isLinear ? 'residuals and no calibration' : 'a calibration and no residuals'}`,
    );
  if (model.training.diagnostics === undefined)
    throw refuse(
      'training.diagnostics',
      'the model did not ask for them; post it with training.diagnostics, such as {"bins": 20}',
    );
  if (record.diagnostics === undefined) throw unfinished(record);
  return isLinear
    ? residualPlot(record, model, record.diagnostics)
    : calibrationPlot(record, model, record.diagnostics);
}

function refuse(field: string, why: string): SealsumError {
  return new SealsumError('model_invalid', `${field}: ${why}`, { field });
}

function unfinished({ id, status }: ModelRecord): SealsumError {
  return new SealsumError('model_unfinished', `model ${id} is ${status.replaceAll('_', ' ')}`, { field: 'id' });
}

function titled(what: string, { id, model }: ModelRecord): string {
  return `${what}: ${model.name ?? id}`;
}

function lossPlot(record: ModelRecord, { training, privacy }: Model, rounds: readonly RoundReport[]): string {
  if (training.solver === 'normal-equations')
    throw refuse(
      'training.solver',
      'normal-equations take one round: there is one loss, which metrics show, and no curve',
    );
  if (privacy?.metrics === 'local')
    throw refuse('privacy.metrics', 'where it is local nobody sees the loss of all owners');
  const lines = (['loss', 'validation_loss'] as const).flatMap((name) => {
    const points = rounds.flatMap(({ round, metrics }) => {
      const y = metrics?.[name];
      return y === undefined ? [] : [{ x: round, y: Math.max(0, y) }];
    });
    return points.length === 0
      ? []
      : [{ name: name === 'loss' ? 'of the records that are trained on' : 'of those that are held out', points }];
  });
  const [first] = lines;
  if (first === undefined) throw unfinished(record);
  const [begin, end] = [first.points[0]?.y ?? 0, first.points.at(-1)?.y ?? 0];
  return lineChart({
    title: titled('Loss', record),
    description: `The mean loss per record falls from ${shown(begin)} in round ${first.points[0]?.x} to ${shown(end)} in round ${first.points.at(-1)?.x}.`,
    axes: { x: 'round', y: 'mean loss of a record, without the penalty' },
    lines,
  });
}

const fewText = 'fewer than 10 records';

function residualPlot(
  record: ModelRecord,
  model: Model,
  { records, residuals, residuals_by_prediction: profile }: Diagnostics,
): string {
  if (residuals === undefined || profile === undefined) throw unfinished(record);
  const target = fieldName(model.data_props.target);
  const beyond = residuals.below + residuals.above;
  return panelPage({
    title: titled('Residuals', record),
    description:
      `A histogram of ${records} residuals (${target} less its prediction) between ${shown(residuals.edges[0] ?? 0)} and ` +
      `${shown(residuals.edges.at(-1) ?? 0)}, with ${beyond} beyond, beside a normal curve of the same deviation; below, their mean and ` +
      'standard deviation by what was predicted. The numbers are in the diagnostics of the model.',
    panels: [histogramPanel(records, target, residuals), profilePanel(target, profile)],
  });
}

function histogramPanel(
  records: number,
  target: string,
  { edges, counts, small, below, above }: ResidualHistogram,
): Panel {
  const [low = -1, high = 1] = [edges[0], edges.at(-1)];
  // The edges are four root mean squares away.
  const deviation = high / 4;
  const binWidth = (high - low) / counts.length;
  const expected = (at: number): number =>
    ((records * binWidth) / (deviation * Math.sqrt(2 * Math.PI))) * Math.exp(-((at / deviation) ** 2) / 2);
  const greatest = Math.max(expected(0), ...counts);
  const y = axisOver(0, greatest);
  const curve = Array.from({ length: 121 }, (_, index) => low + ((high - low) * index) / 120);
  const outside: Shape[] = [
    ...(below > 0
      ? [{ kind: 'text', x: low, y: y.high * 0.09, text: ` ${below} below`, anchor: 'start' } as const]
      : []),
    ...(above > 0
      ? [{ kind: 'text', x: high, y: y.high * 0.09, text: `${above} above `, anchor: 'end' } as const]
      : []),
  ];
  return {
    heading: 'How they are spread',
    x: axisOver(low, high, true),
    y,
    labels: { x: `${target} − prediction`, y: 'records' },
    height: 260,
    legend: [
      { kind: 'bar', class: 'mark', text: 'records' },
      ...legendOfFew(small, 'bar'),
      { kind: 'line', class: 'reference', text: 'normal, same deviation' },
    ],
    shapes: [
      ...counts.flatMap((count, bin): Shape[] =>
        count === 0
          ? []
          : [
              {
                kind: 'bar',
                from: edges[bin] ?? 0,
                to: edges[bin + 1] ?? 0,
                height: count,
                class: small[bin] === true ? 'few' : 'mark',
              },
            ],
      ),
      { kind: 'line', points: curve.map((at) => [at, expected(at)] as const), class: 'reference' },
      ...outside,
    ],
  };
}

function profilePanel(
  target: string,
  { edges, counts, small, means, standard_deviations: deviations }: ResidualProfile,
): Panel {
  const filled = counts.flatMap((count, bin) => (count > 0 ? [bin] : []));
  const [first = 0, last = 0] = [filled[0], filled.at(-1)];
  const reach = filled.map((bin) => Math.abs(means[bin] ?? 0) + (deviations[bin] ?? 0));
  const greatest = Math.max(Number.MIN_VALUE, ...reach);
  const x = axisOver(edges[first] ?? 0, edges[last + 1] ?? 1);
  return {
    heading: 'By what was predicted',
    x,
    y: axisOver(-greatest, greatest),
    labels: { x: `prediction of ${target}`, y: `${target} − prediction` },
    height: 260,
    legend: [
      { kind: 'point', class: 'mark', text: 'mean ± standard deviation' },
      ...legendOfFew(small, 'point'),
      { kind: 'line', class: 'reference', text: 'no residual' },
    ],
    shapes: [
      {
        kind: 'line',
        points: [
          [x.low, 0],
          [x.high, 0],
        ],
        class: 'reference',
      },
      ...filled.flatMap((bin): Shape[] => {
        const at = ((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2;
        const mean = means[bin] ?? 0;
        const isSmall = small[bin] === true;
        const spread = deviations[bin];
        const label = `${counts[bin]} records: mean ${shown(mean)}${typeof spread === 'number' ? `, standard deviation ${shown(spread)}` : ''}`;
        return [
          ...(typeof spread === 'number'
            ? [
                {
                  kind: 'line',
                  points: [
                    [at, mean - spread],
                    [at, mean + spread],
                  ],
                  class: isSmall ? 'spreadfew' : 'spread',
                } as const,
              ]
            : []),
          { kind: 'point', x: at, y: mean, class: isSmall ? 'few' : 'mark', label },
        ];
      }),
    ],
  };
}

function calibrationPlot(record: ModelRecord, model: Model, { records, calibration }: Diagnostics): string {
  if (calibration === undefined) throw unfinished(record);
  const of =
    calibration.class === undefined
      ? 'of the likeliest class'
      : `that ${fieldName(model.data_props.target)} is ${calibration.class}`;
  return panelPage({
    title: titled('Calibration', record),
    description:
      `For ${records} records in ${calibration.counts.length} bins of the predicted probability ${of}: how often it was so, beside the line of a ` +
      'model that is right about its probabilities; below, how many records each bin has. The numbers are in the diagnostics of the model.',
    panels: [reliabilityPanel(of, calibration), countPanel(of, calibration)],
  });
}

const unit = axisOver(0, 1, true);

function reliabilityPanel(of: string, { counts, small, predicted, observed }: Calibration): Panel {
  const filled = counts.flatMap((count, bin) => (count > 0 ? [bin] : []));
  const place = (bin: number): readonly [number, number] => [predicted[bin] ?? 0, observed[bin] ?? 0];
  return {
    heading: 'How often it was so',
    x: unit,
    y: unit,
    labels: { x: `predicted probability ${of}, mean in the bin`, y: 'share of the records' },
    height: 380,
    legend: [
      { kind: 'point', class: 'mark', text: 'share, 95 % interval (Wilson)' },
      ...legendOfFew(small, 'point'),
      { kind: 'line', class: 'reference', text: 'as predicted' },
    ],
    shapes: [
      {
        kind: 'line',
        points: [
          [0, 0],
          [1, 1],
        ],
        class: 'reference',
      },
      ...(filled.length > 1 ? [{ kind: 'line', points: filled.map(place), class: 'mark' } as const] : []),
      ...filled.flatMap((bin): Shape[] => {
        const [x, y] = place(bin);
        const count = counts[bin] ?? 0;
        const [low, high] = wilson(y, count);
        const isSmall = small[bin] === true;
        return [
          {
            kind: 'line',
            points: [
              [x, low],
              [x, high],
            ],
            class: isSmall ? 'spreadfew' : 'spread',
          },
          {
            kind: 'point',
            x,
            y,
            class: isSmall ? 'few' : 'mark',
            label: `${count} records: ${shown(x)} predicted, ${shown(y)} observed`,
          },
        ];
      }),
    ],
  };
}

function countPanel(of: string, { edges, counts, small }: Calibration): Panel {
  return {
    heading: 'How many records',
    x: unit,
    y: axisOver(0, Math.max(1, ...counts)),
    labels: { x: `predicted probability ${of}`, y: 'records' },
    height: 140,
    legend: [{ kind: 'bar', class: 'mark', text: 'records' }, ...legendOfFew(small, 'bar')],
    shapes: counts.flatMap((count, bin): Shape[] =>
      count === 0
        ? []
        : [
            {
              kind: 'bar',
              from: edges[bin] ?? 0,
              to: edges[bin + 1] ?? 0,
              height: count,
              class: small[bin] === true ? 'few' : 'mark',
            },
          ],
    ),
  };
}

function legendOfFew(small: readonly boolean[], kind: 'bar' | 'point'): LegendEntry[] {
  return small.includes(true) ? [{ kind, class: 'few', text: fewText }] : [];
}

/** The score interval of a share at 95 % (Wilson 1927). */
function wilson(share: number, count: number): readonly [number, number] {
  const z = 1.959_963_984_540_054;
  const square = (z * z) / count;
  const middle = (share + square / 2) / (1 + square);
  const half = (z / (1 + square)) * Math.sqrt((share * (1 - share)) / count + square / (4 * count));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}

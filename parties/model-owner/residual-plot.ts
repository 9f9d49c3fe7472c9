/** The residuals of a linear model as a picture: how they are spread, and by what was predicted. */
import { axisOver } from '../../src/charts/axis.ts';
import { type Panel, panelPage, type Shape } from '../../src/charts/panels.ts';
import { fieldName } from '../../src/learning/fields.ts';
import type { ResidualHistogram, ResidualProfile } from '../../src/learning/inference/diagnostics.ts';
import type { Model } from '../../src/learning/model-types.ts';
import type { ModelRecord } from '../../src/storage/model-store.ts';
import { countBars, labelled, legendOfFew, markedPoint, shown, titled } from './plot-parts.ts';

export function residualPlot(
  record: ModelRecord,
  model: Model,
  residuals: ResidualHistogram,
  profile: ResidualProfile,
): string {
  const records = residuals.below + residuals.above + residuals.counts.reduce((sum, count) => sum + count, 0);
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

function histogramPanel(records: number, target: string, residuals: ResidualHistogram): Panel {
  const { edges, counts, small, below, above } = residuals;
  const [low = -1, high = 1] = [edges[0], edges.at(-1)];
  // The edges are four root mean squares away.
  const deviation = high / 4;
  const binWidth = (high - low) / counts.length;
  const expected = (at: number): number =>
    ((records * binWidth) / (deviation * Math.sqrt(2 * Math.PI))) * Math.exp(-((at / deviation) ** 2) / 2);
  const greatest = Math.max(expected(0), ...counts);
  const y = axisOver(0, greatest);
  const curve = Array.from({ length: 121 }, (_, index) => low + ((high - low) * index) / 120);
  // At the top, where hardly ever a bar is.
  const outside: Shape[] = [
    ...(below > 0
      ? [{ kind: 'text', x: low, y: y.high * 0.94, text: ` ${below} below`, anchor: 'start' } as const]
      : []),
    ...(above > 0
      ? [{ kind: 'text', x: high, y: y.high * 0.94, text: `${above} above `, anchor: 'end' } as const]
      : []),
  ];
  return {
    heading: 'How they are spread',
    x: axisOver(low, high, true),
    y,
    labels: { x: `${labelled(target)} − prediction`, y: 'records' },
    height: 260,
    legend: [
      { kind: 'bar', class: 'mark', text: 'records' },
      ...legendOfFew(small, 'bar'),
      { kind: 'line', class: 'reference', text: 'normal, same deviation' },
    ],
    shapes: [
      ...countBars(residuals),
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
  const greatest = Math.max(0, ...reach);
  const x = axisOver(edges[first] ?? 0, edges[last + 1] ?? 1);
  return {
    heading: 'By what was predicted',
    x,
    y: axisOver(-greatest, greatest),
    labels: { x: `prediction of ${labelled(target)}`, y: `${labelled(target)} − prediction` },
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
      ...filled.flatMap((bin) => {
        const at = ((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2;
        const mean = means[bin] ?? 0;
        const deviation = deviations[bin] ?? undefined;
        const spread = deviation === undefined ? undefined : ([mean - deviation, mean + deviation] as const);
        const told = deviation === undefined ? '' : `, standard deviation ${shown(deviation)}`;
        return markedPoint(
          [at, mean],
          spread,
          small[bin] === true,
          `${counts[bin]} records: mean ${shown(mean)}${told}`,
        );
      }),
    ],
  };
}

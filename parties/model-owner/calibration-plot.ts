/** The calibration of a classifier as a picture: how often it was so, and of how many records. */
import { axisOver } from '../../src/charts/axis.ts';
import { type Panel, panelPage } from '../../src/charts/panels.ts';
import { fieldName } from '../../src/learning/fields.ts';
import type { Calibration } from '../../src/learning/inference/diagnostics.ts';
import type { Model } from '../../src/learning/model-types.ts';
import type { ModelRecord } from '../../src/storage/model-store.ts';
import { countBars, labelled, legendOfFew, markedPoint, shown, titled } from './plot-parts.ts';

export function calibrationPlot(record: ModelRecord, model: Model, calibration: Calibration): string {
  const records = calibration.counts.reduce((sum, count) => sum + count, 0);
  const target = fieldName(model.data_props.target);
  const probabilityOf = (name: (each: string) => string): string =>
    calibration.class === undefined ? 'of the likeliest class' : `that ${name(target)} is ${name(calibration.class)}`;
  const of = probabilityOf(labelled);
  return panelPage({
    title: titled('Calibration', record),
    description:
      `For ${records} records in ${calibration.counts.length} bins of the predicted probability ${probabilityOf((name) => name)}: how often it was so, beside the line of a ` +
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
      ...filled.flatMap((bin) => {
        const [x, y] = place(bin);
        const count = counts[bin] ?? 0;
        const label = `${count} records: ${shown(x)} predicted, ${shown(y)} observed`;
        return markedPoint([x, y], wilson(y, count), small[bin] === true, label);
      }),
    ],
  };
}

function countPanel(of: string, bins: Calibration): Panel {
  return {
    heading: 'How many records',
    x: unit,
    y: axisOver(0, Math.max(1, ...bins.counts)),
    labels: { x: `predicted probability ${of}`, y: 'records' },
    height: 140,
    legend: [{ kind: 'bar', class: 'mark', text: 'records' }, ...legendOfFew(bins.small, 'bar')],
    shapes: countBars(bins),
  };
}

/** The score interval of a share at 95 % (Wilson 1927). */
function wilson(share: number, count: number): readonly [number, number] {
  const z = 1.959_963_984_540_054;
  const square = (z * z) / count;
  const middle = (share + square / 2) / (1 + square);
  const half = (z / (1 + square)) * Math.sqrt((share * (1 - share)) / count + square / (4 * count));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

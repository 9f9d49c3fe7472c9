/** What a model's losses, residuals and calibration look like: SVG pages of what the model shows in numbers. */
import { lineChart } from '../../src/charts/line-chart.ts';
import { SealsumError } from '../../src/errors.ts';
import { requireTrained } from '../../src/learning/model-document.ts';
import type { Model } from '../../src/learning/model-types.ts';
import type { ModelRecord, RoundReport } from '../../src/storage/model-store.ts';
import { calibrationPlot } from './calibration-plot.ts';
import { shown, titled } from './plot-parts.ts';
import { residualPlot } from './residual-plot.ts';

export type PlotName = 'loss' | 'residuals' | 'calibration';

/** What a plot is answered with: its own style counts also where it is opened by itself, and nothing else does. */
export const plotHeaders = {
  'content-type': 'image/svg+xml; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

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
  const { residuals, residuals_by_prediction: profile, calibration } = record.diagnostics;
  if (residuals !== undefined && profile !== undefined) return residualPlot(record, model, residuals, profile);
  if (calibration !== undefined) return calibrationPlot(record, model, calibration);
  throw unfinished(record);
}

function refuse(field: string, why: string): SealsumError {
  return new SealsumError('model_invalid', `${field}: ${why}`, { field });
}

function unfinished({ id, status }: ModelRecord): SealsumError {
  return new SealsumError('model_unfinished', `model ${id} is ${status.replaceAll('_', ' ')}`, { field: 'id' });
}

/** Of a line: more of them would not be told apart. */
const mostPoints = 2000;

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
    const step = Math.ceil(points.length / mostPoints);
    const drawn = points.filter((_, index) => index % step === 0 || index === points.length - 1);
    return points.length === 0
      ? []
      : [
          {
            name: name === 'loss' ? 'of the records that are trained on' : 'of those that are held out',
            points: drawn,
          },
        ];
  });
  const [first] = lines;
  if (first === undefined) throw unfinished(record);
  const [begin, end] = [first.points[0]?.y ?? 0, first.points.at(-1)?.y ?? 0];
  return lineChart({
    title: titled('Loss', record),
    description: `The mean loss per record goes from ${shown(begin)} in round ${first.points[0]?.x} to ${shown(end)} in round ${first.points.at(-1)?.x}.`,
    axes: { x: 'round', y: 'mean loss of a record, without the penalty' },
    lines,
  });
}

/**
 * Ranges that are not declared: a model.json whose columns say `standardize` in place of `range` becomes two, one for statistics that
 * is summed first, and one that is trained with what came out of it.
 *
 * Nothing unbounded can be summed, so wide bounds are still declared: `within`. The range is mean ± deviations·σ, from sums with noise
 * where there is privacy, cut off at the bounds; values beyond it count as its nearer end. Both jobs are shown to every owner and charged:
 * of a promise in ρ the first has a tenth and the second the rest, so that together they keep it (Bun, Steinke 2016, Lemma 2.3).
 */

import { z } from 'zod';
import { SealsumError } from '../../errors.ts';
import { range } from '../column-schema.ts';
import { fieldName } from '../fields.ts';
import { isJsonObject, type JsonObject } from '../json-object.ts';
import { shareOfPrivacy } from '../privacy-share.ts';
import { number } from '../settings-schema.ts';
import type { StatisticsReport } from './report.ts';

/** Of a promise, what the statistics spend. */
const SHARE = 0.1;

const settings = z.strictObject(
  {
    within: range,
    deviations: number((value) => value >= 0.1 && value <= 100, 'expected a number from 0.1 to 100').default(3),
  },
  { error: 'expected {"within", "deviations"}' },
);

export interface Standardisation {
  /** The model.json of the statistics. */
  readonly statistics: JsonObject;
  /** The model.json that is trained, with its ranges. @throws SealsumError model_invalid where a column has no spread to scale by */
  training(report: Pick<StatisticsReport, 'moments'>): JsonObject;
}

interface Column {
  readonly path: string;
  readonly field: JsonObject;
  readonly within: readonly [number, number];
  readonly deviations: number;
}

/**
 * Takes a model.json apart.
 *
 * @returns undefined where no column says `standardize`
 * @throws SealsumError model_invalid naming the field
 */
export function standardisationOf(document: unknown): Standardisation | undefined {
  if (!isJsonObject(document) || !isJsonObject(document.data_props)) return undefined;
  const { features, target, header, delimiter, dataset } = document.data_props;
  const listed: unknown[] = Array.isArray(features) ? features : [];
  const places: (readonly [string, unknown])[] = listed.map((each, index) => [`data_props.features[${index}]`, each]);
  const fields = [...places, ['data_props.target', target] as const];
  const columns = fields.flatMap(([path, field]) => columnOf(path, field));
  if (columns.length === 0) return undefined;
  const [before, after] = divide(document.privacy);
  const { encryption, participation, name } = document;
  const { key_bits, fraction_bits } = isJsonObject(encryption) ? encryption : {};
  const hasNames = fields.some(([, field]) => isJsonObject(field) && field.name !== undefined);
  return {
    statistics: {
      ...(typeof name === 'string' ? { name: `${name}: standardisation` } : {}),
      model_type: 'STATISTICS',
      data_props: {
        header: header ?? hasNames,
        ...(dataset === undefined ? {} : { dataset }),
        ...(delimiter === undefined ? {} : { delimiter }),
        columns: columns.map(({ field, within }) => ({
          ...(field.name === undefined ? { col_idx: field.col_idx } : { name: field.name }),
          type: 'continuous',
          range: within,
          missing: field.missing === undefined || field.missing === 'refuse' ? 'refuse' : 'count',
        })),
      },
      statistics: { moments: true },
      encryption: {
        ...(key_bits === undefined ? {} : { key_bits }),
        ...(fraction_bits === undefined ? {} : { fraction_bits }),
      },
      ...(participation === undefined ? {} : { participation }),
      ...(before === undefined ? {} : { privacy: before }),
    },
    training: ({ moments }) => {
      const ranged = new Map(columns.map((column, index) => [column.field, withRange(column, moments[index])]));
      const resolve = (field: unknown): unknown => (isJsonObject(field) ? (ranged.get(field) ?? field) : field);
      return {
        ...document,
        data_props: { ...(document.data_props as JsonObject), features: listed.map(resolve), target: resolve(target) },
        ...(after === undefined ? {} : { privacy: after }),
      };
    },
  };
}

function columnOf(path: string, field: unknown): Column[] {
  if (!isJsonObject(field) || field.standardize === undefined) return [];
  const refuse = (at: string, why: string): SealsumError =>
    new SealsumError('model_invalid', `${at}: ${why}`, { field: at });
  if (field.range !== undefined) throw refuse(`${path}.range`, 'expected one of range and standardize');
  if ((field.type ?? 'continuous') !== 'continuous')
    throw refuse(`${path}.standardize`, 'only for continuous columns; declare the range or the levels');
  const parsed = settings.safeParse(field.standardize);
  if (parsed.success) return [{ path, field, ...parsed.data }];
  const [issue] = parsed.error.issues;
  const at = [`${path}.standardize`, ...(issue?.path ?? [])].join('.');
  throw refuse(
    at,
    issue?.code === 'unrecognized_keys' ? `unknown field ${issue.keys.join(', ')}` : (issue?.message ?? ''),
  );
}

/** What is promised, for the statistics and for the training. */
function divide(privacy: unknown): readonly [JsonObject | undefined, JsonObject | undefined] {
  const where = 'where a column is standardised; declare its range';
  const [first, rest] = [SHARE, 1 - SHARE].map((share) => shareOfPrivacy(privacy, share, where));
  // What is refused of a training's privacy is named when the training is read.
  if (first?.rho === undefined || first === privacy) return [first, rest];
  const { delta, place, unit, neighbours, silent_owners, rho } = first;
  const mode = { delta, place, unit, neighbours, silent_owners, rho };
  return [Object.fromEntries(Object.entries(mode).filter(([, value]) => value !== undefined)), rest];
}

function withRange(
  { path, field, within, deviations }: Column,
  moments: StatisticsReport['moments'][number] | undefined,
): JsonObject {
  const rest = Object.fromEntries(Object.entries(field).filter(([key]) => key !== 'standardize'));
  const mean = moments?.mean.value;
  const deviation = moments?.standard_deviation;
  const name = fieldName(field);
  const refuse = (why: string): SealsumError => {
    const at = `${path}.standardize`;
    return new SealsumError('model_invalid', `${at}: ${name}: ${why}; declare its range`, { field: at });
  };
  if (typeof mean !== 'number' || typeof deviation?.value !== 'number')
    throw refuse(deviation?.reason ?? moments?.mean.reason ?? 'there are no statistics of it');
  const low = Math.max(within[0], mean - deviations * deviation.value);
  const high = Math.min(within[1], mean + deviations * deviation.value);
  if (!range.safeParse([low, high]).success) throw refuse('its values do not differ, or the noise outweighs them');
  return { ...rest, type: 'continuous', range: [low, high], within };
}

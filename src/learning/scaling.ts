/**
 * Between a column of the data file and the numbers that are learned from: every number lies in [−1, 1].
 *
 * Continuous and discrete: (v − mid) / half of the declared range. Ordinal: the levels equally spaced from −1 to 1, so the
 * unit of the data file is one level. Nominal: an indicator (0 or 1) per level but the first.
 */
import type { Feature, LevelField, NumericField } from './fields.ts';
import { isNumeric } from './fields.ts';

/** value = mid + half × scaled. */
export interface LinearScale {
  readonly mid: number;
  readonly half: number;
}

/** The scale of a range. */
export function rangeScale({ range: [low, high] }: Pick<NumericField, 'range'>): LinearScale {
  // Halved before they are added, so that no range overflows.
  return { mid: low / 2 + high / 2, half: high / 2 - low / 2 };
}

/** The scale of ordinal levels, a level's value being its position counted from 0. */
export function ordinalScale({ levels }: Pick<LevelField, 'levels'>): LinearScale {
  const half = (levels.length - 1) / 2;
  return { mid: half, half };
}

/** To [−1, 1]; rounding at the ends of the range is cut off, so that the bound holds exactly. */
export function scaleValue({ mid, half }: LinearScale, value: number): number {
  return Math.min(1, Math.max(-1, (value - mid) / half));
}

export function unscaleValue({ mid, half }: LinearScale, scaled: number): number {
  return mid + half * scaled;
}

/** How a feature's columns relate to the data file's own units; indicators have no unit. */
export function featureScale(feature: Feature): LinearScale {
  if (isNumeric(feature)) return rangeScale(feature);
  return feature.type === 'ordinal' ? ordinalScale(feature) : { mid: 0, half: 1 };
}

/** Texts that mean a missing value, whatever their case; a declared level is never missing, even when it is spelt so. */
export const MISSING_TEXTS: readonly string[] = ['', 'na', 'n/a', 'nan', 'null', '?'];

/** What a cell holds: a number in the data file's units, the position of a level, nothing, or what it should have held. */
export type CellValue =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly expected: string };

/** Decimal numbers as data files write them; no hexadecimal, no separators of thousands, no infinity. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

export function looksNumeric(text: string): boolean {
  return DECIMAL.test(text);
}

export function isMissingText(text: string): boolean {
  return MISSING_TEXTS.includes(text.toLowerCase());
}

/** A reader of the cells of one column; made once per column, since a level's position is looked up for every record. */
export function cellReader(field: NumericField | LevelField): (text: string) => CellValue {
  return isNumeric(field) ? (text) => readNumber(field, text) : levelReader(field);
}

function readNumber(field: NumericField, text: string): CellValue {
  const [low, high] = field.within ?? field.range;
  if (isMissingText(text)) return { kind: 'missing' };
  const whole = field.type === 'discrete';
  const expected = `expected a ${whole ? 'whole number' : 'number'} within [${low}, ${high}]`;
  if (!looksNumeric(text)) return { kind: 'refused', expected: `${expected}; this is not a number` };
  const value = Number(text);
  if (whole && !Number.isInteger(value)) return { kind: 'refused', expected: `${expected}; this is not whole` };
  if (value < low || value > high) return { kind: 'refused', expected: `${expected}; this is out of range` };
  return { kind: 'value', value };
}

const MOST_LEVELS_SHOWN = 12;

function levelReader(field: LevelField): (text: string) => CellValue {
  const positions = new Map(field.levels.map((level, position) => [level, position]));
  const shown = field.levels.slice(0, MOST_LEVELS_SHOWN).join(', ');
  const others = field.levels.length - MOST_LEVELS_SHOWN;
  const expected = `expected one of the declared levels ${shown}${others > 0 ? ` and ${others} more` : ''}`;
  return (text) => {
    const value = positions.get(text);
    if (value !== undefined) return { kind: 'value', value };
    return isMissingText(text) ? { kind: 'missing' } : { kind: 'refused', expected };
  };
}

/** Writes a value of a feature (as `cellReader` gives it) into its `featureWidth` columns from `offset` on. */
export function writeFeature(feature: Feature, value: number, into: Float64Array, offset: number): void {
  if (feature.type === 'nominal') {
    if (value > 0) into[offset + value - 1] = 1;
    return;
  }
  into[offset] = scaleValue(featureScale(feature), value);
}

/** The value that `missing` puts in the place of nothing: a number, or the position of a level. */
export function imputedValue(feature: Feature): number {
  return isNumeric(feature) ? Number(feature.missing) : feature.levels.indexOf(feature.missing);
}

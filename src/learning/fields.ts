/**
 * What model.json says about one column of the data file: a feature, or the target.
 *
 * Everything here is public and agreed before training. Scaling uses the declared `range` and `levels` only, never the
 * records, so that nothing private leaks into it.
 */

/** Where a column is found, and what it means. Exactly one of `name` and `col_idx` is given. */
export interface FieldPlace {
  /** The column's name in the header. */
  readonly name?: string | undefined;
  /** The column's position, counted from 0. */
  readonly col_idx?: number | undefined;
  readonly description?: string | undefined;
}

/** A number within `range`, ends included; `discrete` means whole numbers. */
export interface NumericField extends FieldPlace {
  readonly type: 'continuous' | 'discrete';
  /** [low, high] with low < high, in the data file's own units. */
  readonly range: readonly [number, number];
  /** Bounds around the range: values within them are accepted, and those out of the range count as its nearer end. */
  readonly within?: readonly [number, number] | undefined;
}

/**
 * One of the declared `levels`, written as the data file writes them. Ordinal levels are equally spaced on one axis; nominal
 * ones get an indicator each, but the first, the reference.
 */
export interface LevelField extends FieldPlace {
  readonly type: 'ordinal' | 'nominal';
  /** Distinct, at least 2; for `ordinal` from the lowest to the highest. */
  readonly levels: readonly string[];
}

/** A missing value refuses the file, drops the record, or is replaced by a declared number or level. */
export type NumericFeature = NumericField & { readonly missing: 'refuse' | 'drop' | number };
export type LevelFeature = LevelField & { readonly missing: string };
export type Feature = NumericFeature | LevelFeature;

/** The column that is to be predicted; a record without it is of no use, so it can only be refused or dropped. */
export type Target = (NumericField | LevelField) & { readonly missing: 'refuse' | 'drop' };

/** One value of a row in JSON; null is a missing value. */
export type Cell = string | number | null;
/** A record without its target: an array in the order of the columns, or an object by column name. */
export type FeatureRow = readonly Cell[] | Readonly<Record<string, Cell>>;

/** How people call the column: its name, or `column 3` counted from 0 as `col_idx` counts. */
export function fieldName(field: FieldPlace): string {
  return field.name ?? `column ${field.col_idx ?? 0}`;
}

export function isNumeric(field: NumericFeature | LevelFeature): field is NumericFeature;
export function isNumeric(field: NumericField | LevelField): field is NumericField;
export function isNumeric(field: NumericField | LevelField): field is NumericField {
  return field.type === 'continuous' || field.type === 'discrete';
}

/** The columns that a feature becomes: one, or for a nominal feature one per level but the first. */
export function featureWidth(feature: Feature): number {
  return feature.type === 'nominal' ? feature.levels.length - 1 : 1;
}

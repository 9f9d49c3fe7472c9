/**
 * A model.json for a table, for its own people to correct: which columns to use, as what, and within which bounds.
 *
 * What is proposed is computed from the records without any noise. Ranges are rounded outward, so that they rarely show a record's very value;
 * still they follow from the least and the greatest one, and levels from what occurs. The warnings say so.
 */
import { SealsumError } from '../errors.ts';
import { type ColumnProfile, mostLevels, profileColumns } from './column-profile.ts';
import { fieldName } from './fields.ts';
import type { JsonObject } from './json-object.ts';
import { parseModel } from './model.ts';
import type { ModelType } from './model-types.ts';
import { isMissingText } from './scaling.ts';
import type { Table } from './table.ts';

/** Why somebody should look at a column, or at the whole, before it is declared so. */
export type WarningCode =
  | 'column_empty'
  | 'column_constant'
  | 'column_identifies'
  | 'column_dates'
  | 'column_mixed'
  | 'levels_many'
  | 'levels_rare'
  | 'levels_from_data'
  | 'range_from_data'
  | 'range_too_wide'
  | 'values_missing'
  | 'name_unusable'
  | 'target_presumed';

export interface ProposalWarning {
  readonly code: WarningCode;
  /** Its name, or `column 3`; absent where all columns are meant. */
  readonly column?: string;
  /** Whether the column is in the proposal all the same. */
  readonly used: boolean;
  readonly message: string;
}

export interface Proposal {
  /** A model.json that parseModel() takes. */
  readonly model: JsonObject;
  readonly records: number;
  /** Records that "missing": "drop" would leave out. */
  readonly dropped: number;
  readonly columns: readonly ColumnProfile[];
  readonly warnings: readonly ProposalWarning[];
}

export interface ProposalOptions {
  /** A column's name, or its position counted from 0; the last one that can be declared unless given. */
  readonly target?: string | undefined;
  /** What follows from the target unless given. */
  readonly modelType?: ModelType | undefined;
  /** What data_props.dataset is to name. */
  readonly dataset?: string | undefined;
}

/** Fewer records than this have nothing that is usual. */
const fewRecords = 10;
/** A level that occurs less often may say who it is. */
const rare = 5;
const manyLevels = 20;

type Warn = (code: WarningCode, column: ColumnProfile | undefined, used: boolean, message: string) => void;

/** @throws SealsumError data_invalid where no target or no feature is left; message_invalid for a target that is no column */
export function proposeModel(table: Table, options: ProposalOptions = {}): Proposal {
  const columns = profileColumns(table);
  const warnings: ProposalWarning[] = [];
  const warn: Warn = (code, column, used, message) => {
    warnings.push({ code, ...(column === undefined ? {} : { column: nameOf(column) }), used, message });
  };
  const named = options.target === undefined ? undefined : findTarget(columns, options.target);
  const usable = columns.filter((column) => column === named || isUsable(column, table, warn));
  const target = named ?? usable.at(-1);
  if (target === undefined)
    throw new SealsumError('data_invalid', 'no column can be declared; see the columns themselves');
  if (named === undefined)
    warn(
      'target_presumed',
      target,
      true,
      'the last column that can be declared was taken for the target; --target says otherwise',
    );
  const features = usable.filter((column) => column !== target);
  if (features.length === 0)
    throw new SealsumError('data_invalid', `no column but the target ${nameOf(target)} can be declared as a feature`);
  const { modelType, declared } = declareTarget(target, options.modelType);
  const declarations = features.map((column) => declare(column, warn));
  const used = [...features, target];
  warnAboutMissing(used, warn);
  warnAboutData(used, modelType, warn);
  const model: JsonObject = {
    model_type: modelType,
    data_props: {
      ...(options.dataset === undefined ? {} : { dataset: options.dataset }),
      header: table.header !== undefined,
      features: declarations,
      target: declared,
    },
  };
  parseModel(model);
  return { model, records: table.rows.length, dropped: droppedOf(table, used), columns, warnings };
}

/** How people call it. */
export function nameOf({ name, col_idx }: ColumnProfile): string {
  return fieldName({ name, col_idx });
}

function findTarget(columns: readonly ColumnProfile[], target: string): ColumnProfile {
  const found =
    columns.find(({ name }) => name === target) ?? columns.find((column) => String(column.col_idx) === target);
  if (found === undefined)
    throw new SealsumError('message_invalid', `target: there is no column ${target} among ${columns.length}`, {
      field: 'target',
    });
  return found;
}

/** Whether a column can be declared; warns of one that is left out. */
function isUsable(column: ColumnProfile, table: Table, warn: Warn): boolean {
  const leaveOut = (code: WarningCode, message: string): boolean => {
    warn(code, column, false, `left out: ${message}`);
    return false;
  };
  const { kind, distinct, present, whole, ordered } = column;
  const many = present >= fewRecords;
  if (table.header !== undefined && column.name === undefined)
    warn('name_unusable', column, true, 'its name is empty or another column has it too, so it is declared by col_idx');
  if (kind === 'empty') return leaveOut('column_empty', 'every value is missing');
  if (distinct === 1) return leaveOut('column_constant', 'it holds one value alone, from which nothing can be learned');
  if (kind === 'dates')
    return leaveOut(
      'column_dates',
      'dates have no scale of their own; give the file a number in their place, such as days since something',
    );
  if (column.firstOther !== undefined)
    return leaveOut(
      'column_mixed',
      `nearly all values are numbers, and that of ${table.place} ${table.lines[column.firstOther] ?? ''} is none`,
    );
  const every = distinct === present && many;
  if (every && kind === 'texts')
    return leaveOut('column_identifies', 'every value is another one: it names records and says nothing of the next');
  if (every && kind === 'numbers' && whole && ordered)
    return leaveOut(
      'column_identifies',
      'whole numbers in order, every one another: it numbers records, unless they are sorted by it',
    );
  if (kind === 'texts' && distinct > mostLevels)
    return leaveOut('levels_many', `${distinct} different texts are too many for levels; group them`);
  if (kind === 'numbers' && !isScalable(column)) return leaveOut('range_too_wide', 'doubles cannot scale by its range');
  return true;
}

function isScalable({ least, greatest }: ColumnProfile): boolean {
  const [low, high] = outward(least, greatest);
  const half = high / 2 - low / 2;
  return Number.isFinite(low) && Number.isFinite(high) && Number.isFinite(half) && 1 / half < Infinity;
}

function placeOf({ name, col_idx }: ColumnProfile): JsonObject {
  return name === undefined ? { col_idx } : { name };
}

function declare(column: ColumnProfile, warn: Warn): JsonObject {
  const missing = column.missing === 0 ? {} : { missing: 'drop' };
  const { kind, counts, distinct } = column;
  if (kind === 'numbers') return { ...placeOf(column), ...scaleOf(column), ...missing };
  const levels = levelsOf(column);
  if (distinct > manyLevels)
    warn(
      'levels_many',
      column,
      true,
      `${distinct} levels become ${distinct - 1} columns; group them where it makes sense`,
    );
  const few = [...(counts ?? new Map<string, number>()).values()].filter((count) => count < rare).length;
  if (few > 0)
    warn(
      'levels_rare',
      column,
      true,
      `${few} of ${distinct} levels occur less than ${rare} times, which may say who they are; group them`,
    );
  return { ...placeOf(column), type: 'nominal', levels, ...missing };
}

function scaleOf({ whole, least, greatest }: ColumnProfile): JsonObject {
  const range = outward(least, greatest);
  return { type: whole && range.every(Number.isSafeInteger) ? 'discrete' : 'continuous', range };
}

/** Numbers by size, texts by alphabet. */
function levelsOf({ kind, counts }: ColumnProfile): readonly string[] {
  const levels = [...(counts ?? new Map<string, number>()).keys()];
  return kind === 'numbers' ? levels.sort((left, right) => Number(left) - Number(right)) : levels.sort();
}

function declareTarget(
  column: ColumnProfile,
  asked: ModelType | undefined,
): { readonly modelType: ModelType; readonly declared: JsonObject } {
  const { kind, distinct, counts, least, greatest } = column;
  const levels = levelsOf(column);
  const refuse = (why: string): SealsumError =>
    new SealsumError('data_invalid', `${nameOf(column)}: ${why}`, { field: 'target' });
  if (kind === 'empty' || distinct === 1)
    throw refuse('the target holds one value or none, from which nothing can be learned');
  const isBinary = kind === 'numbers' && levels.length === 2 && least === 0 && greatest === 1;
  const linear = kind === 'numbers' && !isBinary;
  const modelType =
    asked ?? (linear ? 'LINEAR_REGRESSION' : distinct === 2 ? 'LOGISTIC_REGRESSION' : 'SOFTMAX_REGRESSION');
  const missing = column.missing === 0 ? {} : { missing: 'drop' };
  if (modelType === 'LINEAR_REGRESSION') {
    if (kind !== 'numbers') throw refuse('a linear regression has a target of numbers');
    if (!isScalable(column)) throw refuse('doubles cannot scale by the range of the target');
    const { range } = scaleOf(column);
    return { modelType, declared: { ...placeOf(column), type: 'continuous', range, ...missing } };
  }
  if (counts === undefined)
    throw refuse(`${distinct} different values are too many for classes; choose another target, or group them`);
  if (modelType === 'LOGISTIC_REGRESSION' && levels.length !== 2)
    throw refuse(`a logistic regression has 2 classes, and there are ${levels.length}; SOFTMAX_REGRESSION takes more`);
  return { modelType, declared: { ...placeOf(column), type: 'nominal', levels, ...missing } };
}

/** Ends of a range that hold every value, at multiples of 1, 2 or 5 times a power of ten, which is at most a fifth of the span. */
export function outward(least: number, greatest: number): [number, number] {
  const fifth = (greatest - least) / 5;
  const exponent = Math.floor(Math.log10(fifth));
  const leading = [5, 2, 1].find((each) => each * 10 ** exponent <= fifth) ?? 1;
  // A negative power is divided by, so that it is rounded once and not twice.
  const [up, down] = exponent < 0 ? [1, 10 ** -exponent] : [10 ** exponent, 1];
  const stepsTo = (value: number): number => (value / up / leading) * down;
  const low = (Math.floor(stepsTo(least)) * leading * up) / down;
  const high = (Math.ceil(stepsTo(greatest)) * leading * up) / down;
  return [low <= least ? low + 0 : least, high >= greatest ? high + 0 : greatest];
}

function droppedOf({ rows }: Table, used: readonly ColumnProfile[]): number {
  const places = used.filter(({ missing }) => missing > 0).map(({ col_idx }) => col_idx);
  return rows.filter((row) => places.some((column) => isMissingText(row[column] ?? ''))).length;
}

function warnAboutMissing(used: readonly ColumnProfile[], warn: Warn): void {
  for (const column of used) {
    if (column.missing === 0) continue;
    const all = column.missing + column.present;
    const other = column === used.at(-1) ? '' : '; "missing" may also be a number or a level to put in their place';
    warn(
      'values_missing',
      column,
      true,
      `${column.missing} of ${all} values are missing, and their records dropped${other}`,
    );
  }
}

function warnAboutData(used: readonly ColumnProfile[], modelType: ModelType, warn: Warn): void {
  const target = used.at(-1);
  const ofLevels = (column: ColumnProfile): boolean =>
    column.kind === 'texts' || (column === target && modelType !== 'LINEAR_REGRESSION');
  if (used.some((column) => !ofLevels(column)))
    warn(
      'range_from_data',
      undefined,
      true,
      "ranges are this file's least and greatest values, rounded outward: they say something of single records, and other owners' values may lie beyond; " +
        'declare what is possible, or in their place "standardize": {"within": […]}, which finds them by a sum',
    );
  if (used.some(ofLevels))
    warn(
      'levels_from_data',
      undefined,
      true,
      "levels are those of this file: whoever reads the model learns that they occur, and other owners' may be others; declare what is possible",
    );
}

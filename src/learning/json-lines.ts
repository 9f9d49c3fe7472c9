/**
 * Data files in JSON lines (jsonlines.org): a record a line, all of them objects by column name or all of them arrays, as the same rows
 * of strings that a CSV file gives. What declares a column decides what its cells mean, not the file.
 *
 * A number is as JavaScript writes it, a whole number of more digits than doubles hold as it stands; true and false are the texts
 * `true` and `false`; null, and a name that a line does not have, are missing values. A refusal names line and column and shows no value.
 */
import { SealsumError } from '../errors.ts';
import { isJsonObject } from './json-object.ts';
import type { Table, TableOptions } from './table.ts';
import { decodeText, explainReading, type TableSource } from './text-source.ts';

/** Positions of columns are whole numbers below this, as `col_idx` is. */
const mostColumns = 100_000;

/** Characters: so that a file without line ends does not fill the memory. */
const longestLine = 2 ** 24;

/** Cells of a table, from which on it is looked at how many of them hold anything while it grows. */
const fewCells = 1_000_000;

/** A table in which less than one cell in so many holds anything is none: names are taken for values. */
const greatestThinness = 100;

/** How a file of JSON lines begins, which no usual CSV does. */
const beginning = /^\ufeff?\s*(?:\{\s*["}]|\[\s*(?:["[\]{\d-]|null\b|true\b|false\b))/;

/** @param start the first bytes of a file, as text */
export function beginsAsJsonLines(start: string): boolean {
  return beginning.test(start);
}

/**
 * Reads a whole table. Of objects the names are always known, whatever `header` says; of arrays the first line holds them where it says so.
 *
 * @throws SealsumError `data_invalid` naming the line, and the column where it is one: no JSON, neither an object nor an array, a value
 *   that is a list or an object, a name twice, arrays of several lengths; without a line where the file cannot be read, is not UTF-8 or
 *   has no records; `aborted` when the signal says so
 */
export async function readJsonLines(source: TableSource, { header, signal }: TableOptions): Promise<Table> {
  const builder = new LinesBuilder(header);
  try {
    let line = 0;
    for await (const text of linesOf(decodeText(source))) {
      if (signal?.aborted === true) throw new SealsumError('aborted', 'reading the data file was aborted');
      line += 1;
      builder.add(text, line);
    }
    return builder.finish();
  } catch (error) {
    throw explainReading(error, signal, 'JSON lines');
  }
}

/** What stands between line feeds; a carriage return before one is a space to JSON. */
async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let pieces: string[] = [];
  let [length, line] = [0, 1];
  for await (const text of texts) {
    const [first = '', ...others] = text.split('\n');
    const last = others.pop();
    pieces.push(first);
    length += first.length;
    if (length > longestLine)
      throw refusal(line, `the line is longer than ${longestLine} characters; a record must be on a line of its own`);
    if (last === undefined) continue;
    yield pieces.join('');
    yield* others;
    line += 1 + others.length;
    pieces = [last];
    length = last.length;
  }
  yield pieces.join('');
}

class LinesBuilder {
  readonly #withHeader: boolean;
  #kind: 'objects' | 'arrays' | undefined;
  #headerLine: number | undefined;
  /** Names of the columns in the order in which they came. */
  readonly #columns = new Map<string, number>();
  /** Of arrays. */
  #width = 0;
  readonly #rows: string[][] = [];
  readonly #lines: number[] = [];
  #given = 0;
  /** Of all rows, as long as they were when they came. */
  #cells = 0;

  constructor(withHeader: boolean) {
    this.#withHeader = withHeader;
  }

  add(text: string, line: number): void {
    if (text.trim() === '') return;
    const value = parseLine(text, line);
    const kind = Array.isArray(value) ? 'arrays' : 'objects';
    this.#kind ??= kind;
    if (kind !== this.#kind)
      throw refusal(line, `expected ${this.#kind === 'arrays' ? 'an array' : 'an object'}, as the lines before it`);
    if (Array.isArray(value)) this.#addArray(value, text, line);
    else if (isJsonObject(value)) this.#addObject(value, text, line);
  }

  #addObject(value: Readonly<Record<string, unknown>>, text: string, line: number): void {
    const { keys, literals } = scan(text);
    const names = keys.map((key) => key.trim());
    if (new Set(names).size !== names.length) throw twice(names, line);
    const row: string[] = Array.from({ length: this.#columns.size }, () => '');
    for (const [index, name] of names.entries())
      row[this.#columnOf(name, line)] = cellText(value[keys[index] ?? ''], literals[index] ?? '', line, name);
    this.#given += names.length;
    this.#push(row, line);
  }

  #columnOf(name: string, line: number): number {
    const known = this.#columns.get(name);
    if (known !== undefined) return known;
    if (name === '') throw refusal(line, 'a name is empty; expected the name of a column');
    const column = this.#columns.size;
    if (column === mostColumns)
      throw refusal(
        line,
        `the file has more than ${mostColumns} names; expected those of columns, in every line the same`,
      );
    this.#columns.set(name, column);
    return column;
  }

  #addArray(values: readonly unknown[], text: string, line: number): void {
    if (this.#lines.length === 0 && this.#headerLine === undefined) {
      if (values.length === 0) throw refusal(line, 'the array is empty; expected a value for every column');
      if (values.every((value) => typeof value === 'object' && value !== null))
        throw refusal(line, `the line is a list of records, and a record must be on a line of its own ${mend}`);
      this.#width = values.length;
      if (this.#withHeader) {
        this.#addHeader(values, line);
        return;
      }
    }
    const first = this.#headerLine ?? this.#lines[0] ?? line;
    if (values.length !== this.#width)
      throw refusal(
        line,
        `the array has ${values.length} values where line ${first} has ${this.#width}: every line must have as many`,
      );
    const { literals } = scan(text);
    const names = [...this.#columns.keys()];
    this.#given += values.length;
    this.#push(
      values.map((value, column) => cellText(value, literals[column] ?? '', line, names[column] ?? `column ${column}`)),
      line,
    );
  }

  #addHeader(names: readonly unknown[], line: number): void {
    for (const name of names) {
      if (typeof name !== 'string')
        throw new SealsumError(
          'data_invalid',
          `line ${line} does not hold the names of the columns, as data_props.header says: expected texts; set it to false, or add a line with names`,
          { line, field: 'data_props.header' },
        );
      if (this.#columns.has(name.trim())) throw twice([name.trim(), name.trim()], line);
      this.#columnOf(name.trim(), line);
    }
    this.#headerLine = line;
  }

  #push(row: string[], line: number): void {
    this.#rows.push(row);
    this.#lines.push(line);
    this.#cells += row.length;
    if (this.#cells > fewCells) this.#requireNames(this.#cells);
  }

  /** Where every line has names of its own, there are as many cells as the square of the lines. */
  #requireNames(cells: number): void {
    if (cells <= greatestThinness * this.#given) return;
    throw new SealsumError(
      'data_invalid',
      `the lines have ${this.#columns.size} names together and ${Math.ceil(this.#given / this.#rows.length)} each: expected the names of columns, in every line the same`,
    );
  }

  finish(): Table {
    if (this.#kind === undefined)
      throw new SealsumError('data_invalid', 'the data file is empty: expected a line for every record');
    if (this.#rows.length === 0)
      throw new SealsumError('data_invalid', 'the data file has a header and no records below it', {
        line: this.#headerLine ?? 1,
      });
    const width = this.#kind === 'objects' ? this.#columns.size : this.#width;
    this.#requireNames(width * this.#rows.length);
    for (const row of this.#rows) while (row.length < width) row.push('');
    return {
      header: this.#columns.size === 0 ? undefined : [...this.#columns.keys()],
      headerLine: this.#headerLine,
      width,
      delimiter: undefined,
      rows: this.#rows,
      lines: this.#lines,
      place: 'line',
    };
  }
}

const mend = '(jq -c ".[]" makes lines of a list)';

/** An object or an array. The parser's own message shows what stands there, so it is not kept. */
function parseLine(text: string, line: number): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const isOpen = /^\s*[[{][^\]}]*$/.test(text);
    const hasNaN = /[[,:\s]-?(?:NaN|Infinity)\s*[,\]}]/.test(text);
    const hint = hasNaN
      ? '; NaN and Infinity are none of its numbers: write null'
      : isOpen
        ? `, whole on its line ${mend}`
        : '';
    throw refusal(line, `expected one JSON object or array${hint}`);
  }
  if (typeof value === 'object' && value !== null) return value;
  throw refusal(line, 'expected a JSON object or array, with the values of one record');
}

const token = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

/** Of JSON that is valid: the names at its top as they stand, each as often as it does, and the values behind them as they are written. */
function scan(text: string): { readonly keys: readonly string[]; readonly literals: readonly string[] } {
  const keys: string[] = [];
  const literals: string[] = [];
  let depth = 0;
  let before = '';
  for (const [found] of text.matchAll(token)) {
    if (found === '}' || found === ']') depth -= 1;
    if (depth === 1) {
      if (found === ':') {
        literals.pop();
        keys.push(JSON.parse(before) as string);
      } else if (found !== ',') literals.push(found);
    }
    if (found === '{' || found === '[') depth += 1;
    before = found;
  }
  return { keys, literals };
}

function cellText(value: unknown, literal: string, line: number, name: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refusal(line, 'the number is greater than doubles hold', name);
    return Number.isSafeInteger(value) || !/^-?\d+$/.test(literal) ? String(value) : literal;
  }
  throw refusal(line, 'expected a number, a text, true, false or null, not a list or an object', name);
}

function twice(names: readonly string[], line: number): SealsumError {
  const name = names.find((each, index) => names.indexOf(each) !== index) ?? '';
  return refusal(line, 'the line has this name twice', name);
}

function refusal(line: number, why: string, name?: string): SealsumError {
  return new SealsumError('data_invalid', `line ${line}${name === undefined ? '' : `, ${name}`}: ${why}`, {
    line,
    ...(name === undefined ? {} : { field: name }),
  });
}

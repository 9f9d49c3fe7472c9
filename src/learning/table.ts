/**
 * Data files in text: CSV and TSV (RFC 4180, with any of the three line ends) as rows of strings, each with the line it came from.
 *
 * What the strings mean is the business of features.ts. A refusal names the line; it never shows what stands on it.
 */
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { SealsumError } from '../errors.ts';
import { delimiterName } from './delimiter.ts';
import type { Delimiter } from './model-types.ts';
import { decodeText, explainReading, type TableSource } from './text-source.ts';

export type { TableSource } from './text-source.ts';

/** `data_props` of a model will do. */
export interface TableOptions {
  /** Whether the first line holds the names of the columns. */
  readonly header: boolean;
  /** Found from the first line when it is not given: the one of tab, semicolon and comma that occurs most often. */
  readonly delimiter?: Delimiter | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A data file as it was read: texts in rows and columns, with the lines that they come from. */
export interface Table {
  /** Names of the columns, or undefined where the file has no header. */
  readonly header: readonly string[] | undefined;
  /** The header's line, 1 unless empty lines come before it; undefined where the file has no header. */
  readonly headerLine: number | undefined;
  /** Columns; every row has as many. */
  readonly width: number;
  /** Undefined where nothing separates values: they are not in the lines of a CSV or TSV file. */
  readonly delimiter: Delimiter | undefined;
  /** Without the spaces around the values; empty lines are left out. */
  readonly rows: readonly (readonly string[])[];
  /** The line on which each row begins, counted from 1 as an editor counts; the number of the record where there are no lines. */
  readonly lines: readonly number[];
  /** What `lines` counts. */
  readonly place: 'line' | 'record' | 'row';
}

/**
 * Reads a whole table.
 *
 * @throws SealsumError `data_invalid`: the file cannot be read or is not UTF-8, is empty, has no records below its header,
 * or has a line (then named) with too many or too few values or a stray quote; `aborted` when the signal says so.
 */
export async function readTable(source: TableSource, options: TableOptions): Promise<Table> {
  const texts = decodeText(source)[Symbol.asyncIterator]();
  const builder = new TableBuilder(options);
  try {
    const start = await readFirstLine(texts);
    const delimiter = options.delimiter ?? findDelimiter(start);
    const parser = parse({
      delimiter,
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n', '\r'],
      on_record: (record: readonly string[], { lines }) => {
        builder.add(record, lines, delimiter);
        return null;
      },
    });
    // Nothing is left to read behind `on_record`, but a stream that nobody reads does not end.
    parser.resume();
    await pipeline(resume(start, texts), parser, { signal: options.signal });
    return builder.finish(delimiter);
  } catch (error) {
    throw explain(error, builder, options.signal);
  }
}

class TableBuilder {
  readonly #withHeader: boolean;
  #first: { readonly width: number; readonly line: number } | undefined;
  #header: string[] | undefined;
  readonly #rows: string[][] = [];
  readonly #lines: number[] = [];
  /** csv-parse counts a CR LF inside quotes as two lines; this many were counted too much so far. */
  #countedTwice = 0;

  /** The last line of the newest record. */
  #lastLine = 0;

  constructor({ header }: TableOptions) {
    this.#withHeader = header;
  }

  /** The line on which an error in csv-parse's count lies; what is not closed was opened after the newest record. */
  lineOf({ code, lines }: CsvTrouble): number {
    return code === 'CSV_QUOTE_NOT_CLOSED' ? this.#lastLine + 1 : lines - this.#countedTwice;
  }

  /** @param linesRead up to the end of the record, as csv-parse counts */
  add(record: readonly string[], linesRead: number, delimiter: Delimiter): void {
    let breaks = 0;
    for (const value of record) {
      if (!/[\r\n]/.test(value)) continue;
      breaks += value.match(/\r\n|\r|\n/g)?.length ?? 0;
      this.#countedTwice += value.match(/\r\n/g)?.length ?? 0;
    }
    this.#lastLine = linesRead - this.#countedTwice;
    const line = this.#lastLine - breaks;
    const row = record.map((value) => value.trim());
    if (this.#first === undefined) {
      this.#first = { width: row.length, line };
      if (this.#withHeader) {
        this.#header = row;
        return;
      }
    }
    if (row.length !== this.#first.width) {
      throw new SealsumError(
        'data_invalid',
        `line ${line} has ${row.length} values where line ${this.#first.line} has ${this.#first.width}: ` +
          `every line must have as many (values are separated by ${delimiterName(delimiter)}; quote a value that contains one)`,
        { line },
      );
    }
    this.#rows.push(row);
    this.#lines.push(line);
  }

  finish(delimiter: Delimiter): Table {
    if (this.#first === undefined) {
      throw new SealsumError('data_invalid', 'the data file is empty: expected a line for every record');
    }
    if (this.#rows.length === 0) {
      throw new SealsumError('data_invalid', 'the data file has a header and no records below it', {
        line: this.#first.line,
      });
    }
    return {
      header: this.#header,
      headerLine: this.#header === undefined ? undefined : this.#first.line,
      width: this.#first.width,
      delimiter,
      rows: this.#rows,
      lines: this.#lines,
      place: 'line',
    };
  }
}

/** Everything up to the end of the first line that is not empty, and perhaps some more. */
async function readFirstLine(texts: AsyncIterator<string>): Promise<string> {
  let start = '';
  for (let next = await texts.next(); next.done !== true; next = await texts.next()) {
    start += next.value;
    if (/[\r\n]/.test(start.trimStart())) break;
  }
  return start;
}

async function* resume(start: string, rest: AsyncIterator<string>): AsyncGenerator<string> {
  if (start !== '') yield start;
  yield* { [Symbol.asyncIterator]: () => rest };
}

/** The delimiter that occurs most often outside quotes in the first line; a comma where there is none. */
function findDelimiter(start: string): Delimiter {
  const counts = new Map<string, number>();
  let quoted = false;
  for (const character of start.trimStart()) {
    if (character === '"') quoted = !quoted;
    else if (!quoted && (character === '\n' || character === '\r')) break;
    else if (!quoted) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  const candidates: readonly Delimiter[] = [',', '\t', ';'];
  return candidates.reduce((best, each) => ((counts.get(each) ?? 0) > (counts.get(best) ?? 0) ? each : best));
}

/** The error in our words. csv-parse puts values into its messages, so they are not even kept as a cause. */
function explain(error: unknown, builder: TableBuilder, signal: AbortSignal | undefined): unknown {
  if (error instanceof CsvError && signal?.aborted !== true) {
    const trouble = { code: error.code, lines: Number(error.lines) };
    const line = builder.lineOf(trouble);
    return new SealsumError('data_invalid', `line ${line}: ${quoteTrouble(trouble.code)}`, { line });
  }
  return explainReading(error, signal, 'CSV or TSV');
}

interface CsvTrouble {
  readonly code: string;
  readonly lines: number;
}

function quoteTrouble(code: string): string {
  switch (code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote that is opened here or below is not closed before the end of the file';
    case 'CSV_INVALID_CLOSING_QUOTE':
      return 'a closing quote is followed by something other than a delimiter; write a quote inside quotes twice';
    case 'INVALID_OPENING_QUOTE':
      return 'a quote stands within a value that does not begin with one; quote the whole value';
    default:
      return `the line cannot be read (${code})`;
  }
}

/** Where a text stops being JSON, for whoever writes it. */

export interface JsonTrouble {
  readonly detail: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

/** @param error what JSON.parse threw for the text */
export function positionIn(text: string, error: unknown): JsonTrouble {
  const message = error instanceof Error ? error.message : String(error);
  const [, found] = /at position ([0-9]+)/.exec(message) ?? [];
  // Without a position it is the end that came too soon, or the text holds nothing.
  const position = found === undefined ? text.length : Math.min(Number(found), text.length);
  const before = text.slice(0, position).split('\n');
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const next = text.slice(position).trimStart();
  const what = text.trim() === '' ? 'there is nothing yet' : next === '' ? 'the text ends too soon' : expected(message);
  return { detail: `this is no JSON: line ${line}, column ${column}: ${what}`, line, column };
}

/** What the parser says, without the part that tells the position or repeats the text. */
function expected(message: string): string {
  const short = message.replace(/ in JSON at position .*$/s, '').replace(/, ?(\.\.\.)?".*$/s, '');
  return `${short.slice(0, 1).toLowerCase()}${short.slice(1)}`;
}

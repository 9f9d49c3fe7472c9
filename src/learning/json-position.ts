/** Where a text stops being JSON, for whoever writes it. */

export interface JsonTrouble {
  readonly detail: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

/** @param text that JSON.parse has refused */
export function positionIn(text: string): JsonTrouble {
  // V8 tells a position only now and then. The shortest beginning that no continuation could save ends with what is wrong.
  let [good, bad] = [0, text.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (couldGoOn(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  const before = text.slice(0, good).split('\n');
  const [line, column] = [before.length, (before.at(-1)?.length ?? 0) + 1];
  const what = good === text.length ? 'the text ends too soon' : `${nameOf(text, good)} is not expected here`;
  return { detail: `this is no JSON: line ${line}, column ${column}: ${what}`, line, column };
}

/** Whether a text is JSON or its beginning. */
function couldGoOn(text: string): boolean {
  const message = refusalOf(text);
  if (message === undefined || /end of JSON input|unterminated string/i.test(message)) return true;
  const [, position] = /at position ([0-9]+)/.exec(message) ?? [];
  return position !== undefined && Number(position) >= text.length;
}

function refusalOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function nameOf(text: string, at: number): string {
  const character = String.fromCodePoint(text.codePointAt(at) ?? 32);
  return character === '\n' ? 'the end of the line' : `"${character}"`;
}

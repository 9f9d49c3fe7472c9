/** Colours for people who watch: where standard output or error is a terminal, unless NO_COLOR or FORCE_COLOR says otherwise. */

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether what is written to a stream may have colours: NO_COLOR (no-color.org, any text but the empty one) goes first, then
 * FORCE_COLOR (0 and false forbid, anything else asks), then whether the stream is a terminal that is not dumb.
 */
export function hasColours(stream: { readonly isTTY?: boolean }, env: Environment): boolean {
  if ((env.NO_COLOR ?? '') !== '') return false;
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

const painted =
  (begin: number, end: number) =>
  (text: string, colours: boolean): string =>
    colours ? `\u001b[${begin}m${text}\u001b[${end}m` : text;

type Paint = (text: string, colours: boolean) => string;

export const bold: Paint = painted(1, 22);
export const red: Paint = painted(31, 39);
export const green: Paint = painted(32, 39);
export const yellow: Paint = painted(33, 39);

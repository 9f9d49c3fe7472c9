/** Numbers and text in the source of an SVG file. */

/** A place on the page, in hundredths of its unit. */
export function at(place: number): string {
  return String(Math.round(place * 100) / 100);
}

/** So many characters of a text at the most: whoever names things knows nothing of the width of a page. */
export function shortened(text: string, most: number): string {
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

/** What is not a Char of XML 1.0 (section 2.2); lone surrogates are none either. */
export const unwritable: RegExp = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** What cannot be written is shown as the character for that. */
export function escaped(text: string): string {
  return text
    .replaceAll(new RegExp(unwritable, 'gu'), '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

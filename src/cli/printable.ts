/** Text that others have written, as a terminal may show it. */

/** What moves a cursor, ends a line or turns the direction of writing (Unicode: Cc, Zl, Zp, Bidi_Control). */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** With whatever could write over other text, or look like other lines, told by its number. */
export function printable(text: string): string {
  return text.replaceAll(unseen, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Numbers and text in the source of an SVG file. */

/** A place on the page, in hundredths of its unit. */
export function at(place: number): string {
  return String(Math.round(place * 100) / 100);
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

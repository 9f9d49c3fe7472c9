/** What somebody may have meant by a name that is not known. */

/** The known name that is nearest to a word by letters changed, left out, put in or swapped; undefined when none is near. */
export function nearestName(word: string, known: readonly string[]): string | undefined {
  const allowed = Math.max(2, Math.floor(word.length / 3));
  let nearest: string | undefined;
  let least = allowed + 1;
  for (const name of known) {
    const distance = editDistance(simplified(word), simplified(name));
    if (distance < least) {
      nearest = name;
      least = distance;
    }
  }
  return nearest;
}

/** Case and separators are what people mix up first. */
function simplified(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ .]/g, '');
}

/** Restricted Damerau–Levenshtein distance (optimal string alignment). */
function editDistance(from: string, to: string): number {
  // Distances from the first row, row-1 and row letters of `from` to the first column letters of `to`.
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const change = from[row - 1] === to[column - 1] ? 0 : 1;
      let least = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + change);
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      current.push(least);
    }
    before = last;
    last = current;
  }
  return last[to.length] ?? 0;
}

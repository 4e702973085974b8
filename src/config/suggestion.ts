/** What a misspelt word was probably meant to be. */

/** The nearest of the candidates by edit distance, if near enough to be a slip of the fingers; else null. */
export function suggestionFor(word: string, candidates: readonly string[]): string | null {
  const slips = Math.max(1, Math.floor(word.length / 3));
  let best: string | null = null;
  let bestDistance = slips + 1;
  for (const candidate of candidates) {
    const distance = editDistance(plain(word), plain(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `apiKey`, `api-key` and `API_KEY` are the same word to a person. */
function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_.]/g, '');
}

/** Insertions, deletions and replacements of one character, and swaps of two neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let twoAbove: readonly number[] = [];
  let above: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const at = (line: readonly number[], index: number): number => line[index] ?? Infinity;
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          at(above, column - 1) + (isSame ? 0 : 1),
          at(above, column) + 1,
          at(current, column - 1) + 1,
          isSwap ? at(twoAbove, column - 2) + 1 : Infinity,
        ),
      );
    }
    twoAbove = above;
    above = current;
  }
  return above[b.length] ?? Infinity;
}

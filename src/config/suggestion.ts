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

/** Levenshtein: insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, character] of [...a].entries()) {
    const current = [row + 1];
    for (let column = 0; column < b.length; column += 1) {
      const replace = (above[column] ?? 0) + (character === b[column] ? 0 : 1);
      const remove = (above[column + 1] ?? 0) + 1;
      const insert = (current[column] ?? 0) + 1;
      current.push(Math.min(replace, remove, insert));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}

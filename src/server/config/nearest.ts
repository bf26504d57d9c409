/** The candidate of which `word` is most likely a misspelling, or null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const scored = candidates.map(candidate => ({ candidate, edits: edits(word, candidate) })).sort((a, b) => a.edits - b.edits)
  const best = scored[0]
  if (best !== undefined && best.edits <= Math.max(1, Math.floor(word.length / 3))) return best.candidate
  return candidates.find(candidate => word.length >= 3 && candidate.startsWith(word)) ?? null
}

/** Damerau-Levenshtein distance (insert, delete, replace, swap adjacent letters), one row of the table at a time. */
function edits(from: string, to: string): number {
  let before: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let line = 0; line < from.length; line++) {
    const next = [line + 1]
    for (let column = 0; column < to.length; column++) {
      const isSwap = from[line] === to[column - 1] && from[line - 1] === to[column]
      next.push(
        Math.min(
          at(row, column) + (from[line] === to[column] ? 0 : 1),
          at(row, column + 1) + 1,
          at(next, column) + 1,
          isSwap ? at(before, column - 1) + 1 : Number.POSITIVE_INFINITY
        )
      )
    }
    before = row
    row = next
  }
  return at(row, to.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}

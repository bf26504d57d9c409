/** The candidate that a slip of the fingers would explain, or null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const scored = candidates.map(candidate => ({ candidate, slips: slips(word, candidate) })).sort((a, b) => a.slips - b.slips)
  const best = scored[0]
  if (best !== undefined && best.slips <= Math.max(1, Math.floor(word.length / 3))) return best.candidate
  return candidates.find(candidate => word.length >= 3 && candidate.startsWith(word)) ?? null
}

/** Letters to insert, delete or replace (Levenshtein 1966), one row of the table at a time. */
function slips(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

import type { RowTable } from '../cache/row-table.ts'
import { planReuse, reusableTokens } from '../scheduler/prefix-reuse.ts'
import type { PromptRun } from './prompt-run.ts'
import type { Sequence } from './sequence.ts'

/**
 * Binds a row to an admitted prompt.
 *
 * @param reusePrefixes  see `ReuseState`
 * @returns              the positions that need no computing
 */
export function openRow({ leader, isScored }: PromptRun, rows: RowTable<Sequence>, reusePrefixes: boolean): number {
  const reusable = reusableTokens(leader.promptTokenIds.length, isScored)
  const { orphanedTokens, storedTokens } = planReuse({
    reusableTokens: reusable,
    storedTokens: rows.storedTokens(leader, reusable),
    orphanedTokens: rows.orphanOf(leader.key)?.computed ?? 0,
    reusePrefixes
  })
  if (orphanedTokens > 0 && rows.attachOrphan(leader, orphanedTokens)) return orphanedTokens
  return rows.open(leader, storedTokens)
}

import type { RowTable } from '../cache/row-table.ts'
import type { BatchEngineOptions } from './batch-engine-options.ts'
import type { Sequence } from './sequence.ts'

/** What a decode step of these rows, in their order, is given; with a dummy row where one alone would be another numeric class. */
export function decodeInputs(
  sequences: readonly Sequence[],
  rows: RowTable<Sequence>,
  { minDecodeRows, runner }: Pick<BatchEngineOptions, 'minDecodeRows' | 'runner'>
): { readonly tokenIds: readonly number[]; readonly pasts: readonly number[] } {
  const tokenIds = sequences.map(sequence => sequence.nextTokenId)
  const pasts = sequences.map(sequence => sequence.computed)
  if (sequences.length < minDecodeRows) {
    tokenIds.push(0)
    pasts.push(rows.dummyPast(sequences.length, runner.contextLength))
  }
  return { tokenIds, pasts }
}

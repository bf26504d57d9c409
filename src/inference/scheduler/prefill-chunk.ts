/** Computed and known positions of a prompt; the scheduler needs no more of it. */
export interface PromptProgress {
  readonly computed: number
  readonly promptTokens: number
}

/**
 * End of the next chunk of a prompt, exclusive. Chunks hold two tokens or more, never cross the prompt's end, and leave
 * no lone token behind: a single-token run is another numeric class (DESIGN section 4). A prompt of one token is the exception.
 *
 * @param chunkTokens  most tokens of a chunk, at least 3
 */
function chunkEnd({ computed, promptTokens }: PromptProgress, chunkTokens: number): number {
  const left = promptTokens - computed
  if (left <= chunkTokens) return promptTokens
  return computed + (left === chunkTokens + 1 ? chunkTokens - 1 : chunkTokens)
}

/** One run over a part of a prompt. */
export interface ChunkPlan {
  /** Position of the first token of the chunk. */
  readonly from: number
  /** Position behind the last. */
  readonly to: number
  /** Indexes into the chunk after which logits are wanted. */
  readonly wanted: readonly number[]
}

/**
 * Which positions' logits are wanted: all of them, or the prompt's last, from which the first new token is drawn. The last in company
 * (`lastTwo`) is in the numeric class of `all`: one row of logits and several are computed by different kernels.
 */
export type WantedLogits = 'all' | 'lastTwo' | 'last'

export function planChunk(prompt: PromptProgress, chunkTokens: number, logits: WantedLogits): ChunkPlan {
  const from = prompt.computed
  const to = chunkEnd(prompt, chunkTokens)
  const all = Array.from({ length: to - from }, (_, index) => index)
  if (logits === 'all') return { from, to, wanted: all }
  return { from, to, wanted: to < prompt.promptTokens ? [] : all.slice(logits === 'last' ? -1 : -2) }
}

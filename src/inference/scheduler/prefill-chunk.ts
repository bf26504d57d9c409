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

/** @param scored  every position's logits are wanted, not only those that the first new token is drawn from */
export function planChunk(prompt: PromptProgress, chunkTokens: number, scored: boolean): ChunkPlan {
  const from = prompt.computed
  const to = chunkEnd(prompt, chunkTokens)
  const all = Array.from({ length: to - from }, (_, index) => index)
  return { from, to, wanted: scored ? all : all.slice(to === prompt.promptTokens ? -1 : all.length) }
}

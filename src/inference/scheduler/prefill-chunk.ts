/** Computed positions and length of a prompt. */
export interface PromptProgress {
  readonly computed: number
  readonly promptTokens: number
}

/** One run over a part of a prompt. */
export interface ChunkPlan {
  /** Position of the first token of the chunk. */
  readonly from: number
  /** End, exclusive. */
  readonly to: number
  /** Indexes into the chunk after which logits are computed. */
  readonly logitIndices: readonly number[]
}

/**
 * The positions of a prompt that need logits: all, or only the last, from which the first new token is drawn. `lastTwo`
 * computes the last one together with the one before it, in the numeric class of `all`: one row of logits and several
 * rows are computed by different kernels.
 */
export type LogitSelection = 'all' | 'lastTwo' | 'last'

export function planChunk(prompt: PromptProgress, chunkTokens: number, logits: LogitSelection): ChunkPlan {
  const from = prompt.computed
  const to = chunkEnd(prompt, chunkTokens)
  const all = Array.from({ length: to - from }, (_, index) => index)
  if (logits === 'all') return { from, to, logitIndices: all }
  return { from, to, logitIndices: to < prompt.promptTokens ? [] : all.slice(logits === 'last' ? -1 : -2) }
}

/**
 * End of the next chunk of a prompt, exclusive. Chunks have at least two tokens, never cross the prompt's end and never
 * leave a single token: single-token runs are another numeric class, whose logits differ from those of longer runs. A
 * prompt of one token is the exception.
 *
 * @param chunkTokens  most tokens of a chunk, at least 3
 */
function chunkEnd({ computed, promptTokens }: PromptProgress, chunkTokens: number): number {
  const left = promptTokens - computed
  if (left <= chunkTokens) return promptTokens
  return computed + (left === chunkTokens + 1 ? chunkTokens - 1 : chunkTokens)
}

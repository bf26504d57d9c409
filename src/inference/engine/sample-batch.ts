import { ServiceError } from '../contract/errors.ts'
import type { GeneratedTokenEvent, PromptEvent } from '../contract/events.ts'
import type { Batch, PrefillBatch } from './batch.ts'
import type { Sequence } from './request/sequence.ts'

export interface LogitsShape {
  /** V: rows of the model's embedding. */
  readonly columns: number
  /** The leading columns that represent a token; the others pad the embedding and are neither drawn nor reported. */
  readonly tokens: number
}

/** The result of a run for one sequence. */
export type Sample =
  /** Events of the prompt that the sequence leads. `isEnd`: no token follows them. */
  | { readonly kind: 'prompt'; readonly sequence: Sequence; readonly events: readonly PromptEvent[]; readonly isEnd: boolean }
  | { readonly kind: 'token'; readonly sequence: Sequence; readonly token: GeneratedTokenEvent }
  /** The logits are broken. */
  | { readonly kind: 'failure'; readonly sequence: Sequence; readonly error: ServiceError }

/**
 * Scores a prompt, and samples the next token of each sequence whose known tokens are all computed.
 *
 * @param logits  float32 [R, V] of a run that was recorded
 */
export function sampleBatch(batch: Batch, logits: Float32Array, { columns, tokens }: LogitsShape): readonly Sample[] {
  const rowOf = (index: number): Float32Array => logits.subarray(index * columns, index * columns + tokens)
  if (batch.kind === 'prefill') return samplePrompt(batch, rowOf)
  return batch.sequences.flatMap((sequence, row) => sampleToken(sequence, rowOf(row)))
}

function samplePrompt({ plan, prompt }: PrefillBatch, rowOf: (index: number) => Float32Array): readonly Sample[] {
  const { leader, echo } = prompt
  const isEnd = prompt.isComputed && leader.request.maxNewTokens === 0
  const scored = attempt(leader, (): Sample => {
    if (prompt.isScored) for (const index of plan.logitIndices) echo?.score(rowOf(index))
    return { kind: 'prompt', sequence: leader, events: [...(echo?.events() ?? [])], isEnd }
  })
  if (scored.kind === 'failure' || isEnd || !prompt.isComputed) return [scored]
  // All choices draw their first token from the logits of the prompt's last position.
  const last = rowOf(plan.logitIndices.length - 1)
  const promptCodePoints = prompt.promptCodePoints()
  const tokens = prompt.sequences.flatMap(sequence => {
    sequence.startTextAt(promptCodePoints)
    return sampleToken(sequence, last)
  })
  return [scored, ...tokens]
}

/** Empty while known tokens are recomputed. */
function sampleToken(sequence: Sequence, logits: Float32Array): readonly Sample[] {
  if (!sequence.isCaughtUp) return []
  return [attempt(sequence, () => ({ kind: 'token', sequence, token: sequence.advance(logits) }))]
}

function attempt(sequence: Sequence, sample: () => Sample): Sample {
  try {
    return sample()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    return { kind: 'failure', sequence, error }
  }
}

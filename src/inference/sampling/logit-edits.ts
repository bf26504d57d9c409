import { invariant } from '../contract/invariant.ts'
import type { SamplingParams } from '../contract/sampling.ts'
import { Bans } from './bans.ts'

const HIGHEST_FLOAT32 = 2 ** 128 - 2 ** 104

/** The facts about a choice that its logit edits depend on. */
export interface EditedChoice {
  readonly promptTokenIds: readonly number[]
  /** Tokens that end the choice. */
  readonly endTokenIds: readonly number[]
}

/**
 * All changes of logits before temperature and filters, in this order: bias, bans, repetition penalty, frequency and
 * presence penalties. The last two count only generated tokens, as in OpenAI's API and vLLM; the repetition penalty
 * also counts tokens of the prompt, as in vLLM.
 */
export class LogitEdits {
  readonly #params: SamplingParams
  readonly #vocabularySize: number
  readonly #bans: Bans
  readonly #isPenalizing: boolean
  readonly #counts = new Map<number, number>()
  /** Tokens of the prompt and generated tokens; empty when the penalty is off. */
  readonly #repeated: Set<number>

  constructor(params: SamplingParams, choice: EditedChoice, vocabularySize: number) {
    const { logitBias, allowedTokenIds, badWords } = params
    this.#params = params
    this.#vocabularySize = vocabularySize
    this.#bans = new Bans(params, choice.endTokenIds, vocabularySize)
    this.#isPenalizing = params.presencePenalty !== 0 || params.frequencyPenalty !== 0
    this.#repeated = new Set(params.repetitionPenalty === 1 ? [] : choice.promptTokenIds)
    for (const tokenId of [...logitBias.map(([id]) => id), ...(allowedTokenIds ?? []), ...badWords.flat()]) {
      invariant(this.#exists(tokenId), `a request names token ${tokenId}, which does not exist`)
    }
  }

  /** Records a generated token. */
  count(tokenId: number): void {
    invariant(this.#exists(tokenId), `token ${tokenId} was generated and does not exist`)
    this.#bans.count(tokenId)
    if (this.#isPenalizing) this.#counts.set(tokenId, (this.#counts.get(tokenId) ?? 0) + 1)
    if (this.#params.repetitionPenalty !== 1) this.#repeated.add(tokenId)
  }

  /**
   * @param position  of the token to draw
   * @returns         `logits` itself when there is no edit, else `into` with the edited copy; both float32 [V]
   */
  apply(logits: Float32Array, position: number, into: Float32Array): Float32Array {
    const { presencePenalty, frequencyPenalty, repetitionPenalty, logitBias, allowedTokenIds } = this.#params
    const banned = this.#bans.at(position)
    const isPlain = logitBias.length === 0 && allowedTokenIds === null && banned.size === 0
    if (isPlain && this.#counts.size === 0 && this.#repeated.size === 0) return logits
    if (allowedTokenIds === null) into.set(logits)
    else {
      into.fill(Number.NEGATIVE_INFINITY)
      for (const tokenId of allowedTokenIds) into[tokenId] = logits[tokenId] ?? 0
    }
    for (const [tokenId, bias] of logitBias) into[tokenId] = (into[tokenId] ?? 0) + bias
    for (const tokenId of banned) into[tokenId] = Number.NEGATIVE_INFINITY
    for (const tokenId of this.#repeated) {
      const logit = into[tokenId] ?? 0
      into[tokenId] = finiteOf(logit, logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty)
    }
    for (const [tokenId, count] of this.#counts) into[tokenId] = (into[tokenId] ?? 0) - presencePenalty - frequencyPenalty * count
    return into
  }

  #exists(tokenId: number): boolean {
    return Number.isInteger(tokenId) && tokenId >= 0 && tokenId < this.#vocabularySize
  }
}

/**
 * Clamps the edit of a finite logit to finite float32 values, because infinities mean that a token is impossible or the
 * model is broken.
 */
function finiteOf(logit: number, edited: number): number {
  return Number.isFinite(logit) ? Math.min(Math.max(edited, -HIGHEST_FLOAT32), HIGHEST_FLOAT32) : edited
}

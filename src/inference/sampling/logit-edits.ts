import { invariant } from '../contract/invariant.ts'
import type { SamplingParams } from '../contract/sampling.ts'

type EditParams = Pick<SamplingParams, 'presencePenalty' | 'frequencyPenalty' | 'logitBias'>

/** Penalties and bias of one choice. Penalties count generated tokens only, not the prompt's, as OpenAI's and vLLM's do. */
export class LogitEdits {
  readonly #params: EditParams
  readonly #vocabularySize: number
  readonly #hasPenalties: boolean
  readonly #counts = new Map<number, number>()

  constructor(params: EditParams, vocabularySize: number) {
    this.#params = params
    this.#vocabularySize = vocabularySize
    this.#hasPenalties = params.presencePenalty !== 0 || params.frequencyPenalty !== 0
    for (const [tokenId] of params.logitBias) {
      invariant(Number.isInteger(tokenId) && tokenId >= 0 && tokenId < vocabularySize, `a bias for token ${tokenId}, which does not exist`)
    }
  }

  /** Records a generated token. */
  count(tokenId: number): void {
    invariant(tokenId >= 0 && tokenId < this.#vocabularySize, `token ${tokenId} was generated and does not exist`)
    if (this.#hasPenalties) this.#counts.set(tokenId, (this.#counts.get(tokenId) ?? 0) + 1)
  }

  /** @returns `logits` where nothing is to be changed, else `into` with the edited copy; both float32 [V] */
  apply(logits: Float32Array, into: Float32Array): Float32Array {
    const { presencePenalty, frequencyPenalty, logitBias } = this.#params
    if (this.#counts.size === 0 && logitBias.length === 0) return logits
    into.set(logits)
    for (const [tokenId, count] of this.#counts) into[tokenId] = (into[tokenId] ?? 0) - presencePenalty - frequencyPenalty * count
    for (const [tokenId, bias] of logitBias) into[tokenId] = (into[tokenId] ?? 0) + bias
    return into
  }
}

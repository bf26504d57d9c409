import { rowKey } from '../../cache/row-headers.ts'
import type { RowOwner } from '../../cache/row-table.ts'
import type { ChoiceEnd, GeneratedTokenEvent, TokenScore } from '../../contract/events.ts'
import { invariant } from '../../contract/invariant.ts'
import type { GenerationRequest } from '../../contract/request.ts'
import { codePoints, type TextDecoderPort, type TokenText } from '../../contract/token-text.ts'
import { Sampler } from '../../sampling/sampler.ts'
import type { SamplingScratch } from '../../sampling/sampling-scratch.ts'
import { scoreToken } from '../../sampling/scores.ts'
import { StopStrings } from '../../stop/stop-strings.ts'
import { toTokenScore } from './token-score.ts'

/**
 * How the cache of a choice with a history is recomputed. `exact`: the prompt is prefilled and the generated tokens are
 * computed in single steps as before, bit-equal to an undisturbed run. `fast`: all tokens are prefilled; a later
 * near-tie between tokens may be decided differently.
 */
export type Recovery = 'exact' | 'fast'

export interface SequenceParts {
  readonly recovery: Recovery
  readonly text: TokenText
  readonly scratch: SamplingScratch
  readonly vocabularySize: number
}

/** One choice of a request: its prompt, its generated tokens, and the state of sampler, stop strings and decoder. */
export class Sequence implements RowOwner {
  readonly request: GenerationRequest
  readonly choice: number
  readonly key: string
  readonly promptTokenIds: readonly number[]
  /** Tokens prefilled before the first single step: the prompt, and in fast recovery all known tokens but the last. */
  readonly prefillTokenIds: readonly number[]
  readonly #parts: SequenceParts
  readonly #sampler: Sampler
  readonly #stops: StopStrings
  readonly #decoder: TextDecoderPort
  /** End and stop tokens. */
  readonly #endTokenIds: readonly number[]
  /**
   * Stop strings that equal a control token's text, by its id: control tokens are not part of the text in which stop
   * strings are searched.
   */
  readonly #stopStringOf: ReadonlyMap<number, string>
  /** Code points before the next token's text; maintained only if tokens are scored. */
  #textOffset = 0
  /** Generated tokens, computed or not. */
  readonly #generatedIds: number[] = []
  /**
   * Number of positions in the cache. Once the prompt is computed: one less than the known tokens, unless some are
   * recomputed.
   */
  computed = 0

  /**
   * @param emitted  tokens generated and emitted earlier: they update the state and are recomputed, but not emitted
   *   again
   */
  constructor(
    request: GenerationRequest,
    choice: number,
    promptTokenIds: readonly number[],
    emitted: readonly number[],
    parts: SequenceParts
  ) {
    this.request = request
    this.choice = choice
    this.key = rowKey(request.id, choice)
    this.promptTokenIds = promptTokenIds
    this.#parts = parts
    this.#endTokenIds = request.ignoreEos ? request.stopTokenIds : [...parts.text.endTokenIds, ...request.stopTokenIds]
    const sampled = { choice, promptTokenIds, endTokenIds: this.#endTokenIds }
    this.#sampler = new Sampler(request.sampling, sampled, parts.vocabularySize, parts.scratch)
    this.#stops = new StopStrings(request.stopStrings, { isIncluded: request.includeStop })
    this.#stopStringOf = request.skipSpecialTokens ? controlTokens(request.stopStrings, parts.text) : new Map()
    this.#decoder = parts.text.decoder({ skipSpecial: request.skipSpecialTokens })
    this.prefillTokenIds = parts.recovery === 'fast' ? [...promptTokenIds, ...emitted.slice(0, -1)] : promptTokenIds
    for (const tokenId of emitted) this.#take(tokenId)
  }

  get cacheSalt(): string {
    return this.request.cacheSalt
  }

  get reservedTokens(): number {
    return this.promptTokenIds.length + this.request.maxNewTokens
  }

  /** Number of prompt and generated tokens, computed or not. */
  get knownTokens(): number {
    return this.promptTokenIds.length + this.#generatedIds.length
  }

  /** Every known token is computed: the next token is sampled from the logits of the last one. */
  get isCaughtUp(): boolean {
    return this.computed === this.knownTokens
  }

  /** The token that the next decode step computes. */
  get nextTokenId(): number {
    const tokenId = this.#generatedIds[this.computed - this.promptTokenIds.length]
    invariant(tokenId !== undefined, 'a decode step has no token to compute')
    return tokenId
  }

  /** Sets the text offset of the first new token. */
  startTextAt(promptCodePoints: number): void {
    this.#textOffset += promptCodePoints
  }

  /** Samples the next token from raw logits [V]. @throws {ServiceError} when the logits are broken */
  advance(logits: Float32Array): GeneratedTokenEvent {
    const position = this.#generatedIds.length
    const tokenId = this.#sampler.pick(logits, position)
    const score = this.#score(logits, tokenId)
    const { text, end } = this.#take(tokenId)
    return { kind: 'token', choice: this.choice, position, tokenId, text, score, end }
  }

  #take(tokenId: number): { readonly text: string; readonly end: ChoiceEnd | null } {
    this.#sampler.accept(tokenId)
    this.#generatedIds.push(tokenId)
    return this.#release(tokenId)
  }

  #release(tokenId: number): { readonly text: string; readonly end: ChoiceEnd | null } {
    const { request } = this
    const mayStop = this.#generatedIds.length > request.sampling.minNewTokens
    const stopString = mayStop ? this.#stopStringOf.get(tokenId) : undefined
    if (stopString !== undefined) {
      const text = request.includeStop ? this.#stops.push(this.#decoder.flush() + stopString).text : this.#stops.flush()
      return { text, end: { reason: 'stop', stopString } }
    }
    const isEnd = this.#endTokenIds.includes(tokenId)
    const decoded = isEnd && !request.includeStop ? '' : this.#decoder.push(tokenId)
    if (request.topLogprobs !== null) this.#textOffset += codePoints(decoded)
    const { text, stoppedBy } = this.#stops.push(decoded, mayStop)
    if (stoppedBy !== null) return { text, end: { reason: 'stop', stopString: stoppedBy } }
    if (isEnd) {
      const stopTokenId = request.stopTokenIds.includes(tokenId) ? { stopTokenId: tokenId } : {}
      return { text: text + this.#stops.flush(), end: { reason: 'stop', stopString: null, ...stopTokenId } }
    }
    if (this.#generatedIds.length < request.maxNewTokens) return { text, end: null }
    return { text: text + this.#stops.flush(), end: { reason: 'length', stopString: null } }
  }

  #score(logits: Float32Array, tokenId: number): TokenScore | null {
    const { topLogprobs, scoredTokenIds } = this.request
    if (topLogprobs === null) return null
    const score = scoreToken(logits, tokenId, { top: topLogprobs, only: scoredTokenIds })
    return toTokenScore(score, tokenId, this.#textOffset, this.#parts.text)
  }
}

function controlTokens(texts: readonly string[], text: TokenText): ReadonlyMap<number, string> {
  return new Map(
    texts.flatMap(each => {
      const tokenId = text.specialIdOf(each)
      return tokenId === null ? [] : [[tokenId, each] as const]
    })
  )
}

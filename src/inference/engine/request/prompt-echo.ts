import type { PromptEvent, TokenScore } from '../../contract/events.ts'
import { LIMITS } from '../../contract/limits.ts'
import { codePoints, type TextDecoderPort, type TokenText } from '../../contract/token-text.ts'
import { rankOf, scoreToken } from '../../sampling/scores.ts'
import { type NumericScore, toTokenScore } from './token-score.ts'

export interface EchoedPrompt {
  readonly promptIndex: number
  readonly tokenIds: readonly number[]
  /** null where tokens are not scored. */
  readonly topLogprobs: number | null
  /** Tokens already emitted, in events of the same sizes; they are not emitted again. */
  readonly emittedTokens: number
}

/** Creates the `prompt` events of a prompt while its positions are computed. */
export class PromptEcho {
  readonly #prompt: EchoedPrompt
  readonly #text: TokenText
  readonly #decoder: TextDecoderPort
  readonly #scores: TokenScore[] = []
  /** Texts released by tokens whose event was not emitted yet. */
  readonly #texts: string[] = []
  #emitted = 0
  #codePoints = 0

  constructor(prompt: EchoedPrompt, text: TokenText) {
    this.#prompt = prompt
    this.#text = text
    this.#decoder = text.decoder({ skipSpecial: false })
    this.#append({ logprob: null, top: [] })
  }

  /** Number of tokens whose score is known. */
  get known(): number {
    return this.#emitted + this.#texts.length
  }

  /** Code points of the whole prompt; complete once every token is known. */
  get codePoints(): number {
    return this.#codePoints
  }

  /** Scores token `known`. @param logits  after the token before it */
  score(logits: Float32Array): void {
    const tokenId = this.#prompt.tokenIds[this.known]
    if (tokenId === undefined) return
    this.#append({ ...scoreToken(logits, tokenId, { top: this.#prompt.topLogprobs ?? 0 }), rank: rankOf(logits, tokenId) })
  }

  /** Appends the rest of the prompt without scores, which needs no logits. */
  appendRest(): void {
    while (this.known < this.#prompt.tokenIds.length) this.#append({ logprob: null, top: [] })
  }

  /** Removes and returns the complete events, and at the prompt's end the last one. */
  *events(): Generator<PromptEvent> {
    while (this.#texts.length >= LIMITS.promptEventTokens || (this.#texts.length > 0 && this.known === this.#prompt.tokenIds.length)) {
      const event = this.#nextEvent(Math.min(this.#texts.length, LIMITS.promptEventTokens))
      if (this.#emitted > this.#prompt.emittedTokens) yield event
    }
  }

  #nextEvent(count: number): PromptEvent {
    const from = this.#emitted
    this.#emitted += count
    return {
      kind: 'prompt',
      promptIndex: this.#prompt.promptIndex,
      tokenIds: this.#prompt.tokenIds.slice(from, this.#emitted),
      text: this.#texts.splice(0, count).join(''),
      scores: this.#prompt.topLogprobs === null ? null : this.#scores.splice(0, count)
    }
  }

  #append(score: NumericScore): void {
    const index = this.known
    const tokenId = this.#prompt.tokenIds[index]
    if (tokenId === undefined) return
    if (this.#prompt.topLogprobs !== null) this.#scores.push(toTokenScore(score, tokenId, this.#codePoints, this.#text))
    const isLast = index === this.#prompt.tokenIds.length - 1
    const released = this.#decoder.push(tokenId) + (isLast ? this.#decoder.flush() : '')
    this.#codePoints += codePoints(released)
    this.#texts.push(released)
  }
}

import type { RowOwner } from '../cache/row-table.ts'
import type { ChoiceEnd, GeneratedTokenEvent, ScoredAlternative, TokenScore } from '../contract/events.ts'
import type { GenerationRequest } from '../contract/request.ts'
import type { TextDecoderPort, TokenText } from '../contract/token-text.ts'
import { Sampler } from '../sampling/sampler.ts'
import type { SamplingScratch } from '../sampling/sampling-scratch.ts'
import { scoreToken } from '../sampling/scores.ts'
import { StopStrings } from '../stop/stop-strings.ts'
import { codePoints, tokenLabel } from './token-label.ts'

export interface SequenceParts {
  readonly text: TokenText
  readonly scratch: SamplingScratch
  readonly vocabularySize: number
}

/** One choice of a request: its prompt, what it has generated, and all that decides its next token and its text. */
export class Sequence implements RowOwner {
  readonly request: GenerationRequest
  readonly choice: number
  readonly promptTokenIds: readonly number[]
  readonly #parts: SequenceParts
  readonly #sampler: Sampler
  readonly #stops: StopStrings
  readonly #decoder: TextDecoderPort
  /** Code points before the next token's text; meaningful only if scores were asked for. */
  #textOffset = 0
  #generated = 0
  #lastTokenId = -1
  computed = 0

  constructor(request: GenerationRequest, choice: number, promptTokenIds: readonly number[], parts: SequenceParts) {
    this.request = request
    this.choice = choice
    this.promptTokenIds = promptTokenIds
    this.#parts = parts
    this.#sampler = new Sampler(request.sampling, choice, parts.vocabularySize, parts.scratch)
    this.#stops = new StopStrings(request.stopStrings)
    this.#decoder = parts.text.decoder({ skipSpecial: true })
  }

  get cacheSalt(): string {
    return this.request.cacheSalt
  }

  get reservedTokens(): number {
    return this.promptTokenIds.length + this.request.maxNewTokens
  }

  get generated(): number {
    return this.#generated
  }

  /** The token whose successor the next decode step computes. */
  get lastTokenId(): number {
    return this.#lastTokenId
  }

  /** Code points of the prompt's text: where the text of the first new token starts. */
  startTextAt(promptCodePoints: number): void {
    this.#textOffset = promptCodePoints
  }

  /** Picks the next token from raw logits [V] and says what the world learns of it. */
  advance(logits: Float32Array): GeneratedTokenEvent {
    const position = this.#generated
    const tokenId = this.#sampler.pick(logits, position)
    this.#sampler.accept(tokenId)
    this.#generated++
    this.#lastTokenId = tokenId
    const score = this.#score(logits, tokenId)
    const { text, end } = this.#say(tokenId)
    return { kind: 'token', choice: this.choice, position, tokenId, text, score, end }
  }

  #say(tokenId: number): { readonly text: string; readonly end: ChoiceEnd | null } {
    if (!this.request.ignoreEos && this.#parts.text.endTokenIds.includes(tokenId)) {
      return { text: this.#stops.flush(), end: { reason: 'stop', stopString: null } }
    }
    const decoded = this.#decoder.push(tokenId)
    if (this.request.topLogprobs !== null) this.#textOffset += codePoints(decoded)
    const { text, stoppedBy } = this.#stops.push(decoded)
    if (stoppedBy !== null) return { text, end: { reason: 'stop', stopString: stoppedBy } }
    if (this.#generated < this.request.maxNewTokens) return { text, end: null }
    return { text: text + this.#stops.flush(), end: { reason: 'length', stopString: null } }
  }

  #score(logits: Float32Array, tokenId: number): TokenScore | null {
    const { topLogprobs } = this.request
    if (topLogprobs === null) return null
    return toTokenScore(scoreToken(logits, tokenId, topLogprobs), tokenId, this.#textOffset, this.#parts.text)
  }
}

/** A score of ids and numbers, put into words. */
export function toTokenScore(
  score: { readonly logprob: number | null; readonly top: readonly { readonly tokenId: number; readonly logprob: number }[] },
  tokenId: number,
  textOffset: number,
  text: TokenText
): TokenScore {
  const top: ScoredAlternative[] = score.top.map(alternative => ({ ...alternative, text: tokenLabel(text, alternative.tokenId) }))
  return { tokenId, text: tokenLabel(text, tokenId), logprob: score.logprob, top, textOffset }
}

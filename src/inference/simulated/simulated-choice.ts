import type { ChoiceEnd, GeneratedTokenEvent } from '../contract/events.ts'
import type { GenerationRequest } from '../contract/request.ts'
import { codePoints } from '../contract/token-text.ts'
import { StopStrings } from '../stop/stop-strings.ts'
import { scoreAt, textKey, tokenAt } from './made-up.ts'
import { promptCodePoints } from './prompt-text.ts'
import { simulatedLabel } from './vocabulary.ts'

/** One choice of a request, as a generator of its tokens. */
export class SimulatedChoice {
  readonly promptIndex: number
  /** Among all choices of the request. */
  readonly index: number
  readonly #request: GenerationRequest
  readonly #stops: StopStrings
  readonly #key: number
  #position = 0
  /** Code points before the next token's text. Meaningful only if scores are requested. */
  #textOffset = 0

  constructor(request: GenerationRequest, promptIndex: number, index: number) {
    const promptTokenIds = request.prompts[promptIndex]?.tokenIds ?? []
    this.promptIndex = promptIndex
    this.#request = request
    this.index = index
    this.#stops = new StopStrings(request.stopStrings, { isIncluded: request.includeStop })
    this.#key = textKey(request, promptTokenIds, index)
    if (request.topLogprobs !== null) this.#textOffset = promptCodePoints(promptTokenIds)
  }

  next(): GeneratedTokenEvent {
    const { topLogprobs } = this.#request
    const position = this.#position++
    const tokenId = tokenAt(this.#key, position)
    const word = simulatedLabel(tokenId)
    const score = topLogprobs === null ? null : scoreAt(tokenId, position, topLogprobs, this.#textOffset)
    this.#textOffset += codePoints(word)
    return { kind: 'token', choice: this.index, position, tokenId, score, ...this.#release(word) }
  }

  #release(word: string): { readonly text: string; readonly end: ChoiceEnd | null } {
    const { text, stoppedBy } = this.#stops.push(word, this.#position > this.#request.sampling.minNewTokens)
    if (stoppedBy !== null) return { text, end: { reason: 'stop', stopString: stoppedBy } }
    if (this.#position < this.#request.maxNewTokens) return { text, end: null }
    return { text: text + this.#stops.flush(), end: { reason: 'length', stopString: null } }
  }
}

import type { TokenText } from '../contract/token-text.ts'
import type { WantedLogits } from '../scheduler/prefill-chunk.ts'
import { codePoints } from './code-points.ts'
import type { Job } from './job.ts'
import { PromptEcho } from './prompt-echo.ts'
import type { Sequence } from './sequence.ts'

/** Choices of one prompt that wait for a row, and the request they belong to. */
export interface WaitingChoice {
  readonly job: Job
  readonly promptIndex: number
  readonly sequence: Sequence
  /** Of the prompt's choices that wait, the first: it tells the prompt, if that is wanted and not done. */
  readonly isFirst: boolean
}

/** A prompt in prefill: one sequence computes it, the others fork from it at its end. */
export class PromptRun {
  readonly job: Job
  readonly leader: Sequence
  readonly siblings: readonly Sequence[]
  readonly echo: PromptEcho | null
  readonly isScored: boolean
  readonly promptIndex: number
  readonly #text: TokenText

  constructor(choices: readonly [WaitingChoice, ...WaitingChoice[]], text: TokenText) {
    const [first, ...others] = choices
    const { request, history } = first.job
    const toldTokens = history.toldPromptTokens[first.promptIndex] ?? 0
    const tells = request.echo && first.isFirst && toldTokens < first.sequence.promptTokenIds.length
    this.job = first.job
    this.leader = first.sequence
    this.promptIndex = first.promptIndex
    this.siblings = others.map(choice => choice.sequence)
    this.isScored = tells && request.promptLogprobs !== null
    this.#text = text
    this.echo = tells
      ? new PromptEcho(
          { promptIndex: first.promptIndex, tokenIds: this.leader.promptTokenIds, topLogprobs: request.promptLogprobs, toldTokens },
          text
        )
      : null
    if (!this.isScored) this.echo?.tellRest()
  }

  get isComputed(): boolean {
    return this.leader.computed === this.leader.prefillTokenIds.length
  }

  /** Every wave of a scored prompt draws its first tokens from logits of the same numeric class as the wave that scores it. */
  get wantedLogits(): WantedLogits {
    if (this.isScored) return 'all'
    const { echo, promptLogprobs } = this.job.request
    return echo && promptLogprobs !== null ? 'lastTwo' : 'last'
  }

  /** Where the text of the first new token starts; only scores need to know. */
  promptCodePoints(): number {
    if (this.job.request.topLogprobs === null) return 0
    if (this.echo !== null) return this.echo.codePoints
    const decoder = this.#text.decoder({ skipSpecial: false })
    let total = 0
    for (const tokenId of this.leader.promptTokenIds) total += codePoints(decoder.push(tokenId))
    return total + codePoints(decoder.flush())
  }
}

import { invariant } from '../../contract/invariant.ts'
import { codePoints, type TokenText } from '../../contract/token-text.ts'
import type { PrefillState } from '../../scheduler/plan-step.ts'
import type { LogitSelection } from '../../scheduler/prefill-chunk.ts'
import type { Job } from './job.ts'
import { PromptEcho } from './prompt-echo.ts'
import type { Sequence } from './sequence.ts'

/** A choice without a row, and its request. */
export interface WaitingChoice {
  readonly job: Job
  readonly promptIndex: number
  readonly sequence: Sequence
  /** The first of the prompt's waiting choices: its prefill emits the remaining prompt events. */
  readonly isFirst: boolean
}

/** A prompt in prefill: the leader computes it; the siblings fork from the leader at its end. */
export class PromptRun {
  readonly job: Job
  readonly leader: Sequence
  readonly siblings: readonly Sequence[]
  readonly echo: PromptEcho | null
  readonly isScored: boolean
  readonly promptIndex: number
  readonly #text: TokenText

  constructor(choices: readonly WaitingChoice[], text: TokenText) {
    const [first, ...others] = choices
    invariant(first !== undefined, 'a prompt is computed for no choice')
    const { request, history } = first.job
    const emittedTokens = history.emittedPromptTokens[first.promptIndex] ?? 0
    const isEchoed = request.echo && first.isFirst && emittedTokens < first.sequence.promptTokenIds.length
    this.job = first.job
    this.leader = first.sequence
    this.promptIndex = first.promptIndex
    this.siblings = others.map(choice => choice.sequence)
    this.isScored = isEchoed && request.promptLogprobs !== null
    this.#text = text
    this.echo = isEchoed
      ? new PromptEcho(
          { promptIndex: first.promptIndex, tokenIds: this.leader.promptTokenIds, topLogprobs: request.promptLogprobs, emittedTokens },
          text
        )
      : null
    if (!this.isScored) this.echo?.appendRest()
  }

  get sequences(): readonly Sequence[] {
    return [this.leader, ...this.siblings]
  }

  get isComputed(): boolean {
    return this.leader.computed === this.leader.prefillTokenIds.length
  }

  /** Input of `planStep`. */
  stateIn(row: number): PrefillState {
    return { row, computed: this.leader.computed, promptTokens: this.leader.prefillTokenIds.length, logits: this.#logits }
  }

  /** Records that the positions before this one are computed, also for the siblings. */
  advanceTo(position: number): void {
    for (const sequence of this.sequences) sequence.computed = position
  }

  /** Text offset of the first new token; computed only if tokens are scored. */
  promptCodePoints(): number {
    if (this.job.request.topLogprobs === null) return 0
    if (this.echo !== null) return this.echo.codePoints
    const decoder = this.#text.decoder({ skipSpecial: false })
    let total = 0
    for (const tokenId of this.leader.promptTokenIds) total += codePoints(decoder.push(tokenId))
    return total + codePoints(decoder.flush())
  }

  /**
   * All choices of a scored prompt, also those prefilled later, draw their first token from logits of the same numeric
   * class.
   */
  get #logits(): LogitSelection {
    if (this.isScored) return 'all'
    const { echo, promptLogprobs } = this.job.request
    return echo && promptLogprobs !== null ? 'lastTwo' : 'last'
  }
}

import type { FinishedEvent, GeneratedTokenEvent, LoggedEvent, PromptEvent } from '../contract/events.ts'
import { type History, readHistory, toTimings } from '../contract/history.ts'
import { rankChoices } from '../contract/ranking.ts'
import { choiceCount, type GenerationRequest, promptTokensOf } from '../contract/request.ts'
import { promptEvents } from './prompt-text.ts'
import { SimulatedChoice } from './simulated-choice.ts'

/** A request in the simulated engine: its choices and its progress. */
export class SimulatedJob {
  readonly request: GenerationRequest
  /**
   * Choices that have not ended, in the order in which they get a slot. Without new tokens, one represents all choices
   * of a prompt.
   */
  readonly choices: readonly SimulatedChoice[]
  /** A step has computed something of the request since it was submitted to this engine. */
  hasAdvanced = false
  readonly #history: History
  /** Prompts that this engine has emitted. */
  readonly #emittedPrompts = new Set<number>()
  #open: number
  /** By choice. */
  readonly #scores: { tokens: number; logprob: number }[]
  #startedAtMs: number | null
  #firstTokenAtMs: number | null

  /** @param events  the history of the request */
  constructor(request: GenerationRequest, events: readonly LoggedEvent[]) {
    const { choicesPerPrompt, maxNewTokens } = request
    this.request = request
    this.#history = readHistory(request, events)
    this.#startedAtMs = this.#history.startedAtMs
    this.#firstTokenAtMs = this.#history.firstTokenAtMs
    this.#scores = Array.from({ length: choiceCount(request) }, () => ({ tokens: 0, logprob: 0 }))
    this.choices = Array.from({ length: choiceCount(request) }, (_, choice) => choice)
      .filter(choice => maxNewTokens > 0 || choice % choicesPerPrompt === 0)
      .map(choice => new SimulatedChoice(request, Math.floor(choice / choicesPerPrompt), choice))
      .filter(choice => !this.#replay(choice, this.#history.tokenIds[choice.index]?.length ?? 0))
    this.#open = this.choices.length
  }

  /** Starts a choice. @returns the events that precede its tokens */
  begin(choice: SimulatedChoice, nowMs: number): LoggedEvent[] {
    const isFirst = this.#startedAtMs === null && !this.#history.isStarted
    const events: LoggedEvent[] = isFirst ? [{ kind: 'started', atMs: nowMs }] : []
    this.#startedAtMs ??= nowMs
    const emitsPrompt = this.request.echo && !this.#emittedPrompts.has(choice.promptIndex)
    this.#emittedPrompts.add(choice.promptIndex)
    return emitsPrompt ? [...events, ...this.#pendingPrompt(choice.promptIndex)] : events
  }

  /**
   * One step of a choice. @returns null if the request generates no tokens. The choice has ended if this is null or has
   * an `end`.
   */
  step(choice: SimulatedChoice, nowMs: number): GeneratedTokenEvent | null {
    const token = this.request.maxNewTokens === 0 ? null : choice.next()
    if (token === null || token.end !== null) this.#open--
    if (token === null) return null
    this.#count(token)
    if (this.#firstTokenAtMs !== null) return token
    this.#firstTokenAtMs = nowMs
    return { ...token, atMs: nowMs }
  }

  /** The terminal event, once every choice has ended. */
  finished(nowMs: number): FinishedEvent | null {
    if (this.#open > 0) return null
    const ranking = rankChoices(this.request, this.#scores)
    return {
      kind: 'finished',
      usage: {
        promptTokens: promptTokensOf(this.request),
        completionTokens: this.#scores.reduce((sum, { tokens }) => sum + tokens, 0) * this.request.standsFor,
        cachedTokens: 0
      },
      timings: toTimings(this.request.admittedAtMs, { startedAtMs: this.#startedAtMs, firstTokenAtMs: this.#firstTokenAtMs }, nowMs),
      ...(ranking !== null && { ranking })
    }
  }

  /** Advances a choice past the tokens of the history. @returns whether the choice has ended */
  #replay(choice: SimulatedChoice, emitted: number): boolean {
    let hasEnded = false
    for (let position = 0; position < emitted; position++) {
      const token = choice.next()
      this.#count(token)
      hasEnded = token.end !== null
    }
    return hasEnded
  }

  #count(token: GeneratedTokenEvent): void {
    const score = this.#scores[token.choice]
    if (score === undefined) return
    score.tokens++
    score.logprob += token.score?.logprob ?? 0
  }

  /** The events of a prompt that follow the history. A prompt is always cut at the same positions. */
  #pendingPrompt(promptIndex: number): PromptEvent[] {
    const tokenIds = this.request.prompts[promptIndex]?.tokenIds ?? []
    let emitted = this.#history.emittedPromptTokens[promptIndex] ?? 0
    return promptEvents(promptIndex, tokenIds, this.request.promptLogprobs).filter(event => {
      emitted -= event.tokenIds.length
      return emitted < 0
    })
  }
}

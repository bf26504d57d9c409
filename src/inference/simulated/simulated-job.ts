import type { FinishedEvent, GeneratedTokenEvent, LoggedEvent, PromptEvent } from '../contract/events.ts'
import { type History, readHistory, toFinished } from '../contract/history.ts'
import { choiceCount, type GenerationRequest } from '../contract/request.ts'
import { type PromptPiece, promptEvents } from './prompt-text.ts'
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
  /** Prompts that this engine emits or has emitted. */
  readonly #emittedPrompts = new Set<number>()
  /** By prompt: the events that precede the tokens of its choices; none that have all been emitted. */
  readonly #pendingPrompts = new Map<number, Generator<PromptPiece, void, undefined>>()
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

  /** Starts a choice. @returns the event of the request's start, if this is its first choice */
  begin(choice: SimulatedChoice, nowMs: number): LoggedEvent | null {
    const isFirst = this.#startedAtMs === null && !this.#history.isStarted
    this.#startedAtMs ??= nowMs
    const { promptIndex } = choice
    if (this.request.echo && !this.#emittedPrompts.has(promptIndex)) {
      const tokenIds = this.request.prompts[promptIndex]?.tokenIds ?? []
      const emitted = this.#history.emittedPromptTokens[promptIndex] ?? 0
      if (emitted < tokenIds.length) {
        this.#pendingPrompts.set(promptIndex, promptEvents(promptIndex, tokenIds, this.request.promptLogprobs, emitted))
      }
    }
    this.#emittedPrompts.add(promptIndex)
    return isFirst ? { kind: 'started', atMs: nowMs } : null
  }

  hasPendingPrompt({ promptIndex }: SimulatedChoice): boolean {
    return this.#pendingPrompts.has(promptIndex)
  }

  /** The next event of the prompt that precedes a choice's tokens; null where there is none. */
  nextPromptEvent({ promptIndex }: SimulatedChoice): PromptEvent | null {
    const event = this.#pendingPrompts.get(promptIndex)?.next().value ?? null
    if (event?.isLast !== false) this.#pendingPrompts.delete(promptIndex)
    return event?.event ?? null
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
    const { request } = this
    const timestamps = { startedAtMs: this.#startedAtMs, firstTokenAtMs: this.#firstTokenAtMs }
    return toFinished({ request, scores: this.#scores, cachedTokens: 0, ...timestamps }, nowMs)
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
}

import type { FinishedEvent, GeneratedTokenEvent, LoggedEvent } from '../contract/events.ts'
import { rankChoices } from '../contract/ranking.ts'
import { choiceCount, type GenerationRequest } from '../contract/request.ts'
import { promptEvents } from './prompt-text.ts'
import { SimulatedChoice } from './simulated-choice.ts'

/** A request in the simulated engine: its choices, and what it has said so far. */
export class SimulatedJob {
  readonly request: GenerationRequest
  /** In the order in which they want a slot. Without new tokens one stands for all choices of a prompt. */
  readonly choices: readonly SimulatedChoice[]
  readonly #told = new Set<number>()
  #open: number
  /** Of each choice. */
  readonly #scores: { tokens: number; logprob: number }[]
  #startedAtMs: number | null = null
  #firstTokenAtMs: number | null = null

  constructor(request: GenerationRequest) {
    const { choicesPerPrompt, maxNewTokens } = request
    this.request = request
    this.choices = Array.from({ length: choiceCount(request) }, (_, choice) => choice)
      .filter(choice => maxNewTokens > 0 || choice % choicesPerPrompt === 0)
      .map(choice => new SimulatedChoice(request, Math.floor(choice / choicesPerPrompt), choice))
    this.#scores = Array.from({ length: choiceCount(request) }, () => ({ tokens: 0, logprob: 0 }))
    this.#open = this.choices.length
  }

  /** A choice gets its slot. */
  begin(choice: SimulatedChoice, nowMs: number): LoggedEvent[] {
    const events: LoggedEvent[] = this.#startedAtMs === null ? [{ kind: 'started' }] : []
    this.#startedAtMs ??= nowMs
    const tellsPrompt = this.request.echo && !this.#told.has(choice.promptIndex)
    this.#told.add(choice.promptIndex)
    const prompt = this.request.prompts[choice.promptIndex]
    if (tellsPrompt && prompt !== undefined) events.push(...promptEvents(choice.promptIndex, prompt.tokenIds, this.request.promptLogprobs))
    return events
  }

  /** One step of a choice; null where no token is wanted at all. The choice has ended if that is null or has an `end`. */
  step(choice: SimulatedChoice, nowMs: number): GeneratedTokenEvent | null {
    const token = this.request.maxNewTokens === 0 ? null : choice.next()
    if (token !== null) {
      this.#firstTokenAtMs ??= nowMs
      const score = this.#scores[token.choice]
      if (score !== undefined) {
        score.tokens++
        score.logprob += token.score?.logprob ?? 0
      }
    }
    if (token === null || token.end !== null) this.#open--
    return token
  }

  /** The terminal event, once every choice has ended. */
  finished(nowMs: number): FinishedEvent | null {
    if (this.#open > 0) return null
    const startedAtMs = this.#startedAtMs ?? nowMs
    const firstTokenAtMs = this.#firstTokenAtMs ?? nowMs
    const ranking = rankChoices(this.request, this.#scores)
    return {
      kind: 'finished',
      usage: {
        promptTokens: this.request.prompts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0),
        completionTokens: this.#scores.reduce((sum, { tokens }) => sum + tokens, 0) * this.request.standsFor,
        cachedTokens: 0
      },
      timings: {
        queueMs: Math.max(0, startedAtMs - this.request.admittedAtMs),
        prefillMs: firstTokenAtMs - startedAtMs,
        decodeMs: nowMs - firstTokenAtMs
      },
      ...(ranking !== null && { ranking })
    }
  }
}

import type { Engine, EngineDescription, EngineListener } from '../../src/inference/contract/engine.ts'
import type { LoggedEvent } from '../../src/inference/contract/events.ts'
import { choiceCount, type GenerationRequest } from '../../src/inference/contract/request.ts'

/** First token ids of prompts that make the engine misbehave. */
export const TRICKS = {
  /** Starts, makes one token, and then waits to be cancelled. */
  hold: 100,
  /** Its first step never ends. */
  hang: 101,
  /** Its first step ends the process, as a crash in native code does. */
  crash: 102
} as const

export interface FakeEngineOptions {
  readonly slots: number
  /** 0: as fast as the event loop goes. */
  readonly stepMs: number
  readonly listener: EngineListener
}

/** A batch engine without a model: each step makes one token of each choice that has a row. */
export class FakeEngine implements Engine {
  readonly description: EngineDescription
  readonly #options: FakeEngineOptions
  readonly #jobs = new Map<string, { readonly request: GenerationRequest; waiting: number[]; rows: Map<number, number>; made: number }>()
  #isStepping = false
  #isClosed = false
  stepsDone = 0
  stepStartedAtMs: number | null = null

  constructor(options: FakeEngineOptions) {
    this.#options = options
    this.description = {
      modelHash: 'fake',
      architecture: 'fake',
      parameters: 0,
      vocabularySize: 1000,
      contextLength: 1000,
      slots: options.slots,
      cacheBytesPerToken: 1,
      cacheBudgetBytes: 1000
    }
  }

  /** Rows that are taken. */
  get rows(): number {
    return [...this.#jobs.values()].reduce((sum, job) => sum + job.rows.size, 0)
  }

  submit(request: GenerationRequest, _history: readonly LoggedEvent[] = []): void {
    const waiting = Array.from({ length: choiceCount(request) }, (_, choice) => choice)
    this.#jobs.set(request.id, { request, waiting, rows: new Map(), made: 0 })
    this.#schedule()
  }

  cancel(requestId: string): void {
    this.#jobs.delete(requestId)
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #schedule(): void {
    if (this.#isStepping || this.#isClosed || this.#jobs.size === 0) return
    this.#isStepping = true
    this.stepStartedAtMs = Date.now()
    const tricks = [...this.#jobs.values()].map(job => job.request.prompts[0]?.tokenIds[0])
    if (tricks.includes(TRICKS.hang)) return
    if (tricks.includes(TRICKS.crash)) process.kill(process.pid, 'SIGSEGV')
    const next = (): void => this.#step()
    if (this.#options.stepMs === 0) setImmediate(next)
    else setTimeout(next, this.#options.stepMs)
  }

  #step(): void {
    this.#isStepping = false
    this.stepStartedAtMs = null
    this.stepsDone++
    const events: { requestId: string; event: LoggedEvent }[] = []
    for (const [requestId, job] of this.#jobs) {
      const tell = (event: LoggedEvent): unknown => events.push({ requestId, event })
      while (job.waiting.length > 0 && this.rows < this.#options.slots) job.rows.set(job.waiting.shift() ?? 0, 0)
      if (job.made === 0 && job.rows.size > 0) tell({ kind: 'started' })
      if (job.request.prompts[0]?.tokenIds[0] === TRICKS.hold && job.made > 0) continue
      for (const [choice, position] of job.rows) {
        const isLast = position + 1 >= job.request.maxNewTokens
        const end = isLast ? ({ reason: 'length', stopString: null } as const) : null
        tell({ kind: 'token', choice, position, tokenId: position, text: `${choice}.${position} `, score: null, end })
        job.made++
        if (isLast) job.rows.delete(choice)
        else job.rows.set(choice, position + 1)
      }
      if (job.rows.size > 0 || job.waiting.length > 0) continue
      const usage = { promptTokens: 1, completionTokens: job.made, cachedTokens: 0 }
      tell({ kind: 'finished', usage, timings: { queueMs: 0, prefillMs: 0, decodeMs: 0 } })
      this.#jobs.delete(requestId)
    }
    if (events.length > 0) this.#options.listener.events(events)
    this.#schedule()
  }
}

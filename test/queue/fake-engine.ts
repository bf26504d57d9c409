import type { Engine, EngineDescription, EngineListener } from '../../src/inference/contract/engine.ts'
import type { LoggedEvent } from '../../src/inference/contract/events.ts'
import { InvariantError } from '../../src/inference/contract/invariant.ts'
import { choiceCount, type GenerationRequest } from '../../src/inference/contract/request.ts'
import { type EngineStatistics, ZERO_COUNTERS, ZERO_GAUGES } from '../../src/inference/contract/statistics.ts'

/** First token ids of prompts that make the engine misbehave. */
export const TRICKS = {
  /** Emits one token, and then waits to be cancelled. */
  hold: 100,
  /** The first step never ends. */
  hang: 101,
  /** The first step ends the process, as a crash in native code does. */
  crash: 102,
  /** It is accepted, and no run ever computes it. */
  ignore: 103,
  /** The first step fails with a bug of the engine. */
  bug: 31
} as const

export interface FakeEngineOptions {
  readonly slots: number
  /** 0: as fast as the event loop goes. */
  readonly stepMs: number
  readonly listener: EngineListener
  readonly onCrash?: (error: unknown) => void
}

interface FakeJob {
  readonly request: GenerationRequest
  /** Choices without a row, each with its next position. */
  readonly waiting: [choice: number, position: number][]
  /** Next position, by choice. */
  readonly rows: Map<number, number>
  hasStarted: boolean
  hasAdvanced: boolean
  made: number
}

/** A batch engine without a model: each step emits one token of each choice that has a row. */
export class FakeEngine implements Engine {
  readonly description: EngineDescription
  readonly #options: FakeEngineOptions
  readonly #jobs = new Map<string, FakeJob>()
  #received: readonly string[] = []
  #isStepping = false
  #isHanging = false
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

  /** The current step never ends. */
  get isHanging(): boolean {
    return this.#isHanging
  }

  /** Rows in use. */
  get rows(): number {
    return [...this.#jobs.values()].reduce((sum, job) => sum + job.rows.size, 0)
  }

  get statistics(): EngineStatistics {
    return { gauges: { ...ZERO_GAUGES, decodingRows: this.rows }, counters: { ...ZERO_COUNTERS, decodeRuns: this.stepsDone } }
  }

  submit(request: GenerationRequest, history: readonly LoggedEvent[] = []): void {
    const emitted = history.filter(event => event.kind === 'token')
    const next = new Map(Array.from({ length: choiceCount(request) }, (_, choice) => [choice, 0]))
    for (const { choice, position, end } of emitted) {
      if (end === null) next.set(choice, position + 1)
      else next.delete(choice)
    }
    const hasStarted = history.some(({ kind }) => kind === 'started')
    this.#jobs.set(request.id, { request, waiting: [...next], rows: new Map(), hasStarted, hasAdvanced: false, made: emitted.length })
    this.#schedule()
  }

  cancel(requestId: string): void {
    this.#jobs.delete(requestId)
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #schedule(): void {
    if (this.#isStepping || this.#isClosed) return
    for (const { waiting, rows } of this.#jobs.values()) {
      while (waiting.length > 0 && this.rows < this.#options.slots) rows.set(...(waiting.shift() ?? [0, 0]))
    }
    const batch = [...this.#jobs.values()].filter(job => job.rows.size > 0 && trickOf(job) !== TRICKS.ignore)
    this.#emitRunning(batch)
    if (batch.length === 0) return
    this.#isStepping = true
    this.stepStartedAtMs = Date.now()
    const tricks = batch.map(trickOf)
    this.#isHanging = tricks.includes(TRICKS.hang)
    if (this.#isHanging) return
    if (tricks.includes(TRICKS.crash)) process.kill(process.pid, 'SIGSEGV')
    if (tricks.includes(TRICKS.bug)) {
      this.#options.onCrash?.(new InvariantError('a row has two owners'))
      return
    }
    const next = (): void => this.#step(batch)
    if (this.#options.stepMs === 0) setImmediate(next)
    else setTimeout(next, this.#options.stepMs)
  }

  /** Emits the requests of the next run, if they are not those of the last one. */
  #emitRunning(batch: readonly FakeJob[]): void {
    const requestIds = batch.map(({ request }) => request.id)
    if (requestIds.join() === this.#received.join()) return
    this.#received = requestIds
    this.#options.listener.emit({ kind: 'running', requestIds })
  }

  #step(batch: readonly FakeJob[]): void {
    this.#isStepping = false
    this.stepStartedAtMs = null
    this.stepsDone++
    const live = batch.filter(job => this.#jobs.get(job.request.id) === job)
    const events = live.flatMap(job => this.#advance(job).map(event => ({ requestId: job.request.id, event })))
    if (events.length > 0) this.#options.listener.emit({ kind: 'events', events })
    const advanced = live.filter(job => !job.hasAdvanced)
    for (const job of advanced) job.hasAdvanced = true
    const requestIds = advanced.map(({ request }) => request.id)
    if (requestIds.length > 0) this.#options.listener.emit({ kind: 'advanced', requestIds })
    this.#schedule()
  }

  #advance(job: FakeJob): LoggedEvent[] {
    const { request, rows, waiting } = job
    const events: LoggedEvent[] = []
    if (!job.hasStarted) events.push({ kind: 'started' })
    job.hasStarted = true
    if (trickOf(job) === TRICKS.hold && job.made > 0) return events
    for (const [choice, position] of rows) {
      const isLast = position + 1 >= request.maxNewTokens
      const end = isLast ? ({ reason: 'length', stopString: null } as const) : null
      events.push({ kind: 'token', choice, position, tokenId: position, text: `${choice}.${position} `, score: null, end })
      job.made++
      if (isLast) rows.delete(choice)
      else rows.set(choice, position + 1)
    }
    if (rows.size > 0 || waiting.length > 0) return events
    this.#jobs.delete(request.id)
    const usage = { promptTokens: 1, completionTokens: job.made, cachedTokens: 0 }
    return [...events, { kind: 'finished', usage, timings: { queueMs: 0, prefillMs: 0, decodeMs: 0 } }]
  }
}

function trickOf({ request }: FakeJob): number | undefined {
  return request.prompts[0]?.tokenIds[0]
}

import type { Engine, EngineDescription, EngineListener } from '../contract/engine.ts'
import type { LoggedEvent } from '../contract/events.ts'
import { invariant } from '../contract/invariant.ts'
import type { GenerationRequest } from '../contract/request.ts'
import { type EngineStatistics, ZERO_COUNTERS, ZERO_GAUGES } from '../contract/statistics.ts'
import type { SimulatedChoice } from './simulated-choice.ts'
import { SimulatedJob } from './simulated-job.ts'
import { StepTimer } from './step-timer.ts'
import { SIMULATED_VOCABULARY_SIZE } from './vocabulary.ts'

export interface SimulatedEngineOptions {
  /** Choices that emit a token per step; the others wait in the order of arrival. */
  readonly slots: number
  readonly contextLength: number
  /** Length of a step; 0: one step per turn of the event loop. */
  readonly stepMs: number
  readonly listener: EngineListener
}

/**
 * An engine without a model, for load and fault tests of everything around it. A token is a pure function of prompt,
 * seed, choice and position, so an interrupted request gets the same tokens again. There is no end token: choices end
 * at `maxNewTokens` or at a stop string. Of the sampling parameters, the seed, temperature 0 and `minNewTokens` have an
 * effect; filters, penalties, bias, allowed and banned tokens, `stopTokenIds` and `scoredTokenIds` are ignored.
 */
export function createSimulatedEngine(options: SimulatedEngineOptions): Engine {
  return new SimulatedEngine(options)
}

class SimulatedEngine implements Engine {
  readonly description: EngineDescription
  readonly #slots: number
  readonly #stepMs: number
  readonly #listener: EngineListener
  readonly #timer: StepTimer
  readonly #jobs = new Map<string, SimulatedJob>()
  readonly #waiting = new Map<SimulatedChoice, SimulatedJob>()
  readonly #active = new Map<SimulatedChoice, SimulatedJob>()
  /** Requests whose history lacks only the terminal event. */
  readonly #complete = new Set<SimulatedJob>()
  #running: ReadonlySet<SimulatedJob> = new Set()
  #isClosed = false
  #decodedRows = 0

  constructor(options: SimulatedEngineOptions) {
    this.description = {
      modelHash: 'simulated',
      architecture: 'simulated',
      parameters: 0,
      vocabularySize: SIMULATED_VOCABULARY_SIZE,
      contextLength: options.contextLength,
      slots: options.slots,
      cacheBytesPerToken: 0,
      cacheBudgetBytes: 0
    }
    this.#slots = options.slots
    this.#stepMs = options.stepMs
    this.#listener = options.listener
    this.#timer = new StepTimer(options.stepMs, () => this.#step())
  }

  get stepsDone(): number {
    return this.#timer.stepsDone
  }

  get stepStartedAtMs(): number | null {
    return this.#timer.startedAtMs
  }

  /** The gauges of cache and prefill stay 0. */
  get statistics(): EngineStatistics {
    const decodeMs = this.#timer.stepsDone * this.#stepMs
    return {
      gauges: { ...ZERO_GAUGES, decodingRows: this.#active.size, waitingPrompts: this.#waiting.size },
      counters: { ...ZERO_COUNTERS, decodeRuns: this.#timer.stepsDone, decodedRows: this.#decodedRows, decodeMs }
    }
  }

  submit(request: GenerationRequest, history: readonly LoggedEvent[] = []): void {
    invariant(!this.#isClosed, 'a request was submitted to a closed engine')
    invariant(!this.#jobs.has(request.id), `request ${request.id} was submitted twice`)
    const job = new SimulatedJob(request, history)
    this.#jobs.set(request.id, job)
    for (const choice of job.choices) this.#waiting.set(choice, job)
    if (job.choices.length === 0) this.#complete.add(job)
    this.#emitRunning()
    this.#timer.run()
  }

  cancel(requestId: string): void {
    const job = this.#jobs.get(requestId)
    if (job === undefined) return
    for (const choice of job.choices) {
      this.#waiting.delete(choice)
      this.#active.delete(choice)
    }
    this.#complete.delete(job)
    this.#jobs.delete(requestId)
    this.#emitRunning()
    if (this.#jobs.size === 0) this.#timer.rest()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const requestId of [...this.#jobs.keys()]) this.cancel(requestId)
  }

  /** @returns whether there are requests left */
  #step(): boolean {
    const nowMs = Date.now()
    const events: { requestId: string; event: LoggedEvent }[] = []
    const emit = (job: SimulatedJob, event: LoggedEvent | null): void => {
      if (event !== null) events.push({ requestId: job.request.id, event })
    }
    for (const [choice, job] of this.#waiting) {
      if (this.#active.size >= this.#slots) break
      this.#waiting.delete(choice)
      this.#active.set(choice, job)
      emit(job, job.begin(choice, nowMs))
    }
    this.#decodedRows += this.#active.size
    const moved = new Set([...this.#active.values()].filter(job => !job.hasAdvanced))
    // As in a model's engine, a step computes a bounded part of one prompt, while other choices wait with theirs.
    let promptBudget = 1
    for (const [choice, job] of this.#active) {
      job.hasAdvanced = true
      if (promptBudget > 0 && job.hasPendingPrompt(choice)) {
        promptBudget--
        emit(job, job.nextPromptEvent(choice))
      }
      if (job.hasPendingPrompt(choice)) continue
      const token = job.step(choice, nowMs)
      emit(job, token)
      if (token !== null && token.end === null) continue
      this.#active.delete(choice)
      const finished = job.finished(nowMs)
      emit(job, finished)
      if (finished !== null) this.#jobs.delete(job.request.id)
    }
    for (const job of this.#complete) {
      emit(job, job.finished(nowMs))
      this.#jobs.delete(job.request.id)
    }
    this.#complete.clear()
    if (moved.size > 0) this.#listener.emit({ kind: 'advanced', requestIds: idsOf(moved) })
    this.#listener.emit({ kind: 'events', events })
    this.#emitRunning()
    return this.#jobs.size > 0
  }

  /** The next step computes the choices with a slot, and those that get a free one. */
  #emitRunning(): void {
    const running = new Set(this.#active.values())
    const free = this.#slots - this.#active.size
    for (const job of this.#waiting.values().take(free)) running.add(job)
    if (running.size === this.#running.size && running.isSubsetOf(this.#running)) return
    this.#running = running
    this.#listener.emit({ kind: 'running', requestIds: idsOf(running) })
  }
}

function idsOf(jobs: ReadonlySet<SimulatedJob>): string[] {
  return Array.from(jobs, job => job.request.id)
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Endpoint } from '../requests/endpoint.ts'
import { LoadError, type StreamedText, streamedCompletion } from '../requests/streamed-completion.ts'
import { bodyAt, type WorkloadOptions } from '../requests/workload.ts'
import { Counts } from './counts.ts'

/** Delay of a client after an error, so that errors do not cause a flood of requests. */
const AFTER_ERROR_MS = 250

export interface ClosedLoopOptions extends WorkloadOptions {
  readonly clients: number
  readonly durationMs: number
  /** Time at the start that is not measured. */
  readonly warmupMs: number
  readonly timeoutMs: number
  /** Returns the number of the next request in the workload. */
  readonly nextIndex: () => number
  readonly onFinished: (index: number, outcome: StreamedText) => void
  readonly onError: (index: number, error: LoadError) => void
}

/**
 * `clients` clients, each of which sends its next request as soon as its stream ended, until the time is over; streams
 * in flight are read to their ends.
 */
export class ClosedLoop {
  readonly #endpoint: Endpoint
  readonly #options: ClosedLoopOptions
  #counts = new Counts(performance.now())
  #measuring = true

  constructor(endpoint: Endpoint, options: ClosedLoopOptions) {
    this.#endpoint = endpoint
    this.#options = options
  }

  get counts(): Counts {
    return this.#counts
  }

  /** @returns the counts between warm-up and the end of the time */
  async run(stop: AbortSignal): Promise<ReturnType<Counts['report']>> {
    const { clients, durationMs, warmupMs } = this.#options
    const over = AbortSignal.any([stop, AbortSignal.timeout(warmupMs + durationMs)])
    this.#counts = new Counts(performance.now())
    const warm = setTimeout(() => {
      this.#counts = new Counts(performance.now())
    }, warmupMs)

    const clientsDone = Promise.all(Array.from({ length: clients }, () => this.#client(over)))
    await new Promise<void>(resolve => {
      if (over.aborted) resolve()
      over.addEventListener('abort', () => resolve(), { once: true })
    })
    clearTimeout(warm)
    const report = this.#counts.report(performance.now())
    this.#measuring = false
    await clientsDone
    const late = this.#counts.report(performance.now())
    return { ...report, errors: late.errors, errorsByKind: late.errorsByKind }
  }

  async #client(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const index = this.#options.nextIndex()
      try {
        this.#options.onFinished(index, await this.#request(index))
      } catch (error) {
        if (!(error instanceof LoadError)) throw error
        this.#counts.failed(error.kind)
        this.#options.onError(index, error)
        await sleep(AFTER_ERROR_MS)
      }
    }
  }

  async #request(index: number): Promise<StreamedText> {
    let beforeMs = performance.now()
    const outcome = await streamedCompletion(this.#endpoint, bodyAt(index, this.#options), this.#options.timeoutMs, (event, atMs) => {
      if (this.#measuring) {
        if (event === 0) this.#counts.firstText(atMs - beforeMs)
        else this.#counts.nextText(atMs - beforeMs)
      }
      beforeMs = atMs
    })
    if (this.#measuring) this.#counts.finished(outcome)
    return outcome
  }
}

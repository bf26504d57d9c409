import { ServiceError } from '../../contract/errors.ts'
import type { TextSource } from '../model-files/text-source.ts'
import { type QueueBounds, type Sized, TaskQueue } from './task-queue.ts'
import type { TextResult, TextTask } from './text-work.ts'
import { TextWorker } from './text-worker.ts'

export interface LaneOptions {
  readonly bounds: QueueBounds
  /** Time limit of a chat template, which may loop for ever. */
  readonly templateLimitMs: number
  /** Time limit of all other tasks. */
  readonly taskLimitMs: number
}

interface Waiting extends Sized {
  readonly task: TextTask
  readonly answer: PromiseWithResolvers<TextResult>
}

const PROBE: TextTask = { kind: 'encode', text: 'a', addSpecialTokens: false }
/** Delay after a failed probe. */
const NEXT_PROBE_MS = 1000

/**
 * A bounded queue of text tasks and the thread that processes them. The thread starts with the first task unless one is
 * passed in. When a thread exits, its current task fails, and a new thread processes the others. A failure that the
 * client did not cause is followed by a probe, which determines whether texts can still be processed.
 */
export class TextLane {
  readonly #source: TextSource
  readonly #options: LaneOptions
  readonly #queue: TaskQueue<Waiting>
  #worker: TextWorker | null
  #isBusy = false
  #isClosed = false
  #isProbing = false
  #isHealthy = true

  constructor(source: TextSource, worker: TextWorker | null, options: LaneOptions) {
    this.#source = source
    this.#worker = worker
    this.#options = options
    this.#queue = new TaskQueue(options.bounds)
  }

  /** False while texts cannot be processed, i.e. the last probe failed. */
  get isHealthy(): boolean {
    return this.#isHealthy
  }

  /**
   * @throws {ServiceError} `queue_full`; any error of the task; `unavailable` when the thread exits
   */
  async run(task: TextTask, size: Sized, signal: AbortSignal | undefined): Promise<TextResult> {
    if (this.#isClosed) throw closed()
    signal?.throwIfAborted()
    const waiting: Waiting = { ...size, task, answer: Promise.withResolvers<TextResult>() }
    this.#queue.add(waiting)
    const leave = (): void => {
      if (this.#queue.remove(waiting)) waiting.answer.reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    void this.#drain()
    try {
      return await waiting.answer.promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (let next = this.#queue.take(); next !== null; next = this.#queue.take()) next.answer.reject(closed())
    await this.#worker?.close()
  }

  async #drain(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    for (let next = this.#queue.take(); next !== null; next = this.#queue.take()) await this.#process(next)
    this.#isBusy = false
  }

  /** Never throws: an error rejects its task, and the next task runs. */
  async #process({ task, answer }: Waiting): Promise<void> {
    try {
      if (this.#worker === null || this.#worker.isDead) this.#worker = new TextWorker(this.#source)
      answer.resolve(await this.#worker.work(task, this.#limitOf(task)))
    } catch (error) {
      answer.reject(error)
      if (!isClientError(error)) void this.#probe()
    }
  }

  #limitOf({ kind }: TextTask): { readonly ms: number; readonly error: () => ServiceError } {
    const { templateLimitMs, taskLimitMs } = this.#options
    if (kind === 'chat') return { ms: templateLimitMs, error: () => templateTooSlow(templateLimitMs) }
    return { ms: taskLimitMs, error: () => tooSlow(taskLimitMs) }
  }

  /** Repeats every second until a probe succeeds. */
  async #probe(): Promise<void> {
    if (this.#isProbing || this.#isClosed) return
    this.#isProbing = true
    try {
      await this.run(PROBE, { units: 1, requestUnits: 1 }, undefined)
      this.#isHealthy = true
    } catch {
      this.#isHealthy = false
      setTimeout(() => void this.#probe(), NEXT_PROBE_MS).unref()
    } finally {
      this.#isProbing = false
    }
  }
}

function isClientError(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'invalid_request'
}

function closed(): ServiceError {
  return new ServiceError('unavailable', 'the tokenizer is closed')
}

function templateTooSlow(limitMs: number): ServiceError {
  const message = `Invalid 'messages': the model's chat template took longer than ${limitMs / 1000} seconds.`
  return new ServiceError('invalid_request', message, { param: 'messages' })
}

function tooSlow(limitMs: number): ServiceError {
  return new ServiceError('invalid_request', `The text took longer than ${limitMs / 1000} seconds to process. Please shorten it.`)
}

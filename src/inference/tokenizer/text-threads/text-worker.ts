import { Worker } from 'node:worker_threads'
import { type Failure, ServiceError } from '../../contract/errors.ts'
import { invariant } from '../../contract/invariant.ts'
import type { TextSource } from '../model-files/text-source.ts'
import type { TextAnswer } from './text-thread.ts'
import type { LoadedText, TextResult, TextTask } from './text-work.ts'

/** A vocabulary is read in a second; from a disk that hangs, never. */
const OPEN_LIMIT_MS = 120_000

/** One thread, from its start to its death, with at most one task at a time. */
export class TextWorker {
  /** Rejected with a ServiceError `unavailable` when the source cannot be read. */
  readonly opened: Promise<LoadedText>
  readonly #worker: Worker
  readonly #opening = Promise.withResolvers<LoadedText>()
  readonly #openLimit: NodeJS.Timeout
  #task: PromiseWithResolvers<TextResult> | null = null
  #isDead = false

  constructor(source: TextSource) {
    this.opened = this.#opening.promise
    this.opened.catch(() => {})
    this.#worker = new Worker(new URL('./text-thread.ts', import.meta.url), { workerData: source, execArgv: [] })
    const tooLate = () => this.#kill(new ServiceError('unavailable', `the tokenizer was not there after ${OPEN_LIMIT_MS / 1000} seconds`))
    this.#openLimit = setTimeout(tooLate, OPEN_LIMIT_MS)
    this.#worker.on('message', (answer: TextAnswer) => this.#onMessage(answer))
    this.#worker.on('messageerror', cause =>
      this.#kill(new ServiceError('unavailable', 'the tokenizer thread cannot be understood', { cause }))
    )
    this.#worker.on('error', cause => this.#die(new ServiceError('unavailable', 'the tokenizer thread failed', { cause })))
    this.#worker.on('exit', () => this.#die(new ServiceError('unavailable', 'the tokenizer thread ended')))
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /**
   * @param limit  kills the thread and rejects with `error` if the task is not done in `ms`
   * @throws {ServiceError} what the task throws, or `unavailable` when the thread dies
   * @throws {Error}        when the task cannot be handed over; the thread is then free for the next one
   */
  async work(task: TextTask, limit: { readonly ms: number; readonly error: () => ServiceError }): Promise<TextResult> {
    await this.opened
    invariant(this.#task === null, 'a tokenizer thread has one task at a time')
    if (this.#isDead) throw new ServiceError('unavailable', 'the tokenizer thread ended')
    this.#worker.postMessage(task)
    const pending = Promise.withResolvers<TextResult>()
    this.#task = pending
    this.#worker.ref()
    const timer = setTimeout(() => this.#kill(limit.error()), limit.ms)
    try {
      return await pending.promise
    } finally {
      clearTimeout(timer)
      this.#rest()
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #onMessage(answer: TextAnswer): void {
    switch (answer.kind) {
      case 'ready':
        clearTimeout(this.#openLimit)
        this.#opening.resolve(answer)
        this.#rest()
        break
      case 'unusable':
        this.#kill(toError(answer.failure))
        break
      case 'done':
        this.#task?.resolve(answer.result)
        break
      case 'refused':
        this.#task?.reject(toError(answer.failure))
        break
      default:
        answer satisfies never
    }
  }

  /** An idle thread keeps no process alive. */
  #rest(): void {
    this.#task = null
    this.#worker.unref()
  }

  #kill(error: ServiceError): void {
    this.#die(error)
    void this.close()
  }

  #die(error: ServiceError): void {
    this.#isDead = true
    clearTimeout(this.#openLimit)
    this.#opening.reject(error)
    this.#task?.reject(error)
  }
}

function toError({ code, message, param }: Failure): ServiceError {
  return new ServiceError(code, message, param === null ? {} : { param })
}

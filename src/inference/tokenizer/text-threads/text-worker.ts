import { Worker } from 'node:worker_threads'
import { type Failure, ServiceError } from '../../contract/errors.ts'
import { invariant } from '../../contract/invariant.ts'
import type { TextSource } from '../model-files/text-source.ts'
import type { TextAnswer } from './text-thread.ts'
import type { LoadedText, TextResult, TextTask } from './text-work.ts'

/** Loading takes about a second; reading from a disk that hangs takes for ever. */
const OPEN_LIMIT_MS = 120_000

/** One thread, from start to exit, that runs at most one task at a time. */
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
    const tooLate = () => this.#kill(new ServiceError('unavailable', `the tokenizer was not loaded within ${OPEN_LIMIT_MS / 1000} seconds`))
    this.#openLimit = setTimeout(tooLate, OPEN_LIMIT_MS)
    this.#worker.on('message', (answer: TextAnswer) => this.#onMessage(answer))
    this.#worker.on('messageerror', cause =>
      this.#kill(new ServiceError('unavailable', 'a message of the tokenizer thread cannot be deserialized', { cause }))
    )
    this.#worker.on('error', cause => this.#die(new ServiceError('unavailable', 'the tokenizer thread failed', { cause })))
    this.#worker.on('exit', () => this.#die(new ServiceError('unavailable', 'the tokenizer thread exited')))
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /**
   * @param limit  terminates the thread and rejects with `error` when the task takes longer than `ms`
   * @throws {ServiceError} any error of the task, or `unavailable` when the thread exits
   * @throws {Error}        when the task cannot be serialized; the thread is then free for the next one
   */
  async work(task: TextTask, limit: { readonly ms: number; readonly error: () => ServiceError }): Promise<TextResult> {
    await this.opened
    invariant(this.#task === null, 'a tokenizer thread runs one task at a time')
    if (this.#isDead) throw new ServiceError('unavailable', 'the tokenizer thread exited')
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

  /** An idle thread does not keep the process alive. */
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

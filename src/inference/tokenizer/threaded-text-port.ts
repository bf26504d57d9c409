import { Worker } from 'node:worker_threads'
import { ServiceError } from '../contract/errors.ts'
import type { TextPort } from '../contract/text-port.ts'
import type { TextSource } from './text-source.ts'
import type { TextAnswer, TextJob } from './text-thread.ts'

interface Pending {
  readonly resolve: (tokenIds: readonly number[]) => void
  readonly reject: (error: ServiceError) => void
}

/**
 * A tokenizer on a thread of its own, first come first served: no text, however hostile, holds up the event loop.
 *
 * @throws {ServiceError} `unavailable` when the tokenizer cannot be read
 */
export async function openTextPort(source: TextSource): Promise<TextPort> {
  const thread = new TextThread(source)
  return new ThreadedTextPort(source, thread, await thread.vocabularySize)
}

class ThreadedTextPort implements TextPort {
  readonly vocabularySize: number
  readonly #source: TextSource
  #thread: TextThread
  #isClosed = false

  constructor(source: TextSource, thread: TextThread, vocabularySize: number) {
    this.#source = source
    this.#thread = thread
    this.vocabularySize = vocabularySize
  }

  encode(text: string): Promise<readonly number[]> {
    if (this.#isClosed) return Promise.reject(new ServiceError('unavailable', 'the tokenizer is closed'))
    if (this.#thread.isDead) this.#thread = new TextThread(this.#source)
    return this.#thread.encode(text)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#thread.close()
  }
}

/** One thread, from its start to its death. */
class TextThread {
  readonly vocabularySize: Promise<number>
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  readonly #opened = Promise.withResolvers<number>()
  #nextJobId = 0
  #isDead = false

  constructor(source: TextSource) {
    this.vocabularySize = this.#opened.promise
    this.vocabularySize.catch(() => {})
    this.#worker = new Worker(new URL('./text-thread.ts', import.meta.url), { workerData: source, execArgv: [] })
    this.#worker.on('message', (answer: TextAnswer) => this.#hear(answer))
    this.#worker.on('error', cause => this.#die(new ServiceError('unavailable', 'the tokenizer thread failed', { cause })))
    this.#worker.on('exit', () => this.#die(new ServiceError('unavailable', 'the tokenizer thread ended')))
  }

  get isDead(): boolean {
    return this.#isDead
  }

  encode(text: string): Promise<readonly number[]> {
    const jobId = this.#nextJobId++
    return new Promise((resolve, reject) => {
      this.#pending.set(jobId, { resolve, reject })
      this.#worker.ref()
      this.#worker.postMessage({ jobId, text } satisfies TextJob)
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #hear(answer: TextAnswer): void {
    switch (answer.kind) {
      case 'ready':
        this.#opened.resolve(answer.vocabularySize)
        this.#rest()
        break
      case 'unusable':
        this.#die(new ServiceError('unavailable', answer.message))
        void this.close()
        break
      case 'ids':
        this.#take(answer.jobId)?.resolve(toArray(answer.tokenIds))
        break
      case 'refused':
        this.#take(answer.jobId)?.reject(new ServiceError('unavailable', `the text could not be encoded: ${answer.message}`))
        break
      default:
        answer satisfies never
    }
  }

  #take(jobId: number): Pending | undefined {
    const pending = this.#pending.get(jobId)
    this.#pending.delete(jobId)
    this.#rest()
    return pending
  }

  /** An idle thread keeps no process alive. */
  #rest(): void {
    if (this.#pending.size === 0) this.#worker.unref()
  }

  #die(error: ServiceError): void {
    this.#isDead = true
    this.#opened.reject(error)
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}

/** A plain loop: `Array.from` walks an iterator, which holds the event loop several times as long for a million ids. */
function toArray(tokenIds: Int32Array): number[] {
  const numbers = new Array<number>(tokenIds.length)
  for (let at = 0; at < tokenIds.length; at++) numbers[at] = tokenIds[at] ?? 0
  return numbers
}

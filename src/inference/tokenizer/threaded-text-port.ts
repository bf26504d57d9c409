import { ServiceError } from '../contract/errors.ts'
import { invariant } from '../contract/invariant.ts'
import type { Conversation, DecodeOptions, EncodeOptions, TextFacts, TextPort, TextWait } from '../contract/text-port.ts'
import type { TextSource } from './text-source.ts'
import type { TextResult, TextTask } from './text-work.ts'
import { type OpenedText, TextWorker } from './text-worker.ts'

/** A template writes a conversation of a megabyte in a fraction of a second; one that loops has to be stopped. */
const TEMPLATE_LIMIT_MS = 5000

interface Waiting {
  readonly task: TextTask
  readonly answer: PromiseWithResolvers<TextResult>
}

/**
 * A tokenizer on a thread of its own, first come first served: no text, however hostile, holds up the event loop.
 * A thread that dies takes the text in its hands with it; the others go to its successor.
 *
 * @throws {ServiceError} `unavailable` when the tokenizer cannot be read
 */
export async function openTextPort(
  source: TextSource,
  { templateLimitMs = TEMPLATE_LIMIT_MS }: { readonly templateLimitMs?: number } = {}
): Promise<TextPort> {
  const worker = new TextWorker(source)
  return new ThreadedTextPort(source, worker, await worker.opened, templateLimitMs)
}

class ThreadedTextPort implements TextPort {
  readonly vocabularySize: number
  readonly facts: TextFacts
  readonly #source: TextSource
  readonly #templateLimitMs: number
  readonly #line: Waiting[] = []
  #worker: TextWorker
  #isBusy = false
  #isClosed = false

  constructor(source: TextSource, worker: TextWorker, { vocabularySize, facts }: OpenedText, templateLimitMs: number) {
    this.#source = source
    this.#worker = worker
    this.#templateLimitMs = templateLimitMs
    this.vocabularySize = vocabularySize
    this.facts = facts
  }

  async encode(text: string, { addSpecialTokens = true, signal }: EncodeOptions = {}): Promise<readonly number[]> {
    const result = await this.#ask({ kind: 'encode', text, addSpecialTokens }, signal)
    invariant(result.kind === 'ids', 'encoding gives ids')
    return toArray(result.tokenIds)
  }

  async decode(tokenIds: readonly number[], { skipSpecialTokens, signal }: DecodeOptions): Promise<string> {
    const result = await this.#ask({ kind: 'decode', tokenIds, skipSpecialTokens }, signal)
    invariant(result.kind === 'text', 'decoding gives text')
    return result.text
  }

  async labels(tokenIds: readonly number[], { signal }: TextWait = {}): Promise<readonly string[]> {
    const result = await this.#ask({ kind: 'labels', tokenIds }, signal)
    invariant(result.kind === 'labels', 'labels were asked for')
    return result.labels
  }

  async renderChat(conversation: Conversation, { signal }: TextWait = {}): Promise<string> {
    const result = await this.#ask({ kind: 'chat', conversation }, signal)
    invariant(result.kind === 'text', 'a template gives text')
    return result.text
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { answer } of this.#line.splice(0)) answer.reject(closed())
    await this.#worker.close()
  }

  async #ask(task: TextTask, signal: AbortSignal | undefined): Promise<TextResult> {
    if (this.#isClosed) throw closed()
    signal?.throwIfAborted()
    const waiting: Waiting = { task, answer: Promise.withResolvers<TextResult>() }
    const leave = (): void => {
      const at = this.#line.indexOf(waiting)
      if (at < 0) return
      this.#line.splice(at, 1)
      waiting.answer.reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    this.#line.push(waiting)
    void this.#workOff()
    try {
      return await waiting.answer.promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  async #workOff(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      if (this.#worker.isDead) this.#worker = new TextWorker(this.#source)
      const limit = next.task.kind === 'chat' ? { ms: this.#templateLimitMs, error: () => tooSlow(this.#templateLimitMs) } : null
      await this.#worker.work(next.task, limit).then(next.answer.resolve, next.answer.reject)
    }
    this.#isBusy = false
  }
}

function closed(): ServiceError {
  return new ServiceError('unavailable', 'the tokenizer is closed')
}

function tooSlow(limitMs: number): ServiceError {
  const message = `Invalid 'messages': the model's chat template was not done with them after ${limitMs / 1000} seconds.`
  return new ServiceError('invalid_request', message, { param: 'messages' })
}

/** A plain loop: `Array.from` walks an iterator, which holds the event loop several times as long for a million ids. */
function toArray(tokenIds: Int32Array): number[] {
  const numbers = new Array<number>(tokenIds.length)
  for (let at = 0; at < tokenIds.length; at++) numbers[at] = tokenIds[at] ?? 0
  return numbers
}

import { invariant } from '../../contract/invariant.ts'
import type { Conversation, DecodeOptions, EncodeOptions, TextFacts, TextPort, TextWait } from '../../contract/text-port.ts'
import type { TextSource } from '../model-files/text-source.ts'
import { leastTokens, type TokenCountBound } from '../token-count-bound.ts'
import { type LaneOptions, TextLane } from './text-lane.ts'
import type { LoadedText, TextResult, TextTask } from './text-work.ts'
import { TextWorker } from './text-worker.ts'

/**
 * Rendering a conversation of a megabyte takes a fraction of a second, encoding a megabyte of any text a few seconds.
 */
const LANE: LaneOptions = { bounds: { tasks: 16_384, units: 16_777_216 }, templateLimitMs: 5000, taskLimitMs: 60_000 }
/** Up to this total a request uses the lane of short texts: a quarter of a second on a slow machine. */
const SHORT_UNITS = 65_536
/** Estimated cost of rendering a message in addition to copying its text. */
const MESSAGE_UNITS = 200
const UNITS_PER_TOKEN = 4
/**
 * Tokens whose labels are received from the thread in one message: deserializing strings blocks the event loop.
 */
const LABELLED_TOKENS = 8192

/**
 * A tokenizer on separate threads: no text, however hostile, blocks the event loop. Short texts have their own thread,
 * so that long texts do not delay them. The thread of long texts starts with the first one.
 *
 * @throws {ServiceError} `unavailable` when the tokenizer cannot be read
 */
export async function openTextPort(source: TextSource, options: Partial<LaneOptions> = {}): Promise<TextPort> {
  const worker = new TextWorker(source)
  return new ThreadedTextPort(source, worker, await worker.opened, { ...LANE, ...options })
}

class ThreadedTextPort implements TextPort {
  readonly vocabularySize: number
  readonly facts: TextFacts
  readonly #bound: TokenCountBound | null
  readonly #short: TextLane
  readonly #long: TextLane
  /** Units of each request so far. */
  readonly #unitsOf = new WeakMap<AbortSignal, number>()

  constructor(source: TextSource, worker: TextWorker, { vocabularySize, facts, bound }: LoadedText, options: LaneOptions) {
    this.#short = new TextLane(source, worker, options)
    this.#long = new TextLane(source, null, options)
    this.#bound = bound
    this.vocabularySize = vocabularySize
    this.facts = facts
  }

  get isHealthy(): boolean {
    return this.#short.isHealthy && this.#long.isHealthy
  }

  leastTokens(text: string, enough: number): number {
    return this.#bound === null ? 0 : leastTokens(text, this.#bound, enough)
  }

  async encode(text: string, { addSpecialTokens = true, signal }: EncodeOptions = {}): Promise<readonly number[]> {
    const result = await this.#run({ kind: 'encode', text, addSpecialTokens }, text.length, signal)
    invariant(result.kind === 'ids', 'encoding returns ids')
    return toArray(result.tokenIds)
  }

  async decode(tokenIds: readonly number[], { skipSpecialTokens, signal }: DecodeOptions): Promise<string> {
    const result = await this.#run({ kind: 'decode', tokenIds, skipSpecialTokens }, UNITS_PER_TOKEN * tokenIds.length, signal)
    invariant(result.kind === 'text', 'decoding returns text')
    return result.text
  }

  async labels(tokenIds: readonly number[], { signal }: TextWait = {}): Promise<readonly string[]> {
    const labels: string[] = []
    for (let at = 0; at < tokenIds.length; at += LABELLED_TOKENS) {
      const piece = tokenIds.slice(at, at + LABELLED_TOKENS)
      const result = await this.#run({ kind: 'labels', tokenIds: piece }, UNITS_PER_TOKEN * piece.length, signal)
      invariant(result.kind === 'labels', 'the task returns labels')
      labels.push(...result.labels)
    }
    return labels
  }

  async renderChat(conversation: Conversation, { signal }: TextWait = {}): Promise<string> {
    const task: TextTask = { kind: 'chat', conversation: JSON.stringify(conversation) }
    const units = task.conversation.length + MESSAGE_UNITS * conversation.messages.length
    const result = await this.#run(task, units, signal)
    invariant(result.kind === 'text', 'a template returns text')
    return result.text
  }

  async close(): Promise<void> {
    await Promise.all([this.#short.close(), this.#long.close()])
  }

  /** Many short texts of one request count as a long one. The signal identifies the request. */
  async #run(task: TextTask, units: number, signal: AbortSignal | undefined): Promise<TextResult> {
    const requestUnits = units + (signal === undefined ? 0 : (this.#unitsOf.get(signal) ?? 0))
    if (signal !== undefined) this.#unitsOf.set(signal, requestUnits)
    const lane = requestUnits <= SHORT_UNITS ? this.#short : this.#long
    return await lane.run(task, { units, requestUnits }, signal)
  }
}

/** A plain loop: `Array.from` uses an iterator, which takes several times as long for a million ids. */
function toArray(tokenIds: Int32Array): number[] {
  const numbers = new Array<number>(tokenIds.length)
  for (let at = 0; at < tokenIds.length; at++) numbers[at] = tokenIds[at] ?? 0
  return numbers
}

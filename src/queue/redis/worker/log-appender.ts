import type { StepEvents } from '../../../inference/contract/engine.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { REQUEST_TTL_MS } from '../connection/keys.ts'
import { parseAppendReply } from '../requests/claim.ts'
import type { HeldRequest, HeldRequests } from './held-requests.ts'

/** At most so many pipelines wait for replies; later events are sent after a reply, in fewer and larger appends. */
const PIPELINES_IN_FLIGHT = 4
/** Limits of one append, which keep each script short. A single event may exceed the characters. */
const EVENTS_PER_APPEND = 500
const CHARS_PER_APPEND = 1_048_576
const RETRY_MS = 250

export interface LogAppenderOptions {
  readonly redis: ScriptedRedis
  readonly held: HeldRequests
  /** The whole log is written, with its terminal event. */
  readonly onDone: (request: HeldRequest) => void
  /**
   * This worker does not own the request (any more). `ended`: it was ended from outside, or is gone; `fenced`: it has
   * another owner.
   */
  readonly onLost: (request: HeldRequest, why: 'ended' | 'fenced') => void
}

type Pipeline = ReturnType<ScriptedRedis['pipeline']>

interface Sent {
  readonly request: HeldRequest
  readonly epoch: number
}

/**
 * Appends the engine's events to the logs: one pipeline per step and shard, for which the engine does not wait. While
 * Redis is away, events are kept here (at most the remaining tokens of the running requests) and the engine continues.
 * Entries that Redis has lost are written again.
 */
export class LogAppender {
  readonly #options: LogAppenderOptions
  #inFlight = 0
  #retry: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: LogAppenderOptions) {
    this.#options = options
  }

  /** Ignores events of requests that are not held (any more). */
  add(events: StepEvents): void {
    for (const { requestId, event } of events) this.#options.held.get(requestId)?.add(event)
    this.flush()
  }

  /** Sends all events that have not been sent. */
  flush(): void {
    if (this.#isClosed) return
    const unsent = this.#options.held.all.filter(({ sent, entries }) => sent < entries.length)
    for (const requests of groupByShard(unsent)) {
      if (this.#inFlight >= PIPELINES_IN_FLIGHT) return
      this.#send(requests)
    }
  }

  /** Checks that Redis still has the entries that were written, and that this worker still owns the requests. */
  probe(requests: readonly HeldRequest[]): void {
    if (!this.#isClosed) for (const group of groupByShard(requests)) this.#send(group)
  }

  close(): void {
    this.#isClosed = true
    if (this.#retry !== null) clearTimeout(this.#retry)
  }

  #send(requests: readonly HeldRequest[]): void {
    const pipeline = this.#options.redis.pipeline()
    const sent: Sent[] = []
    for (const request of requests) {
      // All pieces in one pipeline: if this process dies, the log ends with a whole step, and the resumed run continues
      // in the order of an undisturbed one.
      do sent.push(append(pipeline, request))
      while (request.sent < request.entries.length)
    }
    this.#inFlight++
    void this.#settle(pipeline.exec(), sent)
  }

  async #settle(results: ReturnType<Pipeline['exec']>, sent: readonly Sent[]): Promise<void> {
    const replies = await results.catch(() => null)
    this.#inFlight--
    let failed = false
    for (const [index, { request, epoch }] of sent.entries()) {
      // The request was released, or claimed again by this worker, since: the reply is about an older epoch.
      if (this.#options.held.get(request.id) !== request || request.epoch !== epoch) continue
      const [error, reply] = replies?.[index] ?? [new Error('no reply'), null]
      if (error === null) this.#onReply(request, reply)
      else {
        failed = true
        request.rewind(request.written)
      }
    }
    if (failed) this.#retrySoon()
    else this.flush()
  }

  #onReply(request: HeldRequest, raw: unknown): void {
    const reply = parseAppendReply(raw)
    switch (reply[0]) {
      case 'ok':
        request.written = Math.max(request.written, reply[1])
        if (request.isDone) this.#options.onDone(request)
        break
      case 'gap':
        request.written = reply[1] - 1
        request.rewind(request.written)
        break
      case 'fenced':
        this.#options.onLost(request, 'fenced')
        break
      default:
        this.#options.onLost(request, 'ended')
    }
  }

  #retrySoon(): void {
    if (this.#isClosed) return
    this.#retry ??= setTimeout(() => {
      this.#retry = null
      this.flush()
    }, RETRY_MS)
  }
}

/** Appends the next piece of the log; an empty piece only returns how much is written. */
function append(pipeline: Pipeline, request: HeldRequest): Sent {
  const { bullWorker, id, epoch, entries, end } = request
  const from = request.sent
  const to = pieceEnd(entries, from)
  const isEnd = end !== null && to === entries.length
  pipeline.streamAppend(
    bullWorker.keys.request(id),
    bullWorker.keys.log(id),
    epoch,
    REQUEST_TTL_MS,
    isEnd ? end : '',
    from + 1,
    ...entries.slice(from, to)
  )
  request.sent = to
  return { request, epoch }
}

function pieceEnd(entries: readonly string[], from: number): number {
  let chars = 0
  let to = from
  while (to < entries.length && to - from < EVENTS_PER_APPEND && chars < CHARS_PER_APPEND) chars += entries[to++]?.length ?? 0
  return to
}

/** A pipeline contains keys of one shard only, hence of one node of a cluster. */
function groupByShard(requests: readonly HeldRequest[]): readonly (readonly HeldRequest[])[] {
  return [...Map.groupBy(requests, ({ bullWorker }) => bullWorker).values()]
}

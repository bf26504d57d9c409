import type { StepEvents } from '../../../inference/contract/engine.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { LIFE_MS } from '../connection/lifetimes.ts'
import { parseAppendReply } from '../scripts/worker-scripts.ts'
import type { HeldRequest, HeldRequests } from './held-requests.ts'

/** More are not sent ahead of Redis's answers: what comes meanwhile goes with the next, in fewer and larger appends. */
const PIPELINES_IN_FLIGHT = 4
/** Of one request in one append: keeps each script short. One event may be longer. */
const EVENTS_PER_APPEND = 500
const CHARS_PER_APPEND = 1_048_576
const RETRY_MS = 250

export interface LogAppenderOptions {
  readonly redis: ScriptedRedis
  readonly held: HeldRequests
  /** All of it is written, its end too. */
  readonly onDone: (request: HeldRequest) => void
  /** It is not ours (any more). `ended`: it ended from outside, or is gone; `fenced`: it has another owner. */
  readonly onLost: (request: HeldRequest, why: 'ended' | 'fenced') => void
}

type Pipeline = ReturnType<ScriptedRedis['pipeline']>

interface Sent {
  readonly request: HeldRequest
  readonly epoch: number
}

/**
 * From the engine to the logs: one pipeline per step and shard, which nobody waits for. While Redis is away events
 * gather here (at most the rest of what the running requests may say) and the engine goes on; what Redis turns out to
 * have lost is written again.
 */
export class LogAppender {
  readonly #options: LogAppenderOptions
  #inFlight = 0
  #retry: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: LogAppenderOptions) {
    this.#options = options
  }

  /** Events of requests that are not held (any more) are dropped. */
  add(events: StepEvents): void {
    for (const { requestId, event } of events) this.#options.held.get(requestId)?.add(event)
    this.flush()
  }

  /** Sends what has not been sent. */
  flush(): void {
    if (this.#isClosed) return
    const unsent = this.#options.held.all.filter(({ sent, entries }) => sent < entries.length)
    for (const requests of groupByShard(unsent)) {
      if (this.#inFlight >= PIPELINES_IN_FLIGHT) return
      this.#send(requests)
    }
  }

  /** Asks Redis whether it still has what it said was written, and whether we still own what we run. */
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
      // All of it: a log that is cut off where we die ends with a whole step, and so goes on in the order of an
      // undisturbed one.
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
      // Claimed again by ourselves, or let go, since: the answer is to an older question.
      if (this.#options.held.get(request.id) !== request || request.epoch !== epoch) continue
      const [error, reply] = replies?.[index] ?? [new Error('no answer'), null]
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

/** The next piece of its log; an empty one asks how much is written. */
function append(pipeline: Pipeline, request: HeldRequest): Sent {
  const { bullWorker, id, epoch, entries, end } = request
  const from = request.sent
  const to = pieceEnd(entries, from)
  const isEnd = end !== null && to === entries.length
  pipeline.streamAppend(
    bullWorker.keys.request(id),
    bullWorker.keys.log(id),
    epoch,
    LIFE_MS,
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

/** A pipeline stays within one shard, and so within one node of a cluster. */
function groupByShard(requests: readonly HeldRequest[]): readonly (readonly HeldRequest[])[] {
  return [...Map.groupBy(requests, ({ bullWorker }) => bullWorker).values()]
}

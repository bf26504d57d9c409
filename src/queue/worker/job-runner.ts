import type { Engine, EngineListener, StepEvents } from '../../inference/contract/engine.ts'
import { isTerminal, type LoggedEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { EngineStatistics } from '../../inference/contract/statistics.ts'

/** What a worker proves that it lives and works with. */
export interface Progress {
  /** Native runs completed since the start. */
  readonly stepsDone: number
  /** Unix milliseconds at which the current one began; null between runs. */
  readonly stepStartedAtMs: number | null
  /** Requests that have not ended. While there are some, steps must advance. */
  readonly activeRequests: number
  readonly statistics: EngineStatistics
}

/** The worker's way to the queue. Calls arrive in order; none of them throws or waits. */
export interface Uplink {
  events(events: StepEvents): void
  /** As the engine tells it. */
  running(requestIds: readonly string[]): void
  /** As the engine tells it. */
  advanced(requestIds: readonly string[]): void
  /** As the engine tells it. */
  adopted?(requestIds: readonly string[]): void
  heartbeat(progress: Progress): void
}

/**
 * Worker side of the queue: hands requests to the engine and the engine's events back, one message per step as a rule.
 */
export class JobRunner {
  readonly #uplink: Uplink
  readonly #heartbeatMs: number
  readonly #active = new Set<string>()
  #engine: Engine | null = null
  #heart: NodeJS.Timeout | null = null
  #becameIdle: () => void = () => {}

  constructor(uplink: Uplink, heartbeatMs: number) {
    this.#uplink = uplink
    this.#heartbeatMs = heartbeatMs
  }

  /** From here on requests may come. */
  serve(engine: Engine): void {
    this.#engine = engine
    this.#beat()
    this.#heart = setInterval(() => this.#beat(), this.#heartbeatMs)
  }

  /** As the engine's; nothing where its cache dies with it. */
  useCacheFile(descriptor: number): void {
    this.#engine?.useCacheFile?.(descriptor)
  }

  /** As the engine's; nothing where its cache dies with it. */
  attachOrphanedCache(descriptor: number): void {
    this.#engine?.attachOrphanedCache?.(descriptor)
  }

  start(request: GenerationRequest, history: readonly LoggedEvent[]): void {
    invariant(this.#engine !== null, 'a request came before the model was loaded')
    this.#active.add(request.id)
    this.#engine.submit(request, history)
  }

  cancel(requestId: string): void {
    if (this.#active.delete(requestId)) this.#engine?.cancel(requestId)
    this.#checkIdle()
  }

  /** To be given to the engine. */
  readonly listener: EngineListener = {
    events: events => this.#onEvents(events),
    running: requestIds => this.#uplink.running(requestIds),
    advanced: requestIds => this.#uplink.advanced(requestIds),
    adopted: requestIds => this.#uplink.adopted?.(requestIds)
  }

  /** Lets all requests end, then closes the engine. The queue must have stopped giving out requests. */
  async drain(): Promise<void> {
    if (this.#active.size > 0) {
      await new Promise<void>(resolve => {
        this.#becameIdle = resolve
      })
    }
    await this.#engine?.close()
    if (this.#heart !== null) clearInterval(this.#heart)
  }

  #onEvents(events: StepEvents): void {
    for (const message of inMessages(events)) this.#uplink.events(message)
    for (const { requestId, event } of events) {
      if (isTerminal(event)) this.#active.delete(requestId)
    }
    this.#checkIdle()
  }

  #checkIdle(): void {
    if (this.#active.size === 0) this.#becameIdle()
  }

  #beat(): void {
    invariant(this.#engine !== null, 'a heart beats without an engine')
    const { stepsDone, stepStartedAtMs, statistics } = this.#engine
    this.#uplink.heartbeat({ stepsDone, stepStartedAtMs, activeRequests: this.#active.size, statistics })
  }
}

/**
 * The scores of a piece of a prompt are a message of their own: whoever gets messages parses each in one turn of its
 * event loop. All else that a step said stays together, so that a log is cut between steps where a worker dies.
 */
function* inMessages(events: StepEvents): Generator<StepEvents, void> {
  let from = 0
  for (const [index, { event }] of events.entries()) {
    if (event.kind !== 'prompt' || event.scores === null) continue
    if (index > from) yield events.slice(from, index)
    yield events.slice(index, index + 1)
    from = index + 1
  }
  if (from < events.length) yield events.slice(from)
}

import type { Engine, EngineListener, EngineSignal, StepEvents } from '../../inference/contract/engine.ts'
import { isTerminal, type LoggedEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'

/**
 * The worker's side of a queue: passes requests to the engine and the engine's signals to the queue, with heartbeats.
 */
export class JobRunner implements EngineListener {
  readonly #uplink: EngineListener
  readonly #heartbeatMs: number
  readonly #active = new Set<string>()
  #engine: Engine | null = null
  #heart: NodeJS.Timeout | null = null
  #becameIdle: () => void = () => {}

  /** @param uplink  the next hop towards the queue */
  constructor(uplink: EngineListener, heartbeatMs: number) {
    this.#uplink = uplink
    this.#heartbeatMs = heartbeatMs
  }

  /** Starts to accept requests and to send heartbeats. */
  serve(engine: Engine): void {
    this.#engine = engine
    this.#beat()
    this.#heart = setInterval(() => this.#beat(), this.#heartbeatMs)
  }

  /** See `Engine.useCacheFile`. A no-op for an engine whose cache ends with its process. */
  useCacheFile(descriptor: number): void {
    this.#engine?.useCacheFile?.(descriptor)
  }

  /** See `Engine.attachOrphanedCache`. A no-op for an engine whose cache ends with its process. */
  attachOrphanedCache(descriptor: number): void {
    this.#engine?.attachOrphanedCache?.(descriptor)
  }

  start(request: GenerationRequest, history: readonly LoggedEvent[]): void {
    invariant(this.#engine !== null, 'a request was started before the model was loaded')
    this.#active.add(request.id)
    this.#engine.submit(request, history)
  }

  cancel(requestId: string): void {
    if (this.#active.delete(requestId)) this.#engine?.cancel(requestId)
    this.#checkIdle()
  }

  /** The listener of the engine: as a rule one message per step. */
  emit(signal: EngineSignal): void {
    if (signal.kind === 'events') this.#emitEvents(signal.events)
    else this.#uplink.emit(signal)
  }

  /**
   * Waits until all requests have ended, and sends no more heartbeats. The queue must have stopped to dispatch
   * requests. The engine stays open, because closing it would wait for a native run.
   */
  async drain(): Promise<void> {
    if (this.#active.size > 0) {
      await new Promise<void>(resolve => {
        this.#becameIdle = resolve
      })
    }
    if (this.#heart !== null) clearInterval(this.#heart)
  }

  #emitEvents(events: StepEvents): void {
    for (const message of inMessages(events)) this.#uplink.emit({ kind: 'events', events: message })
    for (const { requestId, event } of events) {
      if (isTerminal(event)) this.#active.delete(requestId)
    }
    this.#checkIdle()
  }

  #checkIdle(): void {
    if (this.#active.size === 0) this.#becameIdle()
  }

  #beat(): void {
    invariant(this.#engine !== null, 'a heartbeat is due without an engine')
    const { stepsDone, stepStartedAtMs, statistics } = this.#engine
    this.#uplink.emit({ kind: 'heartbeat', progress: { stepsDone, stepStartedAtMs, activeRequests: this.#active.size, statistics } })
  }
}

/**
 * Each scored piece of a prompt is a message of its own, because the receiver parses a message in one turn of its event
 * loop. All other events of a step stay together, so that a worker's death cuts a log between steps.
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

import type { Engine, EngineDescription, EngineSignal } from '../../inference/contract/engine.ts'
import { ServiceError } from '../../inference/contract/errors.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { JobRunner } from '../../queue/worker/job-runner.ts'
import type { RedisWorkerLink } from './redis-worker-link.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'
import type { EngineHost } from './worker-engine.ts'
import { type ParentMessage, parseParentMessage, type WorkerMessage } from './worker-protocol.ts'

export type BuildEngine = (host: EngineHost) => Promise<Engine>

/** Whether the parent needs the signal of a worker whose queue is in Redis: it supervises and does not keep logs. */
const IS_FOR_SUPERVISOR: Readonly<Record<EngineSignal['kind'], boolean>> = {
  events: false,
  running: false,
  advanced: false,
  adopted: true,
  heartbeat: true
}

/** Handing back takes milliseconds, unless Redis is unreachable: then the locks expire instead. */
const HAND_BACK_MS = 3000

/**
 * The life of a worker process: load the model, serve, drain when the parent requests it or has died. The worker gets
 * its requests from the parent or from a queue in Redis. Signals that reach the whole process group are handled by the
 * parent; without one, they end the drain.
 *
 * The process always ends by SIGKILL. An orderly exit would wait for native calls in flight (a model that is being
 * loaded, a run), and then for the exit handlers of the libraries.
 */
export async function hostWorker(heartbeatMs: number, buildEngine: BuildEngine): Promise<void> {
  await new WorkerHost(heartbeatMs).run(buildEngine)
}

class WorkerHost {
  readonly #runner: JobRunner
  #description: EngineDescription | null = null
  /** Set once the worker uses a queue in Redis. */
  #redisLink: RedisWorkerLink | null = null
  #redisJoin: Promise<void> = Promise.resolve()
  #isLeaving = false
  /** Aborts when requests from Redis that have not ended are handed back. */
  readonly #handBack = new AbortController()

  constructor(heartbeatMs: number) {
    this.#runner = new JobRunner({ emit: signal => this.#emit(signal) }, heartbeatMs)
  }

  async run(buildEngine: BuildEngine): Promise<void> {
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => this.#onTermination())
    process.on('disconnect', () => this.#onDisconnect())
    process.on('uncaughtException', error => void crash(error))
    process.on('message', raw => this.#dispatch(parseParentMessage(raw)))
    try {
      const engine = await buildEngine({ emit: signal => this.#runner.emit(signal), onCrash: error => void crash(error) })
      this.#description = engine.description
      post({ kind: 'ready', description: engine.description })
      this.#runner.serve(engine)
    } catch (error) {
      await failToStart(error)
    }
  }

  #emit(signal: EngineSignal): void {
    this.#redisLink?.emit(signal)
    if (this.#redisLink === null || IS_FOR_SUPERVISOR[signal.kind]) post({ kind: 'signal', signal })
  }

  #dispatch(message: ParentMessage): void {
    switch (message.kind) {
      case 'start':
        this.#runner.start(message.request, message.history)
        break
      case 'useCacheFile':
        this.#runner.useCacheFile(message.descriptor)
        break
      case 'attachOrphanedCache':
        this.#runner.attachOrphanedCache(message.descriptor)
        break
      case 'cancel':
        this.#runner.cancel(message.requestId)
        break
      case 'joinRedis':
        this.#redisJoin = this.#joinRedis(message.settings).catch(failToStart)
        break
      case 'drain':
        void this.#leave(message.withinMs)
        break
      default:
        message satisfies never
    }
  }

  async #joinRedis(settings: RedisWorkerSettings): Promise<void> {
    invariant(this.#description !== null, 'a worker joined Redis before its model was loaded')
    // A worker of the embedded queue does not load the Redis client.
    const { RedisWorkerLink } = await import('./redis-worker-link.ts')
    this.#redisLink = new RedisWorkerLink(settings)
    await this.#redisLink.open(this.#runner, this.#description)
  }

  /**
   * Requests of a queue in Redis can still be finished without the parent, but no other process ends one that hangs.
   */
  #onDisconnect(): void {
    if (this.#redisLink === null) {
      endAtOnce()
      return
    }
    this.#handBack.signal.addEventListener('abort', () => setTimeout(endAtOnce, HAND_BACK_MS))
    if (this.#handBack.signal.aborted) setTimeout(endAtOnce, HAND_BACK_MS)
    void this.#leave(this.#redisLink.drainMs)
  }

  #onTermination(): void {
    if (!process.connected) this.#handBack.abort()
  }

  async #leave(withinMs: number): Promise<void> {
    if (this.#isLeaving) return
    this.#isLeaving = true
    setTimeout(() => this.#handBack.abort(), withinMs)
    await this.#redisJoin
    await this.#redisLink?.leave(this.#handBack.signal)
    await this.#runner.drain()
    await send({ kind: 'drained' })
    endAtOnce()
  }
}

async function failToStart(error: unknown): Promise<void> {
  if (!(error instanceof ServiceError)) console.error(error)
  await send({ kind: 'fatal', message: firstLine(error) })
  endAtOnce()
}

/** A bug: the parent does not trust this process's cache, and starts another worker. */
async function crash(error: unknown): Promise<void> {
  console.error(error instanceof ServiceError ? error.message : error)
  await send({ kind: 'crashed', message: firstLine(error) })
  endAtOnce()
}

function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}

function post(message: WorkerMessage): void {
  void send(message)
}

/** Resolves when this message, and so all before it, has been written to the channel, or can no longer be. */
function send(message: WorkerMessage): Promise<void> {
  return new Promise(resolve => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve())
    else resolve()
  })
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? message
}

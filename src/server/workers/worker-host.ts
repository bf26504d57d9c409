import type { Engine, EngineDescription, EngineListener } from '../../inference/contract/engine.ts'
import { ServiceError } from '../../inference/contract/errors.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { JobRunner, type Uplink } from '../../queue/worker/job-runner.ts'
import type { RedisWorkerLink } from './redis-worker-link.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'
import { type ParentMessage, parseParentMessage, type WorkerMessage } from './worker-protocol.ts'

export type BuildEngine = (listener: EngineListener) => Promise<Engine>

/**
 * The life of a worker process: load, serve, drain on its parent's word. It is given requests by its parent, or told
 * where in Redis it finds them. Signals that reach the whole group are the parent's affair.
 */
export async function hostWorker(heartbeatMs: number, buildEngine: BuildEngine): Promise<void> {
  await new WorkerHost(heartbeatMs).live(buildEngine)
}

class WorkerHost {
  readonly #runner: JobRunner
  #description: EngineDescription | null = null
  /** Set once it works for a queue in Redis. */
  #redisLink: RedisWorkerLink | null = null
  #redisJoin: Promise<void> = Promise.resolve()
  #isLeaving = false

  constructor(heartbeatMs: number) {
    const uplink: Uplink = {
      events: events => (this.#redisLink === null ? post({ kind: 'events', events }) : this.#redisLink.events(events)),
      running: requestIds => (this.#redisLink === null ? post({ kind: 'running', requestIds }) : this.#redisLink.running(requestIds)),
      advanced: requestIds => (this.#redisLink === null ? post({ kind: 'advanced', requestIds }) : this.#redisLink.advanced(requestIds)),
      adopted: requestIds => post({ kind: 'adopted', requestIds }),
      heartbeat: progress => {
        this.#redisLink?.heartbeat(progress)
        post({ kind: 'heartbeat', progress })
      }
    }
    this.#runner = new JobRunner(uplink, heartbeatMs)
  }

  async live(buildEngine: BuildEngine): Promise<void> {
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => {})
    process.on('disconnect', () => this.#loseParent())
    process.on('message', raw => this.#dispatch(parseParentMessage(raw)))
    try {
      const engine = await buildEngine(this.#runner.listener)
      this.#description = engine.description
      post({ kind: 'ready', description: engine.description })
      this.#runner.serve(engine)
    } catch (error) {
      await dieOf(error)
    }
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
        this.#redisJoin = this.#joinRedis(message.settings).catch(dieOf)
        break
      case 'drain':
        void this.#leave(message.withinMs)
        break
      default:
        message satisfies never
    }
  }

  async #joinRedis(settings: RedisWorkerSettings): Promise<void> {
    invariant(this.#description !== null, 'a seat was given before the model was loaded')
    // Who is given requests by its parent needs none of this.
    const { RedisWorkerLink } = await import('./redis-worker-link.ts')
    this.#redisLink = new RedisWorkerLink(settings)
    await this.#redisLink.open(this.#runner, this.#description)
  }

  /** At a queue of others, what runs can still be finished. */
  #loseParent(): void {
    if (this.#redisLink !== null) void this.#leave(this.#redisLink.drainMs)
    else endAtOnce()
  }

  async #leave(withinMs: number): Promise<void> {
    if (this.#isLeaving) return
    this.#isLeaving = true
    await this.#redisJoin
    await this.#redisLink?.leave(withinMs)
    await this.#runner.drain()
    await send({ kind: 'drained' })
    process.exit(0)
  }
}

async function dieOf(error: unknown): Promise<void> {
  if (!(error instanceof ServiceError)) console.error(error)
  await send({ kind: 'fatal', message: firstLine(error) })
  endAtOnce()
}

/**
 * An orderly exit would wait for native calls in flight (a model that still loads, a run), and then for what the
 * libraries do at their end.
 */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}

function post(message: WorkerMessage): void {
  void send(message)
}

/** Resolves when this message, and so all before it, has left the process, or cannot any more. */
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

import type { EngineDescription, EngineListener, EngineProgress, EngineSignal, StepEvents } from '../../../inference/contract/engine.ts'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { JobRunner } from '../../worker/job-runner.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { claimModel } from '../connection/model-guard.ts'
import { handBack } from '../requests/claim.ts'
import { ExpiryJudge } from '../requests/request-expiry.ts'
import { BullWorker } from './bull-worker.ts'
import { Claims } from './claims.ts'
import { type HeldRequest, HeldRequests } from './held-requests.ts'
import { LogAppender } from './log-appender.ts'
import { RunMarks } from './run-marks.ts'
import { Watchdog } from './watchdog.ts'
import { WorkerHeartbeat } from './worker-heartbeat.ts'

/** New work is announced by Pub/Sub; this finds work whose message was lost. */
const POLL_MS = 250
/** The hand-back at the end takes milliseconds, unless Redis is away: then the locks expire. */
const EXIT_GRACE_MS = 2000

export interface RedisWorkerOptions {
  /** For commands, in retry mode `waiting`. The caller closes both connections. */
  readonly redis: ScriptedRedis
  /** For Pub/Sub. */
  readonly subscriber: ScriptedRedis
  readonly shards: readonly RedisKeys[]
  /** Unique to each process. */
  readonly workerId: string
  /** A run of the engine that takes longer is hung. */
  readonly stepTimeoutMs: number
  /** An error of Redis or BullMQ; the worker continues. */
  readonly onTrouble: (error: unknown) => void
  /** A native run is hung, or requests cannot be claimed any more: the process must be killed. */
  readonly endProcess: (reason: string) => void
}

/**
 * A worker of the queue in Redis: claims requests that fit its rows, passes them to the runner, and appends the
 * engine's events to their logs.
 */
export class RedisWorker implements EngineListener {
  readonly #options: RedisWorkerOptions
  readonly #bullWorkers: readonly BullWorker[]
  readonly #expiry = new ExpiryJudge()
  #parts: Parts | null = null
  #progress: EngineProgress | null = null
  #becameIdle: () => void = () => {}

  constructor(options: RedisWorkerOptions) {
    this.#options = options
    const { redis, shards, workerId } = options
    this.#bullWorkers = shards.map(keys => new BullWorker({ redis, keys, workerId, onError: options.onTrouble }))
  }

  /**
   * Claims requests from now on.
   *
   * @throws {ServiceError} when another model is served under this prefix
   */
  async open(runner: Pick<JobRunner, 'start' | 'cancel'>, description: EngineDescription): Promise<void> {
    const { redis, shards, subscriber } = this.#options
    await claimModel(redis, shards, description.modelHash)
    this.#parts = this.#build(runner, description)
    redis.on('ready', this.#onReady)
    subscriber.on('message', this.#onMessage)
    await subscriber.subscribe(...shards.flatMap(({ workChannel, endChannel }) => [workChannel, endChannel]))
    for (const bullWorker of this.#bullWorkers) await bullWorker.watch()
    await this.#parts.heartbeat.start()
    this.#parts.claims.wake()
  }

  emit(signal: EngineSignal): void {
    switch (signal.kind) {
      case 'events':
        this.#append(signal.events)
        break
      case 'running':
        this.#parts?.marks.running(signal.requestIds)
        break
      case 'advanced':
        this.#parts?.marks.advanced(signal.requestIds)
        break
      case 'heartbeat':
        this.#progress = signal.progress
        break
      case 'adopted':
        break
      default:
        signal satisfies never
    }
  }

  /** Claims nothing more, lets requests run until `signal` aborts, and then hands the rest back with their logs. */
  async drain(signal: AbortSignal): Promise<void> {
    const { redis, subscriber } = this.#options
    const parts = this.#parts
    if (parts !== null) {
      clearInterval(parts.poll)
      void parts.claims.stop()
      const isIdle = new Promise<void>(resolve => {
        this.#becameIdle = resolve
      })
      if (parts.held.all.length > 0) await Promise.race([isIdle, aborted(signal)])
      subscriber.off('message', this.#onMessage)
      redis.off('ready', this.#onReady)
      await Promise.race([this.#giveBackAll(parts), new Promise(resolve => setTimeout(resolve, EXIT_GRACE_MS).unref())])
      parts.appender.close()
    }
    for (const bullWorker of this.#bullWorkers) await bullWorker.close()
  }

  #append(events: StepEvents): void {
    this.#parts?.appender.add(events)
    // A row may have become free.
    if (events.some(({ event }) => event.kind === 'finished' || event.kind === 'failed')) this.#parts?.claims.wake()
  }

  #build(runner: Pick<JobRunner, 'start' | 'cancel'>, description: EngineDescription): Parts {
    const { redis, workerId, shards, stepTimeoutMs, endProcess } = this.#options
    const held = new HeldRequests(description.slots)
    const appender = new LogAppender({
      redis,
      held,
      onDone: request => this.#forget(request, () => request.bullWorker.complete(request.job)),
      onLost: (request, why) => this.#lose(request, why)
    })
    const marks = new RunMarks(redis, held)
    const start = (request: GenerationRequest, taken: HeldRequest): void =>
      runner.start(
        request,
        taken.entries.map(entry => JSON.parse(entry))
      )
    const watchdog = new Watchdog({
      isConnected: () => redis.status === 'ready',
      stuckSinceMs: () => this.#parts?.claims.stuckSinceMs ?? null,
      rebuild: () => void this.#rebuild(start),
      giveUp: () => endProcess('waiting requests cannot be claimed')
    })
    return {
      runner,
      held,
      appender,
      marks,
      claims: this.#newClaims(held, start),
      heartbeat: new WorkerHeartbeat({
        redis,
        workerId,
        shards,
        bullWorkers: this.#bullWorkers,
        held,
        expiry: this.#expiry,
        modelHash: description.modelHash,
        slots: description.slots,
        stepTimeoutMs,
        stepStartedAtMs: () => this.#progress?.stepStartedAtMs ?? null,
        statistics: () => this.#progress?.statistics ?? null,
        onHang: () => endProcess('a run of the engine is hung'),
        onEnded: request => this.#lose(request, 'ended'),
        onDoubt: requests => appender.probe(requests),
        onTick: () => watchdog.check(performance.now()),
        onError: this.#options.onTrouble
      }),
      poll: setInterval(() => this.#parts?.claims.wake(), POLL_MS)
    }
  }

  #newClaims(held: HeldRequests, start: (request: GenerationRequest, taken: HeldRequest) => void): Claims {
    const { redis, workerId } = this.#options
    return new Claims({
      redis,
      workerId,
      bullWorkers: this.#bullWorkers,
      held,
      expiry: this.#expiry,
      onClaimed: start,
      onReclaimed: (request, epoch, log) => this.#reclaim(request, epoch, log),
      onError: this.#options.onTrouble
    })
  }

  /** Replaces BullMQ's workers and the claims that wait for the old ones. */
  async #rebuild(start: (request: GenerationRequest, taken: HeldRequest) => void): Promise<void> {
    const parts = this.#parts
    if (parts === null) return
    this.#options.onTrouble(new Error('waiting requests are not claimed: reopening the queue'))
    void parts.claims.stop()
    parts.claims = this.#newClaims(parts.held, start)
    for (const bullWorker of this.#bullWorkers) await bullWorker.rebuild().catch(this.#options.onTrouble)
    parts.claims.wake()
  }

  #reclaim(request: HeldRequest, epoch: number, log: readonly string[]): boolean {
    if (request.reclaim(epoch, log)) {
      this.#parts?.marks.renew(request)
      this.#parts?.appender.probe([request])
      return true
    }
    this.#parts?.held.remove(request)
    this.#parts?.runner.cancel(request.id)
    return false
  }

  #lose(request: HeldRequest, why: 'ended' | 'fenced'): void {
    this.#parts?.runner.cancel(request.id)
    this.#forget(request, () => (why === 'ended' ? request.bullWorker.complete(request.job) : request.bullWorker.giveBack(request.id)))
  }

  #forget(request: HeldRequest, releaseJob: () => Promise<void>): void {
    const { redis, workerId } = this.#options
    if (this.#parts?.held.remove(request) !== true) return
    void releaseJob()
    redis.srem(request.bullWorker.keys.worker(workerId), request.id).catch(this.#options.onTrouble)
    this.#parts.claims.wake()
    if (this.#parts.held.all.length === 0) this.#becameIdle()
  }

  async #giveBackAll({ runner, held, appender, claims, heartbeat }: Parts): Promise<void> {
    const { redis, workerId } = this.#options
    await Promise.all([claims.stop(), heartbeat.stop()])
    for (const { id } of held.all) runner.cancel(id)
    appender.flush()
    for (const { id, bullWorker } of held.all) {
      await handBack(redis, bullWorker.keys, id, workerId, false)
      await bullWorker.giveBack(id)
    }
    for (const { keys } of this.#bullWorkers) {
      await redis.del(keys.worker(workerId))
      await redis.hdel(keys.workers, workerId)
      await redis.publish(keys.workChannel, '')
    }
  }

  /** Reconnected: Redis may have lost entries, and this worker may have missed messages. */
  readonly #onReady = (): void => {
    this.#expiry.extendAfterOutage(Date.now())
    this.#parts?.appender.probe(this.#parts.held.all)
    this.#parts?.heartbeat.tick()
    this.#parts?.claims.wake()
  }

  readonly #onMessage = (channel: string, requestId: string): void => {
    if (this.#options.shards.some(({ workChannel }) => workChannel === channel)) {
      this.#parts?.claims.wake()
      return
    }
    const request = this.#parts?.held.get(requestId)
    if (request !== undefined) this.#lose(request, 'ended')
  }
}

interface Parts {
  readonly runner: Pick<JobRunner, 'start' | 'cancel'>
  readonly held: HeldRequests
  readonly appender: LogAppender
  readonly marks: RunMarks
  claims: Claims
  readonly heartbeat: WorkerHeartbeat
  readonly poll: NodeJS.Timeout
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

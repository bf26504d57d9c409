import type { EngineDescription, EngineListener, EngineProgress, EngineSignal, StepEvents } from '../../../inference/contract/engine.ts'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { JobRunner } from '../../worker/job-runner.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { claimModel } from '../connection/model-guard.ts'
import { ExpiryJudge } from '../requests/request-expiry.ts'
import { handBack } from '../scripts/worker-scripts.ts'
import { BullWorker } from './bull-worker.ts'
import { Claims } from './claims.ts'
import { type HeldRequest, HeldRequests } from './held-requests.ts'
import { LogAppender } from './log-appender.ts'
import { RunMarks } from './run-marks.ts'
import { Watchdog } from './watchdog.ts'
import { WorkerHeartbeat } from './worker-heartbeat.ts'

/** Work is announced; should the word be lost, it is found. */
const POLL_MS = 250
/** Giving back what is left takes milliseconds, unless Redis is away: then locks run out. */
const EXIT_GRACE_MS = 2000

export interface RedisWorkerOptions {
  /** For commands: keeps trying (`maxRetriesPerRequest: null`). Whoever made the connections closes them. */
  readonly redis: ScriptedRedis
  /** For Pub/Sub. */
  readonly subscriber: ScriptedRedis
  readonly shards: readonly RedisKeys[]
  /** Of its own for each process. */
  readonly workerId: string
  /** A run that takes longer hangs. */
  readonly stepTimeoutMs: number
  /** Redis is away, or does not do as it is told; the worker goes on. */
  readonly onTrouble: (error: unknown) => void
  /** A native run hangs, or the queue cannot be read any more: this process must end, without ceremony. */
  readonly endProcess: (reason: string) => void
}

/**
 * A worker's seat at the queue in Redis: claims what fits its rows, hands it to the runner, writes what the engine
 * says.
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
   * Claims from now on.
   *
   * @throws {ServiceError} another model is served here
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

  /** Claims nothing more, lets run what ends before `signal` aborts, and gives the rest back with its log. */
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
      giveUp: () => endProcess('work waits and cannot be claimed')
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
        onHang: () => endProcess('a run of the engine does not end'),
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

  /** BullMQ's workers anew, and what waits for the old ones is left behind. */
  async #rebuild(start: (request: GenerationRequest, taken: HeldRequest) => void): Promise<void> {
    const parts = this.#parts
    if (parts === null) return
    this.#options.onTrouble(new Error('work waits and is not claimed: its queue is opened anew'))
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

  /** Redis is back: what has it lost, and what did we miss? */
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

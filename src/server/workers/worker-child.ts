import { type ChildProcess, fork } from 'node:child_process'
import { ftruncateSync } from 'node:fs'
import type { EngineDescription, EngineSignal } from '../../inference/contract/engine.ts'
import { type EngineStatistics, ZERO_COUNTERS, ZERO_GAUGES } from '../../inference/contract/statistics.ts'
import type { WorkerHandle, WorkerLink, WorkerPool } from '../../queue/worker-pool.ts'
import { modelProcessEnvironment, readEnvironment } from '../config/environment.ts'
import type { Logger } from '../logger.ts'
import { ProgressWatch } from './progress-watch.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'
import { FIRST_CACHE_DESCRIPTOR, type ParentMessage, parseWorkerMessage, type WorkerMessage } from './worker-protocol.ts'

/** `spare`: the model is loaded, and the worker waits for a worker index. `ready`: it has joined the queue. */
export type WorkerState = 'loading' | 'spare' | 'ready' | 'draining' | 'dead'

/** A worker process with a loaded model, as it joins a queue. */
export interface ChildLink extends WorkerLink {
  /** From now on the worker claims its requests from Redis. */
  joinRedis(settings: RedisWorkerSettings): void
}

/** The queue that the worker processes of a supervisor join. */
export type ChildPool = WorkerPool<ChildLink>

export interface WorkerChildOptions {
  /** A module that calls `hostWorker`. */
  readonly entry: URL
  /** Its only argument. */
  readonly argument: string
  readonly pool: ChildPool
  readonly log: Logger
  /**
   * Descriptors by worker index: each file contains a worker's cache, which so outlives the process. Fewer than workers
   * where caches end with their processes.
   */
  readonly cacheFiles: readonly number[]
  /** A worker that takes longer than this to load is killed. */
  readonly loadTimeoutMs: number
  /** A worker is killed when it has work and completes no step for this long, or sends no heartbeat for this long. */
  readonly stepTimeoutMs: number
}

export interface WorkerDeath {
  /** How long the worker had been ready; null when it never was. */
  readonly readyMs: number | null
  /** Why it could not start, if a retry would not help. */
  readonly fatal: string | null
  /** One line for the log: `signal SIGKILL`, `exit code 1`. */
  readonly cause: string
}

const KILLED = 'signal SIGKILL'
/** Time to exit for a worker that has announced its end: native code can hang in an exit. */
const EXIT_MS = 1000

/** One worker process, from its start to its end. */
export class WorkerChild {
  /** Resolves when the process has ended and all its messages have been read: its worker index is free then. */
  readonly death: Promise<WorkerDeath>
  /** Resolves when the model is loaded: the worker is a spare then. Stays pending for a worker that dies before. */
  readonly ready: Promise<EngineDescription>
  readonly #options: WorkerChildOptions
  readonly #onDeath: (orphaned: number | null) => void
  readonly #process: ChildProcess
  readonly #progress = new ProgressWatch(() => performance.now())
  readonly #becameReady = Promise.withResolvers<EngineDescription>()
  #state: WorkerState = 'loading'
  #handle: WorkerHandle | null = null
  #workerIndex: number | null = null
  #isDismissed = false
  #slots = 0
  #readyAtMs: number | null = null
  #fatal: string | null = null
  #crash: string | null = null
  /** Kills the process if it does not exit. Set once the worker has announced its end. */
  #exitTimer: NodeJS.Timeout | null = null
  #statistics: EngineStatistics = { gauges: ZERO_GAUGES, counters: ZERO_COUNTERS }

  /**
   * @param onDeath  called when the worker index is free: first before the worker's requests are dispatched to others,
   *                 so that a spare that is activated in it can get them, and once more after that. `orphaned` is the
   *                 worker index if its cache is sound, and null otherwise
   */
  constructor(options: WorkerChildOptions, onDeath: (orphaned: number | null) => void) {
    this.#options = options
    this.#onDeath = onDeath
    this.#process = fork(options.entry, [options.argument], {
      serialization: 'advanced',
      env: modelProcessEnvironment(readEnvironment()),
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...options.cacheFiles]
    })
    this.#process.on('message', raw => this.#onMessage(raw))
    this.ready = this.#becameReady.promise
    this.death = this.#waitForDeath()
  }

  get pid(): number | null {
    return this.#process.pid ?? null
  }

  get state(): WorkerState {
    return this.#state
  }

  /** null while it has none, and once it is dead. */
  get workerIndex(): number | null {
    return this.#state === 'dead' ? null : this.#workerIndex
  }

  get hasModel(): boolean {
    return this.#readyAtMs !== null && this.#state !== 'dead'
  }

  /** Milliseconds since the last proof of progress. */
  get progressAgeMs(): number {
    return this.#progress.ageMs
  }

  /** As of the last heartbeat. */
  get statistics(): EngineStatistics {
    return this.#statistics
  }

  /** Joins the queue. A no-op unless the worker is a spare. */
  activate(workerIndex: number): void {
    if (this.#state !== 'spare') return
    this.#state = 'ready'
    this.#workerIndex = workerIndex
    if (workerIndex < this.#options.cacheFiles.length)
      this.#send({ kind: 'useCacheFile', descriptor: FIRST_CACHE_DESCRIPTOR + workerIndex })
    this.#handle = this.#options.pool.join({
      slots: this.#slots,
      workerIndex,
      start: (request, history) => this.#send({ kind: 'start', request, history }),
      cancel: requestId => this.#send({ kind: 'cancel', requestId }),
      joinRedis: settings => this.#send({ kind: 'joinRedis', settings })
    })
  }

  /** Makes the cache of a killed worker available to this one, which may get its requests. A no-op unless `ready`. */
  attachOrphanedCache(workerIndex: number): void {
    if (this.#state === 'ready') this.#send({ kind: 'attachOrphanedCache', descriptor: FIRST_CACHE_DESCRIPTOR + workerIndex })
  }

  /** Ends the process as soon as its requests have ended or have been handed back. */
  drain(withinMs: number): void {
    if (this.#state === 'dead') return
    this.#state = 'draining'
    this.#handle?.retire()
    this.#send({ kind: 'drain', withinMs })
  }

  /** Ends the process at once. This death counts against no request. */
  dismiss(): void {
    this.#isDismissed = true
    this.#kill()
  }

  #kill(): void {
    this.#process.kill('SIGKILL')
  }

  async #waitForDeath(): Promise<WorkerDeath> {
    this.#killIfHung()
    const cause = await endOf(this.#process)
    this.#progress.stop()
    if (this.#exitTimer !== null) clearTimeout(this.#exitTimer)
    const orphaned = this.#keepSoundCache(cause)
    this.#state = 'dead'
    this.#handle?.leave(() => this.#onDeath(orphaned), this.#isDismissed)
    this.#onDeath(null)
    const readyMs = this.#readyAtMs === null ? null : performance.now() - this.#readyAtMs
    return { readyMs, fatal: this.#fatal, cause: this.#crash ?? cause }
  }

  /**
   * A worker that was killed from outside leaves a sound cache. One that crashed may have written anywhere, and one
   * that drained leaves nothing of use: their caches are emptied.
   * @returns the worker index, if its cache is sound
   */
  #keepSoundCache(cause: string): number | null {
    const workerIndex = this.#workerIndex
    const file = workerIndex === null ? undefined : this.#options.cacheFiles[workerIndex]
    if (file === undefined) return null
    if (cause === KILLED && this.#exitTimer === null) return workerIndex
    ftruncateSync(file, 0)
    return null
  }

  #onMessage(raw: unknown): void {
    try {
      this.#dispatch(parseWorkerMessage(raw))
    } catch (error) {
      this.#options.log.error({ workerPid: this.pid, err: error }, 'a worker broke the protocol and is killed')
      this.#kill()
    }
  }

  #dispatch(message: WorkerMessage): void {
    switch (message.kind) {
      case 'signal':
        this.#observe(message.signal)
        this.#handle?.emit(message.signal)
        break
      case 'ready':
        this.#onReady(message.description)
        break
      case 'fatal':
        this.#fatal = message.message
        this.#expectExit()
        break
      case 'crashed':
        this.#crash = `crash: ${message.message}`
        this.#expectExit()
        break
      case 'drained':
        this.#expectExit()
        break
      default:
        message satisfies never
    }
  }

  /** The supervisor's view of a signal. */
  #observe(signal: EngineSignal): void {
    if (signal.kind === 'events') this.#progress.prove()
    if (signal.kind === 'heartbeat') {
      this.#progress.onHeartbeat(signal.progress)
      this.#statistics = signal.progress.statistics
    }
    if (signal.kind === 'adopted') {
      const fields = { workerPid: this.pid, requests: signal.requestIds.length }
      this.#options.log.info(fields, 'a worker continues requests from the cache of a dead one')
    }
  }

  #expectExit(): void {
    this.#exitTimer ??= setTimeout(() => {
      this.#options.log.warn({ workerPid: this.pid, state: this.#state }, 'a worker does not exit and is killed')
      this.#kill()
    }, EXIT_MS)
  }

  #onReady(description: EngineDescription): void {
    this.#progress.prove()
    this.#readyAtMs = performance.now()
    this.#slots = description.slots
    if (this.#state !== 'loading') return
    this.#state = 'spare'
    this.#options.log.info({ workerPid: this.pid, slots: description.slots }, 'a worker is ready')
    this.#becameReady.resolve(description)
  }

  /** A message to a process that has ended is lost; `death` handles the rest. */
  #send(message: ParentMessage): void {
    this.#process.send(message, () => {})
  }

  #killIfHung(): void {
    const { stepTimeoutMs, loadTimeoutMs, log } = this.#options
    const limitMs = (): number => (this.#readyAtMs === null ? loadTimeoutMs : stepTimeoutMs)
    this.#progress.start(Math.min(1000, stepTimeoutMs / 4), limitMs, () => {
      log.error({ workerPid: this.pid, state: this.#state, progressAgeMs: Math.round(this.progressAgeMs) }, 'a worker hangs and is killed')
      this.#kill()
    })
  }
}

/** Resolves when the process has ended and its channel has been read to the end, so that no message follows. */
async function endOf(child: ChildProcess): Promise<string> {
  const exited = new Promise<string>(resolve => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
    // A process without a pid never started; other errors (a signal that could not be sent) change nothing.
    child.on('error', error => {
      if (child.pid === undefined) resolve(error.message)
    })
  })
  const disconnected = new Promise<void>(resolve => {
    child.once('disconnect', resolve)
    if (child.pid === undefined) resolve()
  })
  // A worker that has closed its channel can no longer be reached.
  void disconnected.then(() => child.kill('SIGKILL'))
  const [cause] = await Promise.all([exited, disconnected])
  return cause
}

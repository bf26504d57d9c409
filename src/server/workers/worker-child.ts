import { type ChildProcess, fork } from 'node:child_process'
import { ftruncateSync } from 'node:fs'
import type { EngineDescription } from '../../inference/contract/engine.ts'
import { type EngineStatistics, ZERO_COUNTERS, ZERO_GAUGES } from '../../inference/contract/statistics.ts'
import type { WorkerHandle } from '../../queue/embedded/worker-pool.ts'
import { modelProcessEnvironment, readEnvironment } from '../config/environment.ts'
import type { Logger } from '../logger.ts'
import type { ChildPool } from './child-pool.ts'
import { ProgressWatch } from './progress-watch.ts'
import { FIRST_CACHE_DESCRIPTOR, type ParentMessage, parseWorkerMessage, type WorkerMessage } from './worker-protocol.ts'

/** `spare`: has the model and waits for a seat. `ready`: has a seat at the queue. */
export type WorkerState = 'loading' | 'spare' | 'ready' | 'draining' | 'dead'

export interface WorkerChildOptions {
  /** A module that calls `hostWorker`. */
  readonly entry: URL
  /** Its one argument. */
  readonly argument: string
  readonly pool: ChildPool
  readonly log: Logger
  /**
   * Of each seat, the file that its cache lies in, so that it outlives the worker; fewer where a cache dies with its
   * worker.
   */
  readonly cacheFiles: readonly number[]
  /** A worker is killed when it takes longer than this to load. */
  readonly loadTimeoutMs: number
  /** A worker is killed when it has work and no step of it ends for this long, or says nothing for this long. */
  readonly stepTimeoutMs: number
}

export interface WorkerDeath {
  /** How long it had been ready; null when it never was. */
  readonly readyMs: number | null
  /** What it said, if it could not start and will never. */
  readonly fatal: string | null
  /** One line for people: `signal SIGKILL`, `exit code 1`. */
  readonly cause: string
}

const KILLED = 'signal SIGKILL'
/** A worker that has announced its end has this long to exit; native code can hold up an exit for ever. */
const EXIT_MS = 1000

/** One worker process, from its start to its end. */
export class WorkerChild {
  /** When the process is gone and all that it sent has been read: its seat is empty then. */
  readonly death: Promise<WorkerDeath>
  /** When the model is loaded: it is a spare then. Stays open for a worker that dies before. */
  readonly ready: Promise<EngineDescription>
  readonly #options: WorkerChildOptions
  readonly #onDeath: (left: number | null) => void
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
  /** Set once it has announced its end: kills it if it does not exit. */
  #exitTimer: NodeJS.Timeout | null = null
  #statistics: EngineStatistics = { gauges: ZERO_GAUGES, counters: ZERO_COUNTERS }

  /**
   * @param onDeath  called when its seat is free, the first time before what it ran is given to others: a spare that
   *                 sits down then goes on with it. Is told the seat whose cache holds what it ran; null where there is
   *                 none, or in doubt
   */
  constructor(options: WorkerChildOptions, onDeath: (left: number | null) => void) {
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
    this.death = this.#live()
  }

  get pid(): number | null {
    return this.#process.pid ?? null
  }

  get state(): WorkerState {
    return this.#state
  }

  /** Which seat it has; null for none, or none any more. */
  get workerIndex(): number | null {
    return this.#state === 'dead' ? null : this.#workerIndex
  }

  get hasModel(): boolean {
    return this.#readyAtMs !== null && this.#state !== 'dead'
  }

  /** Milliseconds since it last proved progress. */
  get progressAgeMs(): number {
    return this.#progress.ageMs
  }

  /** As of its last heartbeat. */
  get statistics(): EngineStatistics {
    return this.#statistics
  }

  /** From now on it is given requests. A no-op unless it is a spare. */
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

  /**
   * The worker of another seat was killed, and what it ran may come here: its cache has it. A no-op unless it has a
   * seat.
   */
  attachOrphanedCache(workerIndex: number): void {
    if (this.#state === 'ready') this.#send({ kind: 'attachOrphanedCache', descriptor: FIRST_CACHE_DESCRIPTOR + workerIndex })
  }

  /** Ends the process as soon as what it runs has ended, or has been given back. */
  drain(withinMs: number): void {
    if (this.#state === 'dead') return
    this.#state = 'draining'
    this.#handle?.retire()
    this.#send({ kind: 'drain', withinMs })
  }

  /** Ends the process at once, and through no fault of what it runs. */
  dismiss(): void {
    this.#isDismissed = true
    this.#kill()
  }

  #kill(): void {
    this.#process.kill('SIGKILL')
  }

  async #live(): Promise<WorkerDeath> {
    const watch = this.#watchProgress()
    const cause = await endOf(this.#process)
    clearInterval(watch)
    if (this.#exitTimer !== null) clearTimeout(this.#exitTimer)
    const left = this.#keepSoundCache(cause)
    this.#state = 'dead'
    this.#handle?.leave(() => this.#onDeath(left), this.#isDismissed)
    this.#onDeath(null)
    return { readyMs: this.#readyAtMs === null ? null : performance.now() - this.#readyAtMs, fatal: this.#fatal, cause }
  }

  /**
   * Who was killed from outside left a sound cache; whoever fell may have written anywhere, and who went left nothing
   * of use.
   * @returns its seat if it is sound
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
      this.#take(parseWorkerMessage(raw))
    } catch (error) {
      this.#options.log.error({ workerPid: this.pid, err: error }, 'a worker broke the protocol and is killed')
      this.#kill()
    }
  }

  #take(message: WorkerMessage): void {
    switch (message.kind) {
      case 'events':
        this.#progress.prove()
        this.#handle?.deliver(message.events)
        break
      case 'heartbeat':
        this.#progress.onHeartbeat(message.progress)
        this.#statistics = message.progress.statistics
        break
      case 'running':
        this.#handle?.running(message.requestIds)
        break
      case 'advanced':
        this.#handle?.advanced(message.requestIds)
        break
      case 'adopted':
        this.#options.log.info({ workerPid: this.pid, requests: message.requestIds.length }, 'a worker goes on where a dead one left off')
        break
      case 'ready':
        this.#beReady(message.description)
        break
      case 'fatal':
        this.#fatal = message.message
        this.#expectExit()
        break
      case 'drained':
        this.#expectExit()
        break
      default:
        message satisfies never
    }
  }

  #expectExit(): void {
    this.#exitTimer ??= setTimeout(() => {
      this.#options.log.warn({ workerPid: this.pid, state: this.#state }, 'a worker hangs in its exit and is killed')
      this.#kill()
    }, EXIT_MS)
  }

  #beReady(description: EngineDescription): void {
    this.#progress.prove()
    this.#readyAtMs = performance.now()
    this.#slots = description.slots
    if (this.#state !== 'loading') return
    this.#state = 'spare'
    this.#options.log.info({ workerPid: this.pid, slots: description.slots }, 'a worker is ready')
    this.#becameReady.resolve(description)
  }

  /** To a worker that is gone the message is lost; its seat tells the rest. */
  #send(message: ParentMessage): void {
    this.#process.send(message, () => {})
  }

  #watchProgress(): NodeJS.Timeout {
    const { stepTimeoutMs, loadTimeoutMs, log } = this.#options
    const checkMs = Math.min(1000, stepTimeoutMs / 4)
    let lastCheckMs = performance.now()
    return setInterval(() => {
      const nowMs = performance.now()
      // When this process itself stood still, heartbeats wait unread: judge the next time.
      const stoodStill = nowMs - lastCheckMs > 2 * checkMs + 100
      lastCheckMs = nowMs
      const limitMs = this.#readyAtMs === null ? loadTimeoutMs : stepTimeoutMs
      if (stoodStill || this.progressAgeMs <= limitMs) return
      log.error({ workerPid: this.pid, state: this.#state, progressAgeMs: Math.round(this.progressAgeMs) }, 'a worker hangs and is killed')
      this.#kill()
    }, checkMs).unref()
  }
}

/** Resolves when the process has ended and its channel is read to the end, so that no word of it comes later. */
async function endOf(child: ChildProcess): Promise<string> {
  const exited = new Promise<string>(resolve => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
    // Without a pid it never started; other errors (a signal that could not be sent) change nothing.
    child.on('error', error => {
      if (child.pid === undefined) resolve(error.message)
    })
  })
  const disconnected = new Promise<void>(resolve => {
    child.once('disconnect', resolve)
    if (child.pid === undefined) resolve()
  })
  // A worker that closed its channel cannot be reached any more.
  void disconnected.then(() => child.kill('SIGKILL'))
  const [cause] = await Promise.all([exited, disconnected])
  return cause
}

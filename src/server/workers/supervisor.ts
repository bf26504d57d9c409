import { setTimeout as delay } from 'node:timers/promises'
import type { EngineDescription } from '../../inference/contract/engine.ts'
import { type EngineStatistics, sumOfCounters, ZERO_COUNTERS, ZERO_GAUGES } from '../../inference/contract/statistics.ts'
import { WorkerChild, type WorkerChildOptions, type WorkerDeath, type WorkerState } from './worker-child.ts'

export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
  /** The delay starts again at `firstMs` after a worker that was ready for this long. */
  readonly healthyMs: number
}

export interface SupervisorOptions extends WorkerChildOptions {
  /** Workers that get requests. */
  readonly workers: number
  /** Additional workers, which load the model and wait to replace one that dies. */
  readonly spareWorkers: number
  readonly backoff: BackoffOptions
}

export const SUPERVISOR_DEFAULTS = {
  entry: new URL('../worker-process.ts', import.meta.url),
  backoff: { firstMs: 50, maxMs: 2_000, healthyMs: 1_000 },
  loadTimeoutMs: 600_000
} as const

/** A worker as `/health` reports it. */
export interface WorkerReport {
  readonly pid: number | null
  readonly state: WorkerState
  /** Unix milliseconds. */
  readonly lastProgressAtMs: number
}

/** A worker that was never ready is given up after this many deaths in a row while loading: 5 take about 3 s. */
const LOADING_DEATHS = 5
/** A server with work is unhealthy without progress for this long, or for half the step timeout if that is shorter. */
const STALL_MS = 10_000

/** Starts workers, restarts dead ones, and stops them gracefully or at once. */
export class Supervisor {
  /** Resolves with the description of the first engine that is ready. */
  readonly ready: Promise<EngineDescription>
  /**
   * Resolves, with one line for the log, when no worker is left and none will be started: the model cannot be loaded.
   */
  readonly fatal: Promise<string>
  readonly #options: SupervisorOptions
  readonly #children = new Map<number, WorkerChild>()
  readonly #keepers: Promise<void>[] = []
  readonly #stopping = new AbortController()
  readonly #becameReady = Promise.withResolvers<EngineDescription>()
  readonly #becameFatal = Promise.withResolvers<string>()
  #keptWorkers = 0
  #deathCount = 0
  /** Summed over workers that have died. */
  #countersOfExited = ZERO_COUNTERS
  readonly #living = new Set<WorkerChild>()

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.ready = this.#becameReady.promise
    this.fatal = this.#becameFatal.promise
  }

  start(): void {
    const { workers, spareWorkers } = this.#options
    for (let index = 0; index < workers + spareWorkers; index++) this.#keepers.push(this.#keep(index))
  }

  get workers(): readonly WorkerReport[] {
    return [...this.#children.values()].map(({ pid, state, progressAgeMs }) => ({
      pid,
      state,
      lastProgressAtMs: Math.round(Date.now() - progressAgeMs)
    }))
  }

  /** One entry per worker, and one for all workers that have died, so that sums are monotonic. */
  get statistics(): readonly EngineStatistics[] {
    return [...Array.from(this.#living, ({ statistics }) => statistics), { gauges: ZERO_GAUGES, counters: this.#countersOfExited }]
  }

  /** Workers that have died, except those that the supervisor stopped. */
  get deathCount(): number {
    return this.#deathCount
  }

  /** Whether a worker would start a request now. */
  get isReady(): boolean {
    return [...this.#children.values()].some(child => child.state === 'ready')
  }

  /** Whether at least one worker has a loaded model and, if it has work, makes progress. */
  get isHealthy(): boolean {
    const stallMs = Math.min(STALL_MS, this.#options.stepTimeoutMs / 2)
    return [...this.#children.values()].some(child => child.hasModel && child.progressAgeMs <= stallMs)
  }

  /**
   * Ends each worker when its requests have ended; kills the remaining ones when `signal` aborts. Resolves when no
   * process is left.
   *
   * @param withinMs  requests from Redis that do not end within this time are handed back
   */
  async stop(signal: AbortSignal, withinMs = 0): Promise<void> {
    this.#stopping.abort()
    const kill = (): void => this.kill()
    signal.addEventListener('abort', kill)
    for (const child of this.#children.values()) child.drain(withinMs)
    if (signal.aborted) kill()
    await Promise.all(this.#keepers)
    signal.removeEventListener('abort', kill)
  }

  /** Ends all workers at once. None is started again. */
  kill(): void {
    this.#stopping.abort()
    for (const child of this.#children.values()) child.dismiss()
  }

  /** Without a spare, the other workers attach the orphaned cache. */
  #replace(orphaned: number | null): void {
    this.#activateSpares()
    const children = [...this.#children.values()]
    if (orphaned === null || children.some(({ workerIndex }) => workerIndex === orphaned)) return
    for (const child of children) child.attachOrphanedCache(orphaned)
  }

  /** Gives free worker indices to spares. An index, and so a cache file, belongs to one worker at a time. */
  #activateSpares(): void {
    if (this.#stopping.signal.aborted) return
    const children = [...this.#children.values()]
    const taken = new Set(children.map(({ workerIndex }) => workerIndex))
    const free = Array.from({ length: this.#options.workers }, (_, workerIndex) => workerIndex).filter(
      workerIndex => !taken.has(workerIndex)
    )
    const spares = children.filter(({ state }) => state === 'spare')
    for (const [index, workerIndex] of free.entries()) spares[index]?.activate(workerIndex)
  }

  /** Runs one worker after the other, until the supervisor stops or the workers are given up. */
  async #keep(index: number): Promise<void> {
    const { backoff: backoffOptions, log, pool } = this.#options
    const { signal } = this.#stopping
    const backoff = new RestartBackoff(backoffOptions)
    let wasReady = false
    let loadingDeaths = 0
    this.#keptWorkers++
    while (!signal.aborted) {
      const child = new WorkerChild(this.#options, orphaned => this.#replace(orphaned))
      this.#children.set(index, child)
      this.#living.add(child)
      void child.ready.then(description => {
        this.#activateSpares()
        this.#becameReady.resolve(description)
      })
      const death = await child.death
      this.#living.delete(child)
      this.#countersOfExited = sumOfCounters([this.#countersOfExited, child.statistics.counters])
      if (signal.aborted) return
      this.#deathCount++
      wasReady ||= death.readyMs !== null
      loadingDeaths = death.readyMs === null ? loadingDeaths + 1 : 0
      const verdict = death.fatal ?? (!wasReady && loadingDeaths >= LOADING_DEATHS ? hopeless(death) : null)
      if (verdict !== null) {
        log.error({ workerPid: child.pid, cause: death.cause }, `a worker cannot start: ${verdict}`)
        if (--this.#keptWorkers > 0) return
        // Clients see this message: it contains neither paths nor details.
        pool.giveUp('the model could not be loaded')
        this.#becameFatal.resolve(verdict)
        return
      }
      const delayMs = backoff.nextDelayMs(death.readyMs ?? 0)
      log.warn({ workerPid: child.pid, cause: death.cause, readyMs: death.readyMs, delayMs }, 'a worker died and is started again')
      await delay(delayMs, undefined, { signal }).catch(() => {})
    }
  }
}

function hopeless(death: WorkerDeath): string {
  return `the worker died ${LOADING_DEATHS} times while it loaded the model (${death.cause})`
}

/** The delay before a dead worker is restarted. It doubles with each early death. */
export class RestartBackoff {
  readonly #options: BackoffOptions
  #earlyDeaths = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** @param readyMs  how long the dead worker had been ready */
  nextDelayMs(readyMs: number): number {
    const { firstMs, maxMs, healthyMs } = this.#options
    if (readyMs >= healthyMs) this.#earlyDeaths = 0
    return Math.min(maxMs, firstMs * 2 ** this.#earlyDeaths++)
  }
}

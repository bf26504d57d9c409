import { setTimeout as delay } from 'node:timers/promises'
import type { EngineDescription } from '../../inference/contract/engine.ts'
import { type EngineStatistics, sumOfCounters, ZERO_COUNTERS, ZERO_GAUGES } from '../../inference/contract/statistics.ts'
import type { BackoffOptions } from './restart-backoff.ts'
import { RestartBackoff } from './restart-backoff.ts'
import { WorkerChild, type WorkerChildOptions, type WorkerDeath, type WorkerState } from './worker-child.ts'

export interface SupervisorOptions extends WorkerChildOptions {
  /** Workers that are given requests. */
  readonly workers: number
  /** Workers beyond those, which load the model and wait to take the seat of one that dies. */
  readonly spareWorkers: number
  readonly backoff: BackoffOptions
}

export const SUPERVISOR_DEFAULTS = {
  entry: new URL('../worker-process.ts', import.meta.url),
  backoff: { firstMs: 50, maxMs: 2_000, healthyMs: 1_000 },
  loadTimeoutMs: 600_000
} as const

/** What /health says of a worker. */
export interface WorkerReport {
  readonly pid: number | null
  readonly state: WorkerState
  /** Unix milliseconds. */
  readonly lastProgressAtMs: number
}

/** Deaths while loading, in a row, after which a worker that was never ready is given up: 5 take about 3 s. */
const LOADING_DEATHS = 5
/** Without progress for this long, or half the step timeout, a server with work is not healthy. */
const STALL_MS = 10_000

/** Keeps workers alive: starts them, starts dead ones again, ends them in good order or at once. */
export class Supervisor {
  /** Resolves with the model of the first worker that is ready. */
  readonly ready: Promise<EngineDescription>
  /**
   * Resolves, with one line for people, when no worker runs and none will be started again: the model cannot be loaded.
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
  /** What workers that have died had done. */
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

  /** Of each worker; what those did that have died is the last one, so that sums only grow. */
  get statistics(): readonly EngineStatistics[] {
    return [...Array.from(this.#living, ({ statistics }) => statistics), { gauges: ZERO_GAUGES, counters: this.#countersOfExited }]
  }

  /** Workers that have died, other than by the end of the supervisor. */
  get deathCount(): number {
    return this.#deathCount
  }

  /** Whether a request would be worked on now. */
  get isReady(): boolean {
    return [...this.#children.values()].some(child => child.state === 'ready')
  }

  /** Whether some worker has a loaded model and, if it has work, makes progress. */
  get isHealthy(): boolean {
    const stallMs = Math.min(STALL_MS, this.#options.stepTimeoutMs / 2)
    return [...this.#children.values()].some(child => child.hasModel && child.progressAgeMs <= stallMs)
  }

  /**
   * Ends all workers when what they run has ended; kills those that are left when `signal` aborts. Resolves when none
   * is left.
   *
   * @param withinMs  what they took from Redis and does not end within this time, they give back
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

  /** Ends all workers at once, and for good. */
  kill(): void {
    this.#stopping.abort()
    for (const child of this.#children.values()) child.dismiss()
  }

  /** A spare takes the seat of a worker that died; where there is none, the others may take what that one left. */
  #replace(left: number | null): void {
    this.#activateSpares()
    const children = [...this.#children.values()]
    if (left === null || children.some(({ workerIndex }) => workerIndex === left)) return
    for (const child of children) child.attachOrphanedCache(left)
  }

  /** Spares take the seats that are free: a cache is only ever one worker's. */
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

  /** One worker after the other in the same slot, until the supervisor stops or the slot is given up. */
  async #keep(index: number): Promise<void> {
    const { backoff: backoffOptions, log, pool } = this.#options
    const { signal } = this.#stopping
    const backoff = new RestartBackoff(backoffOptions)
    let wasReady = false
    let loadingDeaths = 0
    this.#keptWorkers++
    while (!signal.aborted) {
      const child = new WorkerChild(this.#options, left => this.#replace(left))
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
        // Clients read this one: no path, no detail.
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

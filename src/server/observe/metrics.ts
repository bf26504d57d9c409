import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { GenerationQueue } from '../../queue/queue.ts'
import type { WorkerState } from '../workers/worker-child.ts'
import type { Fleet } from './fleet.ts'
import { HttpMetrics } from './http-metrics.ts'
import { MeteredQueue } from './metered-queue.ts'
import { RequestMetrics } from './request-metrics.ts'
import { WorkerMetrics } from './worker-metrics.ts'

const STATES: readonly WorkerState[] = ['loading', 'spare', 'ready', 'draining']

export interface Exposition {
  readonly contentType: string
  readonly body: string
}

/** All metrics of this server, in a separate registry. */
export class Metrics {
  readonly http: HttpMetrics
  readonly #registry = new Registry()
  readonly #requests: RequestMetrics
  readonly #workers: WorkerMetrics
  readonly #byState: Gauge<'state'>
  readonly #deaths: Counter
  readonly #failovers: Counter
  readonly #isQueueReachable: Gauge
  readonly #fleet: Fleet
  #queue: MeteredQueue | null = null

  constructor(modelName: string, fleet: Fleet) {
    const registers = [this.#registry]
    this.#fleet = fleet
    this.http = new HttpMetrics(this.#registry)
    this.#requests = new RequestMetrics(this.#registry, modelName)
    this.#workers = new WorkerMetrics(this.#registry, modelName)
    this.#byState = new Gauge({ name: 'everstream_workers', help: 'Worker processes by state.', labelNames: ['state'], registers })
    this.#deaths = new Counter({ name: 'everstream_worker_deaths_total', help: 'Worker processes that crashed or were killed.', registers })
    this.#failovers = new Counter({
      name: 'everstream_failovers_total',
      help: 'Requests that resumed at another worker after their worker crashed.',
      registers
    })
    this.#isQueueReachable = new Gauge({
      name: 'everstream_queue_reachable',
      help: '1 if the queue is reachable, 0 if Redis is not.',
      registers
    })
  }

  /** Adds the default metrics of the process: memory, CPU, event loop. Call once per process; it cannot be undone. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry })
  }

  /** Decorates the queue with metrics. @param clock  Unix milliseconds */
  metered(queue: GenerationQueue, clock: () => number): GenerationQueue {
    this.#queue = new MeteredQueue(queue, this.#requests, clock)
    return this.#queue
  }

  /** Keeps the last values if the queue or its workers are unreachable. */
  async exposition(): Promise<Exposition> {
    await Promise.allSettled([this.#readQueue(), this.#readFleet()])
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() }
  }

  async #readQueue(): Promise<void> {
    if (this.#queue === null) return
    await this.#queue.settle()
    this.#workers.setDepth(await this.#queue.depth())
  }

  async #readFleet(): Promise<void> {
    const { workersByState, deaths, failovers, isQueueReachable } = this.#fleet
    for (const state of STATES) this.#byState.set({ state }, workersByState[state] ?? 0)
    setCounter(this.#deaths, deaths)
    setCounter(this.#failovers, failovers)
    this.#isQueueReachable.set(isQueueReachable ? 1 : 0)
    this.#workers.setStatistics(await this.#fleet.workerStatistics())
  }
}

function setCounter(counter: Counter, value: number): void {
  counter.reset()
  counter.inc(value)
}

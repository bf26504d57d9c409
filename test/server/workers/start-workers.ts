import { readFileSync } from 'node:fs'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import type { Logger } from '../../../src/server/logger.ts'
import { Supervisor, type SupervisorOptions } from '../../../src/server/workers/supervisor.ts'

export interface FakeWorkerOptions {
  readonly slots: number
  readonly stepMs: number
  readonly heartbeatMs: number
  /**
   * `in a native call`: while a thread of the pool computes for minutes. `throws`: a bug of the engine becomes an
   * uncaught exception. `stays`: announces its end and does not exit.
   */
  readonly loading:
    | 'works'
    | 'works in a native call'
    | 'throws in a native call'
    | 'fails'
    | 'fails in a native call'
    | 'stays'
    | 'dies'
    | 'hangs'
}

export interface Workers extends AsyncDisposable {
  readonly queue: EmbeddedQueue
  readonly supervisor: Supervisor
  /** Messages of the log, in order. */
  readonly logged: string[]
  /** Causes of deaths in the log, in order. */
  readonly causes: string[]
  /** Resolves when a message with this text has been logged `times` times, counted from the start. */
  hasLogged(text: string, times?: number): Promise<void>
  pids(): number[]
}

/** An embedded queue with real worker processes around fake engines, which end with it. */
export function startWorkers(worker: Partial<FakeWorkerOptions> = {}, options: Partial<SupervisorOptions> = {}): Workers {
  const queue = new EmbeddedQueue()
  const logged: string[] = []
  const listeners = new Set<() => void>()
  const causes: string[] = []
  const write = (fields: object, message: string): void => {
    logged.push(message)
    if ('cause' in fields) causes.push(String(fields.cause))
    for (const listener of listeners) listener()
  }
  const log: Logger = { info: write, warn: write, error: write }
  const argument: FakeWorkerOptions = { slots: 4, stepMs: 5, heartbeatMs: 20, loading: 'works', ...worker }
  const supervisor = new Supervisor({
    workers: 1,
    spareWorkers: 0,
    entry: new URL('./fake-worker.ts', import.meta.url),
    argument: JSON.stringify(argument),
    pool: queue,
    log,
    cacheFiles: [],
    loadTimeoutMs: 20_000,
    stepTimeoutMs: 10_000,
    backoff: { firstMs: 1, maxMs: 10, healthyMs: 30_000 },
    ...options
  })
  supervisor.start()
  return {
    queue,
    supervisor,
    logged,
    causes,
    async hasLogged(text, times = 1) {
      const isThere = (): boolean => logged.filter(message => message.includes(text)).length >= times
      while (!isThere()) {
        await new Promise<void>(resolve => {
          const listener = (): void => {
            listeners.delete(listener)
            resolve()
          }
          listeners.add(listener)
        })
      }
    },
    pids: () => supervisor.workers.map(({ pid }) => pid ?? 0),
    [Symbol.asyncDispose]: () => supervisor.stop(AbortSignal.abort())
  }
}

/** A zombie counts as dead: an orphan may have no parent to reap it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

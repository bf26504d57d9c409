import type { Logger } from './logger.ts'

type ShutdownSignal = 'SIGINT' | 'SIGTERM'

export interface ShutdownOptions {
  /** Time for running requests to finish. */
  readonly drainMs: number
  /** Drains everything. When `signal` aborts, which is in `remainingMs`, it must end the rest at once. */
  readonly drain: (signal: AbortSignal, remainingMs: () => number) => Promise<void>
  /** Kills child processes; synchronous. */
  readonly killNow: () => void
  readonly log: Logger
  /** The process; replaced in tests. */
  readonly process: {
    on(event: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
    off(event: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
    exit(code: number): void
  }
}

export interface Shutdown {
  /** Aborts when the shutdown begins: the server is not ready from then on. */
  readonly begun: AbortSignal
  /** Begins the shutdown, as the first signal does. `exitCode` is used if the drain succeeds. Idempotent. */
  begin(reason: string, exitCode?: number): void
  /** Removes the signal handlers. */
  [Symbol.dispose](): void
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** npm and the terminal both forward Ctrl-C: two signals within this time count as one. */
const SAME_SIGNAL_MS = 1000
/** Time after the deadline of the drain to end the rest. */
const KILL_GRACE_MS = 5000
const EXIT_CODES: Readonly<Record<ShutdownSignal, number>> = { SIGINT: 130, SIGTERM: 143 }

/** The first SIGINT or SIGTERM drains and exits with 0; another one more than a second later exits at once. */
export function handleShutdown(options: ShutdownOptions): Shutdown {
  const { drainMs, log } = options
  const begun = new AbortController()
  let begunAtMs = 0

  function exitNow(code: number): void {
    options.killNow()
    options.process.exit(code)
  }

  async function drain(exitCode: number): Promise<void> {
    const deadline = new AbortController()
    const timers = [
      setTimeout(() => deadline.abort(), drainMs),
      setTimeout(() => {
        log.error({}, 'the shutdown timed out: exiting now')
        exitNow(1)
      }, drainMs + KILL_GRACE_MS)
    ]
    try {
      await options.drain(deadline.signal, () => Math.max(0, Math.ceil(begunAtMs + drainMs - performance.now())))
      options.process.exit(exitCode)
    } catch (error) {
      log.error({ err: error }, 'the shutdown failed')
      exitNow(1)
    } finally {
      timers.forEach(clearTimeout)
    }
  }

  function begin(reason: string, exitCode = 0): void {
    if (begun.signal.aborted) return
    log.info({ reason, drainMs }, 'shutting down')
    begunAtMs = performance.now()
    begun.abort()
    void drain(exitCode)
  }

  function onSignal(signal: ShutdownSignal): void {
    if (!begun.signal.aborted) {
      begin(signal)
      return
    }
    if (performance.now() - begunAtMs < SAME_SIGNAL_MS) return
    log.warn({ signal }, 'received a second signal: exiting now')
    exitNow(EXIT_CODES[signal])
  }

  for (const signal of SIGNALS) options.process.on(signal, onSignal)
  return {
    begun: begun.signal,
    begin,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) options.process.off(signal, onSignal)
    }
  }
}

/** Aborts `ms` after `signal` aborts. */
export function delayedSignal(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController()
  const start = (): void => void setTimeout(() => controller.abort(), ms).unref()
  if (signal.aborted) start()
  else signal.addEventListener('abort', start, { once: true })
  return controller.signal
}

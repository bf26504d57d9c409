import type { Logger } from './logger.ts'

type ShutdownSignal = 'SIGINT' | 'SIGTERM'

export interface ShutdownOptions {
  /** What fits into this time is finished. */
  readonly drainMs: number
  /** Ends everything in good order; what is left when `signal` aborts, which is in `remainingMs`, is ended at once. */
  readonly drain: (signal: AbortSignal, remainingMs: () => number) => Promise<void>
  /** Kills what must not outlive this process; cannot wait. */
  readonly killNow: () => void
  readonly log: Logger
  /** The process, or a stand-in. */
  readonly process: {
    on(event: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
    off(event: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
    exit(code: number): void
  }
}

export interface Shutdown {
  /** Aborts when the shutdown begins: from then on the server is not ready. */
  readonly begun: AbortSignal
  /** As the first signal does; `exitCode` is for a drain that goes well. A no-op when it has begun. */
  begin(reason: string, exitCode?: number): void
  /** Listens no more. */
  [Symbol.dispose](): void
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** npm and a terminal both pass Ctrl-C on: two signals this close are one. */
const SAME_SIGNAL_MS = 1000
/** After the drain's deadline, all that is left has this long to be ended. */
const KILL_GRACE_MS = 5000
const EXIT_CODES: Readonly<Record<ShutdownSignal, number>> = { SIGINT: 130, SIGTERM: 143 }

/** The first SIGINT or SIGTERM drains and exits with 0; one that comes more than a second later means now. */
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
        log.error({}, 'the shutdown hangs: ending it')
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
    log.warn({ signal }, 'a second signal: ending now')
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

import cliProgress from 'cli-progress'
import { megabytes, type Progress, type Reporter } from '../download/reporter.ts'

/** Progress between two lines if `out` is not a terminal. */
const STEP = 0.1
/** Time before a line, except the last one. */
const STEP_MS = 1000

/**
 * Prints lines; shows progress as a bar on a terminal, and otherwise as a line for each tenth, at most one a second.
 */
export class TerminalReporter implements Reporter {
  readonly #out: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly #nowMs: () => number

  constructor(out: NodeJS.WritableStream & { readonly isTTY?: boolean }, nowMs = () => performance.now()) {
    this.#out = out
    this.#nowMs = nowMs
  }

  line(text: string): void {
    this.#out.write(`${text}\n`)
  }

  problem(text: string): void {
    this.line(`! ${text}`)
  }

  progress(totalBytes: number, doneBytes: number): Progress {
    return this.#out.isTTY === true ? this.#bar(totalBytes, doneBytes) : this.#tenths(totalBytes, doneBytes)
  }

  #bar(totalBytes: number, firstBytes: number): Progress {
    const pace = this.#pace(totalBytes, firstBytes)
    const bar = new cliProgress.SingleBar({
      stream: this.#out,
      format: '  {bar} {percentage} %  {done} of {size}{pace}',
      hideCursor: false // a killed process would leave the cursor hidden
    })
    const payload = (bytes: number) => ({ done: megabytes(bytes), size: megabytes(totalBytes), pace: pace(bytes) })
    bar.start(totalBytes, firstBytes, payload(firstBytes))
    return { update: bytes => bar.update(bytes, payload(bytes)), end: () => bar.stop() }
  }

  #tenths(totalBytes: number, firstBytes: number): Progress {
    const pace = this.#pace(totalBytes, firstBytes)
    let printed = Math.floor(firstBytes / totalBytes / STEP)
    let printedAtMs = this.#nowMs()
    return {
      update: bytes => {
        const tenths = Math.floor(bytes / totalBytes / STEP)
        const nowMs = this.#nowMs()
        if (tenths <= printed || (bytes < totalBytes && nowMs - printedAtMs < STEP_MS)) return
        printed = tenths
        printedAtMs = nowMs
        this.line(`  ${tenths * 10} % of ${megabytes(totalBytes)}${pace(bytes)}`)
      },
      end: () => {}
    }
  }

  /** Describes rate and remaining time from the average since the start; empty until time has passed. */
  #pace(totalBytes: number, firstBytes: number): (bytes: number) => string {
    const startMs = this.#nowMs()
    return bytes => {
      const seconds = (this.#nowMs() - startMs) / 1000
      const rate = (bytes - firstBytes) / seconds
      if (!(rate > 0 && rate < Number.POSITIVE_INFINITY)) return ''
      const left = bytes >= totalBytes ? '' : `, ${duration((totalBytes - bytes) / rate)} left`
      return `, ${megabytes(rate)}/s${left}`
    }
  }
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
}

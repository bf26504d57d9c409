import cliProgress from 'cli-progress'
import { megabytes, type Progress, type Reporter } from '../download/reporter.ts'

/** Progress between two lines if `out` is not a terminal. */
const STEP = 0.1

/** Prints lines; shows progress as a bar on a terminal, and otherwise as a line for each tenth. */
export class TerminalReporter implements Reporter {
  readonly #out: NodeJS.WritableStream & { readonly isTTY?: boolean }

  constructor(out: NodeJS.WritableStream & { readonly isTTY?: boolean }) {
    this.#out = out
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

  #bar(totalBytes: number, doneBytes: number): Progress {
    const bar = new cliProgress.SingleBar({
      stream: this.#out,
      format: '  {bar} {percentage} %  {done} of {size}  {eta_formatted} left',
      hideCursor: false, // a killed process would leave the cursor hidden
      etaBuffer: 100
    })
    const payload = (bytes: number) => ({ done: megabytes(bytes), size: megabytes(totalBytes) })
    bar.start(totalBytes, doneBytes, payload(doneBytes))
    return { update: bytes => bar.update(bytes, payload(bytes)), end: () => bar.stop() }
  }

  #tenths(totalBytes: number, doneBytes: number): Progress {
    let printed = Math.floor(doneBytes / totalBytes / STEP)
    return {
      update: bytes => {
        const tenths = Math.floor(bytes / totalBytes / STEP)
        if (tenths <= printed) return
        printed = tenths
        this.line(`  ${tenths * 10} % of ${megabytes(totalBytes)}`)
      },
      end: () => {}
    }
  }
}

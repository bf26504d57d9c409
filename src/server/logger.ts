import { pino } from 'pino'

/** The subset of pino's interface that is used. Log lines must not contain prompts or generated text. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const STANDARD_ERROR = 2

/** While Redis is unreachable, every command fails in the same way. */
const REPEAT_MS = 10_000

/** One JSON object per line, on standard error. */
export function openLog(level: string) {
  return pino({ level }, pino.destination(STANDARD_ERROR))
}

/** Passes an error on unless one with the same message was passed on in the last ten seconds. */
export function withoutRepeats(report: (error: unknown) => void): (error: unknown) => void {
  const reportedAtMs = new Map<string, number>()
  return error => {
    const nowMs = performance.now()
    for (const [text, atMs] of reportedAtMs) if (nowMs - atMs >= REPEAT_MS) reportedAtMs.delete(text)
    const text = error instanceof Error ? error.message : String(error)
    if (reportedAtMs.has(text)) return
    reportedAtMs.set(text, nowMs)
    report(error)
  }
}

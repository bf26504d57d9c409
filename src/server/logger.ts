import { pino } from 'pino'

/** The subset of pino's interface that is used. Log lines must not contain prompts or generated text. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const STANDARD_ERROR = 2

/** One JSON object per line, on standard error. */
export function openLog(level: string) {
  return pino({ level }, pino.destination(STANDARD_ERROR))
}

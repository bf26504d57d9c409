import { pino } from 'pino'

/** What the house needs of a logger; pino fits. Never given a prompt or generated text. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const STANDARD_ERROR = 2

/** One JSON object a line, on standard error. */
export function openLog(level: string) {
  return pino({ level }, pino.destination(STANDARD_ERROR))
}

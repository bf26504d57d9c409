/** What the house needs of a logger; pino fits. Never given a prompt or generated text. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

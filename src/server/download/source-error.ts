import { errorCode, errorMessage } from '../error-facts.ts'

/** A download from one source failed; the next one is tried. The message is one line, for the terminal. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'unknown host name',
  EAI_AGAIN: 'the host name cannot be resolved at the moment',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable'
}

/** Describes a network error; never empty. */
export function networkFault(error: unknown): string {
  const code = errorCode(error) ?? ''
  const [message] = errorMessage(error).split('\n', 1)
  return DESCRIPTIONS[code] ?? (message || code || 'the connection failed')
}

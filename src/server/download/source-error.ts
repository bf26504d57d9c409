/** One source could not deliver: the next one has its turn. The message is one line for people. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
}

const PLAIN_WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known here',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it broke the connection',
  EPIPE: 'it broke the connection',
  ETIMEDOUT: 'it cannot be reached',
  EHOSTUNREACH: 'it cannot be reached',
  ENETUNREACH: 'it cannot be reached'
}

/** What went wrong on the network, in words; never empty. */
export function networkFault(error: unknown): string {
  const code = errorCode(error) ?? ''
  const message = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
  return PLAIN_WORDS[code] ?? (message || code || 'the connection failed')
}

/** The system's name of an error, such as `ENOSPC`. */
export function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

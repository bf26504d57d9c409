/** The code of a system or library error, such as `ENOSPC`; null if it has none. */
export function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Aborts so much later than the other. */
export function laterSignal(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController()
  const start = (): void => void setTimeout(() => controller.abort(), ms).unref()
  if (signal.aborted) start()
  else signal.addEventListener('abort', start, { once: true })
  return controller.signal
}

/**
 * How long readers waited because of a fault: the time from the fault to the next chunk, for the reader that waited
 * longest among those whose text had begun.
 */
export class Pauses {
  /** Streams whose text had begun and not ended. */
  readonly #streams = new Set<number>()
  readonly #open = new Map<number, { readonly atMs: number; readonly waiting: Set<number>; longestMs: number }>()
  readonly #pauses: number[] = []
  #faults = 0

  chunk(stream: number): void {
    this.#streams.add(stream)
    this.#settle(stream, performance.now())
  }

  ended(stream: number): void {
    this.#streams.delete(stream)
    this.#settle(stream, null)
  }

  fault(): void {
    if (this.#streams.size === 0) return
    this.#open.set(this.#faults++, { atMs: performance.now(), waiting: new Set(this.#streams), longestMs: 0 })
  }

  /** Milliseconds, over all faults after which readers continued. */
  report(): { readonly faults: number; readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number } | null {
    const sorted = this.#pauses.toSorted((a, b) => a - b)
    if (sorted.length === 0) return null
    const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
    return { faults: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
  }

  #settle(stream: number, nowMs: number | null): void {
    for (const [fault, open] of this.#open) {
      if (!open.waiting.delete(stream)) continue
      if (nowMs !== null) open.longestMs = Math.max(open.longestMs, nowMs - open.atMs)
      if (open.waiting.size > 0) continue
      this.#pauses.push(open.longestMs)
      this.#open.delete(fault)
    }
  }
}

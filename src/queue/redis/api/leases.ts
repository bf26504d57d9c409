/** A lease is renewed so often while it lasts. */
const RENEWALS = 4
const LONGEST_RENEWAL_MS = 10_000

export interface LeasesOptions {
  /** How long a request goes on without a reader. */
  readonly graceMs: number
  /** They are attended until then, in Unix milliseconds. */
  readonly renewLeases: (requestIds: readonly string[], leaseUntilMs: number) => Promise<void>
}

/** Keeps alive what is read here. What is not renewed runs out by itself, should this process die. */
export class Leases {
  readonly #options: LeasesOptions
  readonly #readers = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  constructor(options: LeasesOptions) {
    this.#options = options
    const everyMs = Math.min(options.graceMs / RENEWALS, LONGEST_RENEWAL_MS)
    this.#timer = setInterval(() => this.renew(), everyMs).unref()
  }

  get read(): readonly string[] {
    return [...this.#readers.keys()]
  }

  get leaseUntilMs(): number {
    return Date.now() + this.#options.graceMs
  }

  /** A reader has come. */
  addReader(requestId: string): void {
    const readers = this.#readers.get(requestId) ?? 0
    this.#readers.set(requestId, readers + 1)
    if (readers === 0) this.#renew([requestId])
  }

  /** A reader has left: after the last one, the grace begins. */
  removeReader(requestId: string): void {
    const readers = (this.#readers.get(requestId) ?? 1) - 1
    if (readers > 0) {
      this.#readers.set(requestId, readers)
      return
    }
    this.#readers.delete(requestId)
    this.#renew([requestId])
  }

  renew(): void {
    this.#renew(this.read)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Redis may be away: there is always a next time, or a lease that runs out as it should. */
  #renew(requestIds: readonly string[]): void {
    if (requestIds.length > 0) this.#options.renewLeases(requestIds, this.leaseUntilMs).catch(() => {})
  }
}

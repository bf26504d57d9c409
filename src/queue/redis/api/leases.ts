/** Renewals during one lease. */
const RENEWALS = 4
const LONGEST_RENEWAL_MS = 10_000

export interface LeasesOptions {
  /** How long a request runs without a reader. */
  readonly graceMs: number
  /** @param leaseUntilMs  Unix milliseconds */
  readonly renewLeases: (requestIds: readonly string[], leaseUntilMs: number) => Promise<void>
}

/** Renews the leases of the requests that have readers in this process. If the process dies, the leases expire. */
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

  addReader(requestId: string): void {
    const readers = this.#readers.get(requestId) ?? 0
    this.#readers.set(requestId, readers + 1)
    if (readers === 0) this.#renew([requestId])
  }

  /** After the last reader, the grace period begins. */
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

  /** Errors are ignored: while Redis is away, the next renewal tries again. */
  #renew(requestIds: readonly string[]): void {
    if (requestIds.length > 0) this.#options.renewLeases(requestIds, this.leaseUntilMs).catch(() => {})
  }
}

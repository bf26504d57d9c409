/** The prompt of a finished sequence, still in its row. */
export interface RetainedPrefix {
  /** Prompt-class positions only: what was generated behind them is another numeric class and never reused. */
  readonly promptTokenIds: readonly number[]
  readonly cacheSalt: string
  /** Positions of the row that hold memory. */
  readonly residentTokens: number
}

/** Which free rows keep a prefix, least recently used first. */
export class RetainedPrefixes {
  readonly #byRow: (RetainedPrefix | undefined)[]
  /** Rows in order of use, oldest first: a Map keeps the order of insertion. */
  readonly #order = new Map<number, true>()
  #tokens = 0

  constructor(rows: number) {
    this.#byRow = new Array<RetainedPrefix | undefined>(rows).fill(undefined)
  }

  /** Positions held over all rows. */
  get tokens(): number {
    return this.#tokens
  }

  at(row: number): RetainedPrefix | undefined {
    return this.#byRow[row]
  }

  keep(row: number, prefix: RetainedPrefix): void {
    this.forget(row)
    this.#byRow[row] = prefix
    this.#tokens += prefix.residentTokens
    this.#order.set(row, true)
  }

  forget(row: number): void {
    this.#tokens -= this.#byRow[row]?.residentTokens ?? 0
    this.#byRow[row] = undefined
    this.#order.delete(row)
  }

  /** The prefix was used: it is now the youngest. */
  touch(row: number): void {
    if (this.#order.delete(row)) this.#order.set(row, true)
  }

  move(from: number, to: number): void {
    const prefix = this.#byRow[from]
    if (prefix === undefined) return
    this.forget(from)
    this.keep(to, { ...prefix, residentTokens: prefix.promptTokenIds.length })
  }

  /** The least recently used row other than `except`; null if there is none. */
  oldest(except: number): number | null {
    for (const row of this.#order.keys()) if (row !== except) return row
    return null
  }
}

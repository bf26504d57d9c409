/** What a row keeps that nobody sits in: the prompt of a finished sequence, or a legacy. */
export interface RetainedPrefix {
  /** Of a legacy, none: whose it is tells only the mark. Prompt-class positions only: what was generated behind them is another numeric class and never reused. */
  readonly promptTokenIds: readonly number[]
  readonly cacheSalt: string
  /** Positions of the row that hold memory. */
  readonly residentTokens: number
  /** Of a sequence that a killed process was working on: the mark by which it is claimed. All resident positions are its. */
  readonly legacyMark: string | null
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

  /** @param tokens  positions that went with it */
  move(from: number, to: number, tokens: number): void {
    const prefix = this.#byRow[from]
    if (prefix === undefined) return
    this.forget(from)
    this.keep(to, { ...prefix, residentTokens: tokens })
  }

  /** The row of a legacy; null where nobody left it, or it was given up. */
  rowOfLegacy(mark: string): number | null {
    const row = this.#byRow.findIndex(prefix => prefix?.legacyMark === mark)
    return row < 0 ? null : row
  }

  legacies(): readonly number[] {
    return [...this.#order.keys()].filter(row => this.#byRow[row]?.legacyMark != null)
  }

  /** The least recently used row other than `except`; null if there is none. */
  oldest(except: number): number | null {
    for (const row of this.#order.keys()) if (row !== except) return row
    return null
  }
}

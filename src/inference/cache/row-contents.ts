import type { ModelRunner } from '../contract/model-runner.ts'
import { type RetainedPrefix, RetainedPrefixes } from './retained-prefixes.ts'
import { RowLedger } from './row-ledger.ts'

/** What the cache needs of native memory: all calls happen between runs. */
export type RowMemory = Pick<ModelRunner, 'copyRow' | 'releaseRow' | 'notes'>

/** A sequence's row as a killed process left it. */
export interface Legacy {
  readonly row: number
  readonly computed: number
}

/** What lies in the rows: memory, the ledger that tells a successor of it, and what is kept in rows that nobody sits in. One never without the others. */
export class RowContents {
  readonly kept: RetainedPrefixes
  readonly #memory: RowMemory
  readonly #ledger: RowLedger
  readonly #rows: number

  constructor(memory: RowMemory, rows: number) {
    this.#memory = memory
    this.#rows = rows
    this.#ledger = new RowLedger(memory.notes, rows)
    this.kept = new RetainedPrefixes(rows)
  }

  /**
   * To be called before anything else. What an earlier process was working on when it ended lies in the memory: it is kept as legacies
   * until their owners claim them, or `dropLegacies`; the rest goes back to the system.
   *
   * @param identity  of model, shape and program: what was left under another one is of no use
   */
  inherit(identity: string): void {
    const isOurs = this.#ledger.belongsTo(identity)
    const entries = isOurs ? this.#ledger.entries() : []
    if (!isOurs) this.#ledger.begin(identity)
    // A sequence that was on the move may be in two rows.
    const best = new Map(entries.toSorted((left, right) => left.computed - right.computed).map(entry => [entry.mark, entry]))
    const left = new Map(Array.from(best.values(), entry => [entry.row, entry]))
    for (let row = 0; row < this.#rows; row++) {
      const entry = left.get(row)
      if (entry === undefined) this.release(row)
      else this.kept.keep(row, { promptTokenIds: [], cacheSalt: '', residentTokens: entry.computed, legacyMark: entry.mark })
    }
  }

  /** null where a sequence left nothing, or it was given up. */
  legacyOf(mark: string): Legacy | null {
    const row = this.kept.rowOfLegacy(mark)
    return row === null ? null : { row, computed: this.kept.at(row)?.residentTokens ?? 0 }
  }

  /** Nobody will claim what is left. */
  dropLegacies(): void {
    for (const row of this.kept.legacies()) this.drop(row)
  }

  /** The row is this sequence's from now on. @param computed  positions that are in it already */
  assign(row: number, mark: string, computed: number): void {
    this.kept.forget(row)
    this.#ledger.assign(row, mark, computed)
  }

  /** So many positions of the row's sequence are in it now. */
  note(row: number, computed: number): void {
    this.#ledger.advance(row, computed)
  }

  /** The row is no sequence's any more; what is in it stays. */
  unassign(row: number): void {
    this.#ledger.clear(row)
  }

  /** To a row that is nobody's. */
  copy(from: number, to: number, positions: number): void {
    this.#memory.copyRow(from, to, positions)
  }

  /** What is kept in a row goes to another, which is empty; the row may be written then. */
  moveKept(from: number, to: number, prefix: RetainedPrefix): void {
    const { legacyMark, promptTokenIds, residentTokens } = prefix
    const tokens = legacyMark === null ? promptTokenIds.length : residentTokens
    this.copy(from, to, tokens)
    if (legacyMark !== null) this.#ledger.assign(to, legacyMark, tokens)
    this.#ledger.clear(from)
    this.kept.move(from, to, tokens)
  }

  /** What is kept in the row is given up. */
  drop(row: number): void {
    if (this.kept.at(row) === undefined) return
    this.kept.forget(row)
    this.release(row)
  }

  release(row: number): void {
    this.#ledger.clear(row)
    this.#memory.releaseRow(row)
  }
}

import type { ModelRunner, Remains } from '../contract/model-runner.ts'
import { type LedgerEntry, RowLedger } from './row-ledger.ts'

/** What the rows need of native memory: all calls happen between runs. */
export type RowMemory = Pick<ModelRunner, 'slots' | 'rows' | 'copyRow' | 'releaseRow' | 'notes'>

/** A sequence's row as a killed process left it: in our own memory, which was its own, or in its remains. */
export interface Legacy extends LedgerEntry {
  readonly remains: Remains | null
}

/** What lies in the rows: memory, the ledger that tells a successor of it, and what a killed process left in rows that nobody sits in yet. */
export class RowContents {
  readonly #memory: RowMemory
  readonly #ledger: RowLedger
  /** In our own memory, by row. */
  readonly #legacies = new Map<number, Legacy>()
  /** In the remains of others, by mark. */
  readonly #salvage = new Map<string, Legacy>()

  constructor(memory: RowMemory) {
    this.#memory = memory
    this.#ledger = new RowLedger(memory.notes, memory.rows)
  }

  get rows(): number {
    return this.#memory.rows
  }

  /** Positions that legacies hold in our memory. */
  get legacyTokens(): number {
    return this.#legacies.values().reduce((sum, { computed }) => sum + computed, 0)
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
    for (const entry of fullest(entries)) this.#legacies.set(entry.row, { ...entry, remains: null })
    for (let row = 0; row < this.rows; row++) if (!this.#legacies.has(row)) this.release(row)
  }

  /** What a killed neighbour was working on can be brought here from now on, instead of what was left by others before it. */
  salvage(identity: string, remains: Remains): void {
    this.#salvage.clear()
    for (const entry of fullest(entriesIn(remains, this.rows, identity))) this.#salvage.set(entry.mark, { ...entry, remains })
  }

  /** null where a sequence left nothing, or it was given up. */
  legacyOf(mark: string): Legacy | null {
    return this.#legacies.values().find(legacy => legacy.mark === mark) ?? this.#salvage.get(mark) ?? null
  }

  legacyIn(row: number): Legacy | null {
    return this.#legacies.get(row) ?? null
  }

  /** null if there is none. */
  anyLegacy(): Legacy | null {
    return this.#legacies.values().next().value ?? null
  }

  /** Nobody will claim what is left. */
  dropLegacies(): void {
    for (const row of [...this.#legacies.keys()]) this.release(row)
  }

  /**
   * The first positions of a legacy go to a row that may be written.
   *
   * @returns false when it is no longer there: the row is empty then, and the legacy forgotten
   */
  bring(legacy: Legacy, to: number, positions: number): boolean {
    const { remains, row, mark } = legacy
    if (remains === null) {
      this.copy(row, to, positions)
      return true
    }
    // Whoever drops or overwrites a row clears its entry first: an entry that is there still vouches for what was copied.
    const isWhole =
      remains.copyRow(row, to, positions) &&
      entriesIn(remains, this.rows).some(entry => entry.row === row && entry.mark === mark && entry.computed >= positions)
    if (!isWhole) {
      this.release(to)
      this.forget(legacy)
    }
    return isWhole
  }

  /** Nobody will ask for it again. */
  forget({ remains, row, mark }: Legacy): void {
    if (remains === null) this.release(row)
    else this.#salvage.delete(mark)
  }

  /** The row may be written then; the other is empty. */
  moveLegacy(legacy: Legacy, to: number): void {
    this.copy(legacy.row, to, legacy.computed)
    this.assign(to, legacy.mark, legacy.computed)
    this.#legacies.set(to, { ...legacy, row: to })
    this.release(legacy.row)
  }

  /** The row is this sequence's from now on. @param computed  positions that are in it already */
  assign(row: number, mark: string, computed: number): void {
    this.#legacies.delete(row)
    this.#ledger.assign(row, mark, computed)
  }

  /** So many positions of the row's sequence are in it now. */
  note(row: number, computed: number): void {
    this.#ledger.advance(row, computed)
  }

  /** To a row that is nobody's. */
  copy(from: number, to: number, positions: number): void {
    this.#memory.copyRow(from, to, positions)
  }

  /** The row is nobody's any more, and empty. */
  release(row: number): void {
    this.#legacies.delete(row)
    this.#ledger.clear(row)
    this.#memory.releaseRow(row)
  }
}

/** One of each sequence: one that was on the move may be in two rows. */
function fullest(entries: readonly LedgerEntry[]): Iterable<LedgerEntry> {
  return new Map(entries.toSorted((left, right) => left.computed - right.computed).map(entry => [entry.mark, entry])).values()
}

/** @param identity  that they must be of */
function entriesIn(remains: Remains, rows: number, identity: string | null = null): readonly LedgerEntry[] {
  const notes = remains.notes()
  if (notes === null) return []
  const ledger = new RowLedger(notes, rows)
  return identity === null || ledger.belongsTo(identity) ? ledger.entries() : []
}

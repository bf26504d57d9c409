import type { ModelRunner, OrphanedCache } from '../contract/model-runner.ts'
import { type RowHeader, RowHeaders } from './row-headers.ts'

/** The part of `ModelRunner` that rows use, between runs only. */
export type RowMemory = Pick<ModelRunner, 'slots' | 'rows' | 'copyRow' | 'releaseRow' | 'rowHeaders'>

/** A sequence's row as a killed process left it. */
export interface OrphanedRow extends RowHeader {
  /** The cache of the process that left it; null: it is in this memory, which that process used before. */
  readonly cache: OrphanedCache | null
}

/**
 * The content of the rows: their memory, their headers for a successor process, and the rows of killed processes that
 * no sequence has claimed yet.
 */
export class RowContents {
  readonly #memory: RowMemory
  readonly #headers: RowHeaders
  /** In this memory, by row. */
  readonly #orphans = new Map<number, OrphanedRow>()
  /** In the cache of another process, by key. */
  readonly #foreignOrphans = new Map<string, OrphanedRow>()

  constructor(memory: RowMemory) {
    this.#memory = memory
    this.#headers = new RowHeaders(memory.rowHeaders, memory.rows)
  }

  get rows(): number {
    return this.#memory.rows
  }

  /** Positions that orphaned rows hold in this memory. */
  get orphanedTokens(): number {
    return this.#orphans.values().reduce((sum, { computed }) => sum + computed, 0)
  }

  /**
   * Keeps the rows that an earlier process left in this memory until they are claimed or `dropOrphans` is called, and
   * returns all other memory to the system. Must be called before any other method.
   *
   * @param identity  of model, shape and program: rows with another identity are dropped
   */
  recoverRows(identity: string): void {
    const isSame = this.#headers.belongsTo(identity)
    const headers = isSame ? this.#headers.entries() : []
    if (!isSame) this.#headers.begin(identity)
    for (const header of fullest(headers)) this.#orphans.set(header.row, { ...header, cache: null })
    for (let row = 0; row < this.rows; row++) if (!this.#orphans.has(row)) this.release(row)
  }

  /** Makes the rows of a killed process available for copying, instead of those of the process attached before. */
  attachOrphanedCache(identity: string, cache: OrphanedCache): void {
    this.#foreignOrphans.clear()
    for (const header of fullest(headersOf(cache, this.rows, identity))) this.#foreignOrphans.set(header.key, { ...header, cache })
  }

  /** null where the sequence left no row, or the row was dropped. */
  orphanOf(key: string): OrphanedRow | null {
    return this.#orphans.values().find(orphan => orphan.key === key) ?? this.#foreignOrphans.get(key) ?? null
  }

  orphanIn(row: number): OrphanedRow | null {
    return this.#orphans.get(row) ?? null
  }

  /** null if there is none. */
  anyOrphan(): OrphanedRow | null {
    return this.#orphans.values().next().value ?? null
  }

  dropOrphans(): void {
    for (const row of [...this.#orphans.keys()]) this.release(row)
  }

  /**
   * Copies the first positions of an orphaned row to a writable row.
   *
   * @returns false when the orphaned row no longer exists: the target is then empty, and the orphan is forgotten
   */
  copyOrphan(orphan: OrphanedRow, to: number, positions: number): boolean {
    const { cache, row, key } = orphan
    if (cache === null) {
      this.copy(row, to, positions)
      return true
    }
    // The successor of that process clears a row's header before it drops or overwrites the row: a header that still
    // exists after the copy proves that the copy is complete.
    const isWhole =
      cache.copyRow(row, to, positions) &&
      headersOf(cache, this.rows).some(header => header.row === row && header.key === key && header.computed >= positions)
    if (!isWhole) {
      this.release(to)
      this.forget(orphan)
    }
    return isWhole
  }

  /** Drops an orphaned row that will not be claimed. */
  forget({ cache, row, key }: OrphanedRow): void {
    if (cache === null) this.release(row)
    else this.#foreignOrphans.delete(key)
  }

  /** Moves an orphan of this memory into an empty row; its old row is then writable. */
  moveOrphan(orphan: OrphanedRow, to: number): void {
    this.copy(orphan.row, to, orphan.computed)
    this.assign(to, orphan.key, orphan.computed)
    this.#orphans.set(to, { ...orphan, row: to })
    this.release(orphan.row)
  }

  /** Sets the row's owner. @param computed  positions that the row already contains */
  assign(row: number, key: string, computed: number): void {
    this.#orphans.delete(row)
    this.#headers.assign(row, key, computed)
  }

  /** Records that the first `computed` positions of the row are computed. */
  setComputed(row: number, computed: number): void {
    this.#headers.advance(row, computed)
  }

  /** @param to  a row without an owner */
  copy(from: number, to: number, positions: number): void {
    this.#memory.copyRow(from, to, positions)
  }

  /** Removes the row's owner and its content. */
  release(row: number): void {
    this.#orphans.delete(row)
    this.#headers.clear(row)
    this.#memory.releaseRow(row)
  }
}

/** One header per sequence, the one with the most positions: a process killed while it moved a row leaves two. */
function fullest(headers: readonly RowHeader[]): Iterable<RowHeader> {
  return new Map(headers.toSorted((left, right) => left.computed - right.computed).map(header => [header.key, header])).values()
}

/** @param identity  of the cache; null: any */
function headersOf(cache: OrphanedCache, rows: number, identity: string | null = null): readonly RowHeader[] {
  const bytes = cache.rowHeaders()
  if (bytes === null) return []
  const headers = new RowHeaders(bytes, rows)
  return identity === null || headers.belongsTo(identity) ? headers.entries() : []
}

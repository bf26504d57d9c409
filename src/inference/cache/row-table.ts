import { invariant } from '../contract/invariant.ts'
import type { OrphanedCache } from '../contract/model-runner.ts'
import type { EngineGauges } from '../contract/statistics.ts'
import { type BlockMemory, PrefixStore, type StoredPrompt } from './prefix-store.ts'
import { type OrphanedRow, RowContents, type RowMemory } from './row-contents.ts'

/** A sequence that can be bound to a row of the cache. */
export interface RowOwner extends StoredPrompt {
  /** Identifies it in the row headers (`rowKey`). */
  readonly key: string
  /** Computed positions of the row; at most the first `promptTokenIds.length` of them are prompt-class. */
  readonly computed: number
  /** Most positions that the row will contain: memory is reserved for them. */
  readonly reservedTokens: number
}

export interface RowTableOptions {
  /** Upper bound of the positions of reservations, stored prefixes and orphaned rows together. */
  readonly budgetTokens: number
  /** false: no prefix is stored. */
  readonly reusePrefixes: boolean
}

/**
 * The owners of the rows. Decoding rows are dense (0..decodingRows-1), so that one run covers them; the prompt in
 * prefill has a row after them; all other rows are free. Prefixes of prompts are stored outside the rows, in the part
 * of the budget that is not reserved.
 */
export class RowTable<Owner extends RowOwner> {
  readonly #contents: RowContents
  readonly #store: PrefixStore
  readonly #options: RowTableOptions
  readonly #owners: (Owner | null)[]
  readonly #broken = new WeakSet<Owner>()
  #decodingRows = 0
  #reservedTokens = 0

  constructor(memory: RowMemory & BlockMemory, options: RowTableOptions) {
    this.#contents = new RowContents(memory)
    this.#store = new PrefixStore(memory)
    this.#options = options
    this.#owners = new Array<Owner | null>(memory.slots).fill(null)
  }

  get decodingRows(): number {
    return this.#decodingRows
  }

  /** Free rows and reserved positions. Stored prefixes and orphaned rows are not counted: reservations evict them. */
  get room(): { readonly freeRows: number; readonly reservedTokens: number; readonly budgetTokens: number } {
    const freeRows = this.#owners.filter(owner => owner === null).length
    return { freeRows, reservedTokens: this.#reservedTokens, budgetTokens: this.#options.budgetTokens }
  }

  get gauges(): Omit<EngineGauges, 'waitingPrompts'> {
    return {
      decodingRows: this.#decodingRows,
      reservedTokens: this.#reservedTokens,
      retainedTokens: this.#store.tokens + this.#contents.orphanedTokens,
      budgetTokens: this.#options.budgetTokens
    }
  }

  /** Owners of the decoding rows, in row order. */
  decoding(): readonly Owner[] {
    return this.#owners.slice(0, this.#decodingRows).filter(owner => owner !== null)
  }

  rowOf(owner: Owner): number {
    const row = this.#owners.indexOf(owner)
    invariant(row >= 0, 'the sequence has no row')
    return row
  }

  /** See `RowContents.recoverRows`. */
  recoverRows(identity: string): void {
    this.#contents.recoverRows(identity)
  }

  /** See `RowContents.attachOrphanedCache`. */
  attachOrphanedCache(identity: string, cache: OrphanedCache): void {
    this.#contents.attachOrphanedCache(identity, cache)
  }

  /** The row of this sequence that a killed process left; null where there is none, or none any more. */
  orphanOf(key: string): OrphanedRow | null {
    return this.#contents.orphanOf(key)
  }

  /** Drops the orphaned rows in this memory. */
  dropOrphans(): void {
    this.#contents.dropOrphans()
  }

  /** Length of the longest stored prefix of the owner's prompt, at most `limit`. */
  storedTokens(owner: Owner, limit: number): number {
    return this.#store.lengthOf(owner, limit)
  }

  /**
   * Binds the row after the decoding rows to a prompt, and copies the longest stored prefix into it. An orphaned row of
   * the sequence is dropped.
   *
   * @param limit  most positions to copy; 0: all are computed
   * @returns      the number of copied positions
   */
  open(owner: Owner, limit: number): number {
    const orphan = this.#contents.orphanOf(owner.key)
    if (orphan !== null) this.#contents.forget(orphan)
    this.#reserve(owner)
    const row = this.#nextRow()
    const copied = this.#store.copyPrefix(owner, limit, row, this.#storeRoom)
    this.#bindRow(owner, row, copied)
    this.#dropUnreserved()
    return copied
  }

  /**
   * Binds the row after the decoding rows to a sequence, with the first `positions` positions of its orphaned row.
   * Nothing is copied where both are the same row.
   *
   * @returns false, with nothing bound, where the orphaned row no longer exists
   */
  attachOrphan(owner: Owner, positions: number): boolean {
    const orphan = this.#contents.orphanOf(owner.key)
    if (orphan === null) return false
    invariant(positions <= orphan.computed, 'more positions are claimed than the orphaned row contains')
    const isInPlace = orphan.cache === null && orphan.row === this.#decodingRows
    const row = isInPlace ? orphan.row : this.#nextRow()
    if (!isInPlace && !this.#contents.copyOrphan(orphan, row, positions)) return false
    this.#reserve(owner)
    this.#bindRow(owner, row, positions)
    if (!isInPlace) this.#contents.forget(orphan)
    this.#dropUnreserved()
    return true
  }

  /** Makes the owner's row a decoding row. */
  promote(owner: Owner): void {
    const row = this.rowOf(owner)
    const target = this.#decodingRows
    invariant(row >= target, 'the sequence decodes already')
    if (row !== target) this.#move(row, target)
    this.#decodingRows++
  }

  /** Binds a new decoding row to a second sequence, with a copy of the first one's positions. */
  fork(from: Owner, to: Owner): void {
    const source = this.rowOf(from)
    const target = this.#nextRow()
    invariant(source < target, 'a fork must follow the promotion of its prompt')
    this.#reserve(to)
    this.#dropUnreserved()
    this.#contents.copy(source, target, from.computed)
    this.#bindRow(to, target, from.computed)
    this.#decodingRows++
  }

  /** Records the owner's `computed` in the row's header: after the run, before any event of it is emitted. */
  recordComputed(owner: Owner): void {
    this.#contents.setComputed(this.rowOf(owner), owner.computed)
  }

  /**
   * Stores the computed blocks of the owner's prompt, as far as they fit. Called after each chunk, to spread the cost
   * of copying: 10 to 50 µs per token.
   */
  share(owner: Owner): void {
    if (!this.#options.reusePrefixes || this.#broken.has(owner)) return
    this.#store.save(owner, Math.min(owner.computed, owner.promptTokenIds.length), this.rowOf(owner), this.#storeRoom)
  }

  /** Handles broken positions: the prefixes of these owners are dropped and never stored again. */
  distrust(isBroken: (owner: Owner) => boolean): void {
    for (const owner of this.#owners) {
      if (owner === null || !isBroken(owner)) continue
      this.#store.forget(owner)
      this.#broken.add(owner)
    }
  }

  /** Unbinds the owner's row and stores its prompt if it fits; the last decoding row moves into the gap. */
  close(owner: Owner): void {
    const row = this.rowOf(owner)
    // The computed positions take memory until the row is released.
    this.#reservedTokens += owner.computed - owner.reservedTokens
    this.share(owner)
    this.#reservedTokens -= owner.computed
    this.#owners[row] = null
    this.#contents.release(row)
    if (row >= this.#decodingRows) return
    const last = this.#decodingRows - 1
    if (row !== last) this.#move(last, row)
    this.#decodingRows--
  }

  /** A position of a row that a dummy decode step may write: after all positions in use. */
  dummyPast(row: number, contextLength: number): number {
    const inUse = this.#owners[row]?.computed ?? this.#contents.orphanIn(row)?.computed ?? 0
    if (inUse >= contextLength) this.#contents.release(row)
    return Math.min(Math.max(inUse, 1), contextLength - 1)
  }

  /** Most positions that the prefix store may contain. */
  get #storeRoom(): number {
    return this.#options.budgetTokens - this.#reservedTokens - this.#contents.orphanedTokens
  }

  #reserve(owner: Owner): void {
    this.#reservedTokens += owner.reservedTokens
    invariant(this.#reservedTokens <= this.#options.budgetTokens, 'a row is bound without room for it')
  }

  /** Evicts stored prefixes, then orphaned rows, until the budget covers the reservations. */
  #dropUnreserved(): void {
    this.#store.shrink(this.#storeRoom)
    while (this.#storeRoom < 0) {
      const orphan = this.#contents.anyOrphan()
      if (orphan === null) return
      this.#contents.release(orphan.row)
    }
  }

  /** Makes the row after the decoding rows writable and returns its index. */
  #nextRow(): number {
    const row = this.#decodingRows
    invariant(this.#owners[row] === null, 'a row is bound while a prompt is in prefill, or none is free')
    this.#vacate(row)
    return row
  }

  /** @param computed  positions that the row already contains */
  #bindRow(owner: Owner, row: number, computed: number): void {
    this.#contents.assign(row, owner.key, computed)
    this.#owners[row] = owner
  }

  /** Makes a free row writable: an orphan there moves to an empty row, or is dropped. */
  #vacate(row: number): void {
    const orphan = this.#contents.orphanIn(row)
    if (orphan === null) return
    const empty = this.#emptyRow(row)
    if (empty === null) this.#contents.release(row)
    else this.#contents.moveOrphan(orphan, empty)
  }

  /** Moves the content of `from` to the free row `to`; `from` is empty afterwards. */
  #move(from: number, to: number): void {
    const owner = this.#owners[from] ?? null
    invariant(owner !== null && this.#owners[to] === null, 'a row moves from its owner into a free row')
    this.#vacate(to)
    this.#contents.copy(from, to, owner.computed)
    this.#bindRow(owner, to, owner.computed)
    this.#owners[from] = null
    this.#contents.release(from)
  }

  /** A row without owner and orphan, other than `row` and the next row to be bound; null if there is none. */
  #emptyRow(row: number): number | null {
    for (let candidate = this.#contents.rows - 1; candidate > this.#decodingRows; candidate--) {
      const isFree = (this.#owners[candidate] ?? null) === null
      if (candidate !== row && isFree && this.#contents.orphanIn(candidate) === null) return candidate
    }
    return null
  }
}

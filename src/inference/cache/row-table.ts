import { invariant } from '../contract/invariant.ts'
import type { Remains } from '../contract/model-runner.ts'
import type { EngineLoad } from '../contract/statistics.ts'
import { type BlockMemory, PrefixStore, type StoredPrompt } from './prefix-store.ts'
import { type Legacy, RowContents, type RowMemory } from './row-contents.ts'

/** Whoever holds a row of the cache. */
export interface RowOwner extends StoredPrompt {
  /** Its name in the ledger (`rowMark`). */
  readonly mark: string
  /** Positions of the row that are computed; the first `promptTokenIds.length` of them at most are prompt-class. */
  readonly computed: number
  /** Positions that the row may come to hold: what memory is reserved for. */
  readonly reservedTokens: number
}

export interface RowTableOptions {
  /** Positions that reservations, stored prefixes and legacies may fill together. */
  readonly budgetTokens: number
  /** false where the machine's prefill is not bit-equal for every cut into chunks. */
  readonly reusePrefixes: boolean
}

/** A reused prefix leaves two tokens at least, so that the rest is a prefill and never a lone step (DESIGN section 4, determinism). */
const MIN_COMPUTED_TOKENS = 2

/**
 * Who sits in which row. Decoding rows are dense (0..decodingRows-1), so that one run covers them; the prompt being prefilled sits
 * behind them; every other slot is free. Beginnings of prompts are kept beside the rows, in what running sequences leave of the budget.
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

  get freeRows(): number {
    return this.#owners.filter(owner => owner === null).length
  }

  get load(): Omit<EngineLoad, 'waitingPrompts'> {
    return {
      decodingRows: this.#decodingRows,
      reservedTokens: this.#reservedTokens,
      retainedTokens: this.#store.tokens + this.#contents.legacyTokens,
      budgetTokens: this.#options.budgetTokens
    }
  }

  /** Who decodes, in the order of the rows. */
  decoding(): readonly Owner[] {
    return this.#owners.slice(0, this.#decodingRows).filter(owner => owner !== null)
  }

  rowOf(owner: Owner): number {
    const row = this.#owners.indexOf(owner)
    invariant(row >= 0, 'the sequence holds no row')
    return row
  }

  /** See `RowContents.inherit`. */
  inherit(identity: string): void {
    this.#contents.inherit(identity)
  }

  /** See `RowContents.salvage`. */
  salvage(identity: string, remains: Remains): void {
    this.#contents.salvage(identity, remains)
  }

  /** What the sequence left in another process; null where there is nothing (any more). */
  legacyOf(mark: string): Legacy | null {
    return this.#contents.legacyOf(mark)
  }

  /**
   * Puts a sequence whose prompt is computed behind the decoding ones, with what it left: from now on it decodes. Nothing is
   * copied where its row is the next one already, so of several that of the lowest row goes first.
   *
   * @param positions  how much of it is wanted
   * @returns false when it is no longer there
   */
  adopt(owner: Owner, positions: number): boolean {
    const legacy = this.#contents.legacyOf(owner.mark)
    invariant(legacy !== null && positions <= legacy.computed, 'a sequence claims what it did not leave')
    if (!this.#takeOver(legacy, owner, positions)) return false
    this.#decodingRows++
    return true
  }

  /** Nobody will claim what is left of earlier sequences. */
  dropLegacies(): void {
    this.#contents.dropLegacies()
  }

  /** To be called when an owner's `computed` has grown, before anybody learns of it. */
  note(owner: Owner): void {
    this.#contents.note(this.rowOf(owner), owner.computed)
  }

  /** A position of a row that a dummy decode step may write: behind all that is of use there. */
  dummyPast(row: number, contextLength: number): number {
    const resident = this.#owners[row]?.computed ?? this.#contents.legacyIn(row)?.computed ?? 0
    if (resident >= contextLength) this.#contents.release(row)
    return Math.min(Math.max(resident, 1), contextLength - 1)
  }

  /** Sequences of `tokens` reserved positions each that could be opened or forked now. Stored prefixes give way. */
  roomFor(tokens: number): number {
    return Math.min(this.freeRows, Math.floor((this.#options.budgetTokens - this.#reservedTokens) / tokens))
  }

  /**
   * Gives the row behind the decoding ones to a prompt, with what it left in an earlier process, or the longest stored prefix, in place.
   *
   * @param reusableTokens  most positions that may be reused; 0 computes all of them
   * @returns               the positions that need no computing
   */
  open(owner: Owner, reusableTokens: number): number {
    const usable = Math.min(reusableTokens, owner.promptTokenIds.length - MIN_COMPUTED_TOKENS)
    const stored = this.#options.reusePrefixes ? this.#store.lengthOf(owner, usable) : 0
    const legacy = this.#contents.legacyOf(owner.mark)
    const left = legacy === null ? 0 : Math.max(0, Math.min(legacy.computed, usable))
    // A legacy that is used whole is cut where its own chunks were.
    const isOfUse = left > stored && (this.#options.reusePrefixes || left === legacy?.computed)
    if (legacy !== null && isOfUse && this.#takeOver(legacy, owner, left)) return left
    if (legacy !== null) this.#contents.forget(legacy)
    this.#reserve(owner)
    const row = this.#nextRow()
    const lent = this.#store.lend(owner, stored, row, this.#storeRoom)
    this.#seat(owner, row, lent)
    this.#fit()
    return lent
  }

  /** The prompt is computed: its row joins the decoding ones. */
  promote(owner: Owner): void {
    const row = this.rowOf(owner)
    const target = this.#decodingRows
    invariant(row >= target, 'the sequence decodes already')
    if (row !== target) this.#move(row, target)
    this.#decodingRows++
  }

  /** Puts a second sequence behind a decoding one: same positions, own row. */
  fork(from: Owner, to: Owner): void {
    const source = this.rowOf(from)
    const target = this.#nextRow()
    invariant(source < target, 'a fork comes right after its prompt was promoted')
    this.#reserve(to)
    this.#fit()
    this.#contents.copy(source, target, from.computed)
    this.#seat(to, target, from.computed)
    this.#decodingRows++
  }

  /** Others may begin with what is computed of the owner's prompt. Little by little: a token takes some 10 to 50 µs to copy. */
  share(owner: Owner): void {
    if (!this.#options.reusePrefixes || this.#broken.has(owner)) return
    this.#store.save(owner, Math.min(owner.computed, owner.promptTokenIds.length), this.rowOf(owner), this.#storeRoom)
  }

  /** What was computed of these is broken: nobody begins with it. */
  distrust(isBroken: (owner: Owner) => boolean): void {
    for (const owner of this.#owners) {
      if (owner === null || !isBroken(owner)) continue
      this.#store.forget(owner)
      this.#broken.add(owner)
    }
  }

  /** The sequence has ended, and what was computed of its prompt is stored where there is room; the last decoding row moves into the hole. */
  close(owner: Owner): void {
    const row = this.rowOf(owner)
    // What it holds, until it is empty.
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

  /** Positions that the store may keep. */
  get #storeRoom(): number {
    return this.#options.budgetTokens - this.#reservedTokens - this.#contents.legacyTokens
  }

  #reserve(owner: Owner): void {
    invariant(this.roomFor(owner.reservedTokens) > 0, 'a row was given away without room for it')
    this.#reservedTokens += owner.reservedTokens
  }

  /** What is stored or left gives way to what is reserved. */
  #fit(): void {
    this.#store.shrink(this.#storeRoom)
    while (this.#storeRoom < 0) {
      const legacy = this.#contents.anyLegacy()
      if (legacy === null) return
      this.#contents.release(legacy.row)
    }
  }

  /** The row behind the decoding ones, which may be written. */
  #nextRow(): number {
    const row = this.#decodingRows
    invariant(this.#owners[row] === null, 'a row is given away while a prompt is prefilled')
    this.#vacate(row)
    return row
  }

  /** @param computed  positions that are in the row already */
  #seat(owner: Owner, row: number, computed: number): void {
    this.#contents.assign(row, owner.mark, computed)
    this.#owners[row] = owner
  }

  /** Puts the owner behind the decoding rows, with the first `positions` of what it left; false, and nothing has happened, when it is gone. */
  #takeOver(legacy: Legacy, owner: Owner, positions: number): boolean {
    const isThere = legacy.remains === null && legacy.row === this.#decodingRows
    const row = isThere ? legacy.row : this.#nextRow()
    if (!isThere && !this.#contents.bring(legacy, row, positions)) return false
    this.#reserve(owner)
    this.#seat(owner, row, positions)
    if (!isThere) this.#contents.forget(legacy)
    this.#fit()
    return true
  }

  /** Makes a free row writable: a legacy there moves to an empty row, or is given up. */
  #vacate(row: number): void {
    const legacy = this.#contents.legacyIn(row)
    if (legacy === null) return
    const empty = this.#emptyRow(row)
    if (empty === null) this.#contents.release(row)
    else this.#contents.moveLegacy(legacy, empty)
  }

  /** The content of `from` goes to `to`, which is free; `from` is empty afterwards. */
  #move(from: number, to: number): void {
    const owner = this.#owners[from] ?? null
    invariant(owner !== null && this.#owners[to] === null, 'a row moves from its owner into a free row')
    this.#vacate(to)
    this.#contents.copy(from, to, owner.computed)
    this.#contents.assign(to, owner.mark, owner.computed)
    this.#owners[to] = owner
    this.#owners[from] = null
    this.#contents.release(from)
  }

  /** A row that nobody holds and that has no legacy, other than `row` and the one that is opened next. */
  #emptyRow(row: number): number | null {
    for (let candidate = this.#contents.rows - 1; candidate > this.#decodingRows; candidate--) {
      const isFree = (this.#owners[candidate] ?? null) === null
      if (candidate !== row && isFree && this.#contents.legacyIn(candidate) === null) return candidate
    }
    return null
  }
}

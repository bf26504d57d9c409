import { invariant } from '../contract/invariant.ts'
import type { EngineLoad } from '../contract/statistics.ts'
import { type Legacy, RowContents, type RowMemory } from './row-contents.ts'

/** Whoever holds a row of the cache. */
export interface RowOwner {
  /** Its name in the ledger (`rowMark`). */
  readonly mark: string
  readonly promptTokenIds: readonly number[]
  readonly cacheSalt: string
  /** Positions of the row that are computed; the first `promptTokenIds.length` of them at most are prompt-class. */
  readonly computed: number
  /** Positions that the row may come to hold: what memory is reserved for. */
  readonly reservedTokens: number
}

export interface RowTableOptions {
  /** Rows that sequences can hold. */
  readonly slots: number
  /** All rows; those from `slots` on only keep prefixes. */
  readonly rows: number
  /** Positions that reservations and kept prefixes may fill together, over all rows. */
  readonly budgetTokens: number
  /** false where the machine's prefill is not bit-equal for every cut into chunks. */
  readonly reusePrefixes: boolean
}

/**
 * Shorter prefixes are not worth a search and a copy: computing them again takes about a millisecond each.
 * A reused prefix leaves two tokens at least, so that the rest is a prefill and never a lone step (DESIGN section 4, determinism).
 */
const MIN_REUSED_TOKENS = 16
const MIN_COMPUTED_TOKENS = 2

/**
 * Who sits in which row. Decoding rows are dense (0..decodingRows-1), so that one run covers them; the prompt being
 * prefilled sits behind them; every other slot is free. Free slots, and parked rows behind the slots, keep the prompts of finished sequences for reuse.
 */
export class RowTable<Owner extends RowOwner> {
  readonly #contents: RowContents
  readonly #options: RowTableOptions
  readonly #owners: (Owner | null)[]
  #decodingRows = 0
  #reservedTokens = 0

  constructor(memory: RowMemory, options: RowTableOptions) {
    this.#contents = new RowContents(memory, options.rows)
    this.#options = options
    this.#owners = new Array<Owner | null>(options.slots).fill(null)
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
      retainedTokens: this.#contents.kept.tokens,
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

  /** What the sequence left in an earlier process; null where there is nothing (any more). */
  legacyOf(mark: string): Legacy | null {
    return this.#contents.legacyOf(mark)
  }

  /**
   * Puts a sequence whose prompt is computed behind the decoding ones, with what it left: from now on it decodes. Nothing is
   * copied where its row is the next one already, so of several that of the lowest row goes first.
   */
  adopt(owner: Owner): void {
    const legacy = this.#contents.legacyOf(owner.mark)
    invariant(legacy !== null && owner.computed <= legacy.computed, 'a sequence claims what it did not leave')
    invariant(this.roomFor(owner.reservedTokens) > 0, 'a row was adopted without room for it')
    const target = this.#decodingRows
    invariant(this.#owners[target] === null, 'a row is adopted while a prompt is prefilled')
    if (legacy.row !== target) {
      this.#vacate(target, legacy.row)
      this.#contents.copy(legacy.row, target, owner.computed)
    }
    this.#seat(owner, target, owner.computed)
    this.#dropLegacy(owner)
    this.#decodingRows++
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
    const resident = this.#owners[row]?.computed ?? this.#contents.kept.at(row)?.residentTokens ?? 0
    if (resident >= contextLength) this.#contents.drop(row)
    return Math.min(Math.max(resident, 1), contextLength - 1)
  }

  /** Sequences of `tokens` reserved positions each that could be opened or forked now. Kept prefixes give way. */
  roomFor(tokens: number): number {
    return Math.min(this.freeRows, Math.floor((this.#options.budgetTokens - this.#reservedTokens) / tokens))
  }

  /**
   * Gives the row behind the decoding ones to a prompt, with the longest prefix that another row holds already in place.
   *
   * @param reusableTokens  most positions that may be reused; 0 computes all of them
   * @returns               the positions that need no computing
   */
  open(owner: Owner, reusableTokens: number): number {
    invariant(this.roomFor(owner.reservedTokens) > 0, 'a row was opened without room for it')
    const target = this.#decodingRows
    invariant(this.#owners[target] === null, 'two prompts are prefilled at once')
    const source = this.#longestPrefix(owner, Math.min(reusableTokens, owner.promptTokenIds.length - MIN_COMPUTED_TOKENS))
    if (source.row !== target) {
      this.#vacate(target, source.row)
      if (source.tokens > 0) this.#contents.copy(source.row, target, source.tokens)
    }
    this.#contents.kept.touch(source.row)
    this.#seat(owner, target, source.tokens)
    this.#dropLegacy(owner)
    return source.tokens
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
    invariant(this.roomFor(to.reservedTokens) > 0, 'a row was forked without room for it')
    const source = this.rowOf(from)
    const target = this.#decodingRows
    invariant(source < target && this.#owners[target] === null, 'a fork comes right after its prompt was promoted')
    this.#vacate(target, source)
    this.#contents.copy(source, target, from.computed)
    this.#seat(to, target, from.computed)
    this.#decodingRows++
  }

  /** The sequence has ended. Its prompt is kept for reuse where that is cheap; the last decoding row moves into the hole. */
  close(owner: Owner): void {
    const row = this.rowOf(owner)
    this.#reservedTokens -= owner.reservedTokens
    this.#owners[row] = null
    this.#contents.unassign(row)
    this.#retain(row, owner)
    if (row >= this.#decodingRows) return
    const last = this.#decodingRows - 1
    if (row !== last) this.#move(last, row)
    this.#decodingRows--
  }

  /** @param computed  positions that are in the row already */
  #seat(owner: Owner, row: number, computed: number): void {
    this.#contents.assign(row, owner.mark, computed)
    this.#owners[row] = owner
    this.#reservedTokens += owner.reservedTokens
    this.#shrink(row)
  }

  /** What is left of its legacy: it sits elsewhere now. */
  #dropLegacy(owner: Owner): void {
    const legacy = this.#contents.legacyOf(owner.mark)
    if (legacy !== null) this.#contents.drop(legacy.row)
  }

  /** The row with the longest prefix of the prompt, and how much of it is worth reusing. */
  #longestPrefix(owner: RowOwner, usable: number): { readonly row: number; readonly tokens: number } {
    const legacy = this.#contents.legacyOf(owner.mark)
    let best = legacy !== null && usable > 0 ? { row: legacy.row, tokens: Math.min(legacy.computed, usable) } : { row: -1, tokens: 0 }
    // A legacy that is used whole is cut where its own chunks were.
    if (!this.#options.reusePrefixes) return best.tokens === legacy?.computed ? best : { row: -1, tokens: 0 }
    for (let row = 0; row < this.#options.rows; row++) {
      const tokens = this.#sharedWith(row, owner, usable)
      if (tokens > best.tokens && tokens >= MIN_REUSED_TOKENS) best = { row, tokens }
    }
    return best
  }

  /** Prompt-class positions of a row that begin like the owner's prompt, at most `limit`. */
  #sharedWith(row: number, owner: RowOwner, limit: number): number {
    const holder = this.#owners[row]
    const kept = holder ?? this.#contents.kept.at(row)
    if (kept === undefined || kept.cacheSalt !== owner.cacheSalt) return 0
    const held = Math.min(kept.promptTokenIds.length, holder?.computed ?? kept.promptTokenIds.length, limit)
    let length = 0
    while (length < held && kept.promptTokenIds[length] === owner.promptTokenIds[length]) length++
    return length
  }

  #retain(row: number, owner: Owner): void {
    const tokens = Math.min(owner.computed, owner.promptTokenIds.length)
    const twin = this.#twin(row, owner, tokens)
    this.#contents.kept.touch(twin)
    const room = this.#options.budgetTokens - this.#reservedTokens
    if (!this.#options.reusePrefixes || tokens < MIN_REUSED_TOKENS || twin >= 0 || owner.computed > room) {
      this.#contents.release(row)
      return
    }
    this.#contents.kept.keep(row, {
      promptTokenIds: owner.promptTokenIds.slice(0, tokens),
      cacheSalt: owner.cacheSalt,
      residentTokens: owner.computed,
      legacyMark: null
    })
    this.#shrink(row)
  }

  /** Another row that holds the same prompt positions; -1 if there is none. */
  #twin(row: number, owner: Owner, tokens: number): number {
    for (let other = 0; other < this.#options.rows; other++) {
      if (other !== row && this.#sharedWith(other, owner, tokens) === tokens) return other
    }
    return -1
  }

  /** Gives up the oldest prefixes until all that is held fits the budget. */
  #shrink(keepRow: number): void {
    while (this.#reservedTokens + this.#contents.kept.tokens > this.#options.budgetTokens) {
      const oldest = this.#contents.kept.oldest(keepRow)
      if (oldest === null) return
      this.#contents.drop(oldest)
    }
  }

  /** Makes a free row writable: a prefix kept there moves to an empty row, or over an older one, or is given up. */
  #vacate(row: number, keepRow: number): void {
    const kept = this.#contents.kept.at(row)
    if (kept === undefined) return
    const target = this.#emptyRow(row) ?? this.#contents.kept.oldest(keepRow)
    if (target !== null && target !== row) {
      this.#contents.drop(target)
      this.#contents.moveKept(row, target, kept)
    }
    this.#contents.drop(row)
  }

  /** The content of `from` goes to `to`, which is free; `from` is empty afterwards. */
  #move(from: number, to: number): void {
    const owner = this.#owners[from] ?? null
    invariant(owner !== null && this.#owners[to] === null, 'a row moves from its owner into a free row')
    this.#vacate(to, from)
    this.#contents.copy(from, to, owner.computed)
    this.#contents.assign(to, owner.mark, owner.computed)
    this.#owners[to] = owner
    this.#owners[from] = null
    this.#contents.release(from)
  }

  /** A row that nobody holds and that keeps nothing, other than `row` and the one that is opened next; parked rows first. */
  #emptyRow(row: number): number | null {
    for (let candidate = this.#options.rows - 1; candidate > this.#decodingRows; candidate--) {
      const isFree = candidate >= this.#options.slots || this.#owners[candidate] === null
      if (candidate !== row && isFree && this.#contents.kept.at(candidate) === undefined) return candidate
    }
    return null
  }
}

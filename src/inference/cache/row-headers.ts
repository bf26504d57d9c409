import { createHash } from 'node:crypto'
import { invariant } from '../contract/invariant.ts'
import { ROW_HEADER_BYTES } from '../contract/model-runner.ts'

/** Header of a row that contains the computed positions 0..computed-1 of one choice of one request. */
export interface RowHeader {
  readonly row: number
  /** See `rowKey`. */
  readonly key: string
  readonly computed: number
}

/** "EVST", and the layout below. */
const MAGIC = 0x45565354
const LAYOUT = 1

const WORDS_PER_ROW = ROW_HEADER_BYTES / 4
/** Words of the first header: magic, layout, identity. */
const IDENTITY_WORD = 2
/** Words of a row's header: computed positions (0: the row has no owner), key. */
const KEY_WORD = 1
const DIGEST_WORDS = 8

/** Identifies one choice of one request in a row header: 64 hexadecimal digits. */
export function rowKey(requestId: string, choice: number): string {
  return digest(`${requestId}\n${choice}`)
}

/**
 * One header per row of the cache, in memory that exists as long as the cache: the row's owner and the number of its
 * computed positions. The successor of a killed process continues from them. A process may be killed at any instant of
 * any call: a header is complete or absent, and because `advance` is called after the positions are computed, no header
 * counts a position that is missing.
 */
export class RowHeaders {
  readonly #words: Int32Array
  readonly #rows: number

  /** @param bytes  at least ROW_HEADER_BYTES × (rows + 1); zeros, or written by an earlier `RowHeaders` */
  constructor(bytes: ArrayBuffer, rows: number) {
    this.#words = new Int32Array(bytes, 0, WORDS_PER_ROW * (rows + 1))
    this.#rows = rows
  }

  /** Whether `begin` was called with this identity: only then do the entries describe the rows. */
  belongsTo(identity: string): boolean {
    return this.#load(0) === MAGIC && this.#load(1) === LAYOUT && this.#read(IDENTITY_WORD) === digest(identity)
  }

  /** Erases all entries and sets the identity. */
  begin(identity: string): void {
    this.#store(0, 0)
    for (let row = 0; row < this.#rows; row++) this.clear(row)
    this.#write(IDENTITY_WORD, digest(identity))
    this.#store(1, LAYOUT)
    this.#store(0, MAGIC)
  }

  entries(): readonly RowHeader[] {
    return Array.from({ length: this.#rows }, (_, row) => ({
      row,
      key: this.#read(this.#at(row) + KEY_WORD),
      computed: this.#load(this.#at(row))
    })).filter(({ computed }) => computed > 0)
  }

  /** Sets the row's owner; the row already contains `computed` of its positions. */
  assign(row: number, key: string, computed: number): void {
    this.clear(row)
    this.#write(this.#at(row) + KEY_WORD, key)
    this.advance(row, computed)
  }

  /** Records that the first `computed` positions of the row are computed. */
  advance(row: number, computed: number): void {
    this.#store(this.#at(row), computed)
  }

  /** Removes the owner: must be called before any position of the row is overwritten or released. */
  clear(row: number): void {
    this.#store(this.#at(row), 0)
  }

  #at(row: number): number {
    invariant(row >= 0 && row < this.#rows, `there is no header of row ${row}`)
    return WORDS_PER_ROW * (row + 1)
  }

  #read(word: number): string {
    const bytes = Buffer.alloc(DIGEST_WORDS * 4)
    for (let index = 0; index < DIGEST_WORDS; index++) bytes.writeInt32BE(this.#load(word + index), index * 4)
    return bytes.toString('hex')
  }

  #write(word: number, hex: string): void {
    const bytes = Buffer.from(hex, 'hex')
    for (let index = 0; index < DIGEST_WORDS; index++) this.#store(word + index, bytes.readInt32BE(index * 4))
  }

  #load(word: number): number {
    return Atomics.load(this.#words, word)
  }

  /** Atomic: their order guarantees that a kill at any instant leaves no wrong header. */
  #store(word: number, value: number): void {
    Atomics.store(this.#words, word, value)
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

import { createHash } from 'node:crypto'
import { invariant } from '../contract/invariant.ts'
import { ROW_NOTE_BYTES } from '../contract/model-runner.ts'

/** What a row holds: computed positions 0..computed-1 of one choice of one request. */
export interface LedgerEntry {
  readonly row: number
  readonly mark: string
  readonly computed: number
}

/** "EVST", and the layout below. */
const MAGIC = 0x45565354
const LAYOUT = 1

const WORDS_PER_ROW = ROW_NOTE_BYTES / 4
/** Words of the head: magic, layout, identity. */
const HEAD_IDENTITY = 2
/** Words of a row: computed positions (0: the row is nobody's), mark. */
const ROW_MARK = 1
const DIGEST_WORDS = 8

/** Names one choice of one request in the ledger: 64 hexadecimal digits. */
export function rowMark(requestId: string, choice: number): string {
  return digest(`${requestId}\n${choice}`)
}

/**
 * Says of each row of the cache whose it is and how much of it is computed, in memory that lives as long as the cache: the successor of a killed
 * process goes on from it. Each call leaves it sound at every instant, so that a process may be killed within: an entry is there whole or not at all,
 * and whoever notes positions only after they are computed never finds one claimed that is not there.
 */
export class RowLedger {
  readonly #words: Int32Array
  readonly #rows: number

  /** @param notes  at least ROW_NOTE_BYTES × (rows + 1) bytes; zeros, or what an earlier ledger wrote */
  constructor(notes: ArrayBuffer, rows: number) {
    this.#words = new Int32Array(notes, 0, WORDS_PER_ROW * (rows + 1))
    this.#rows = rows
  }

  /** Whether it was begun with this identity: then the rows hold what its entries say. */
  belongsTo(identity: string): boolean {
    return this.#load(0) === MAGIC && this.#load(1) === LAYOUT && this.#read(HEAD_IDENTITY) === digest(identity)
  }

  /** Begins anew, without entries. */
  begin(identity: string): void {
    this.#store(0, 0)
    for (let row = 0; row < this.#rows; row++) this.clear(row)
    this.#write(HEAD_IDENTITY, digest(identity))
    this.#store(1, LAYOUT)
    this.#store(0, MAGIC)
  }

  entries(): readonly LedgerEntry[] {
    return Array.from({ length: this.#rows }, (_, row) => ({
      row,
      mark: this.#read(this.#at(row) + ROW_MARK),
      computed: this.#load(this.#at(row))
    })).filter(({ computed }) => computed > 0)
  }

  /** The row is this choice's from now on; `computed` positions of it are there. */
  assign(row: number, mark: string, computed: number): void {
    this.clear(row)
    this.#write(this.#at(row) + ROW_MARK, mark)
    this.advance(row, computed)
  }

  /** The first `computed` positions are there. */
  advance(row: number, computed: number): void {
    this.#store(this.#at(row), computed)
  }

  /** Nobody's: to be called before any of its positions is overwritten or given back. */
  clear(row: number): void {
    this.#store(this.#at(row), 0)
  }

  #at(row: number): number {
    invariant(row >= 0 && row < this.#rows, `the ledger has no row ${row}`)
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

  /** Atomic, because it is the order of these stores that keeps the ledger sound. */
  #store(word: number, value: number): void {
    Atomics.store(this.#words, word, value)
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

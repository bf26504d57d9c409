import { BLOCK_TOKENS, type ModelRunner } from '../contract/model-runner.ts'

/** The part of `ModelRunner` that the store uses, between runs only. */
export type BlockMemory = Pick<ModelRunner, 'blocks' | 'saveBlock' | 'loadBlock' | 'releaseBlock'>

/** Prompts share a block if their salts and all token ids up to its end are equal. */
export interface StoredPrompt {
  readonly promptTokenIds: readonly number[]
  readonly cacheSalt: string
}

/** A tree of blocks: prompts with a common prefix share a path. Keyed by the token ids, so that no keys collide. */
type Branches = Map<string, Block>

interface Block {
  readonly key: string
  /** Index in native memory. */
  readonly block: number
  /** The map that contains this block. */
  readonly siblings: Branches
  readonly next: Branches
}

/**
 * Prefixes of prompts, in blocks of BLOCK_TOKENS positions; a block that several prompts share is stored once.
 * Prompt-class positions only: generated positions are another numeric class and are never reused. The least recently
 * used blocks are evicted first.
 */
export class PrefixStore {
  readonly #memory: BlockMemory
  readonly #roots: Branches = new Map()
  /**
   * Least recently used first. A prompt that uses a block also uses the blocks before it, which are then ordered after
   * it: the first block of the set is always the end of a path.
   */
  readonly #order = new Set<Block>()
  /** Indexes of evicted blocks; all indexes from `#nextUnused` on are free as well. */
  readonly #freed: number[] = []
  #nextUnused = 0

  constructor(memory: BlockMemory) {
    this.#memory = memory
  }

  /** Stored positions. */
  get tokens(): number {
    return this.#order.size * BLOCK_TOKENS
  }

  /** Length of the longest stored prefix of the prompt, at most `limit`. */
  lengthOf(prompt: StoredPrompt, limit: number): number {
    return this.#path(prompt, limit).length * BLOCK_TOKENS
  }

  /**
   * Copies the longest stored prefix of a prompt into a row.
   *
   * @param limit  most positions to copy
   * @param room   most positions that may remain stored: other blocks are evicted first, the prefix's own blocks only
   *   after they were copied
   * @returns      the number of copied positions
   */
  copyPrefix(prompt: StoredPrompt, limit: number, row: number, room: number): number {
    const path = this.#path(prompt, limit)
    this.#use(path)
    const pinned = new Set(path)
    this.#shrink(room, pinned)
    for (const [index, block] of [...path.entries()].reverse()) {
      this.#memory.loadBlock(block.block, row, index * BLOCK_TOKENS)
      pinned.delete(block)
      this.#shrink(room, pinned)
    }
    return path.length * BLOCK_TOKENS
  }

  /**
   * Stores the complete blocks of a prompt that are not stored yet.
   *
   * @param tokens  computed positions of the prompt in the row
   * @param room    most positions that may be stored: older blocks are evicted; blocks that still do not fit are not
   *   stored
   */
  save(prompt: StoredPrompt, tokens: number, row: number, room: number): void {
    const path = this.#path(prompt, tokens)
    this.#use(path)
    const pinned = new Set(path)
    for (let from = path.length * BLOCK_TOKENS; from + BLOCK_TOKENS <= tokens; from += BLOCK_TOKENS) {
      const most = Math.min(room, this.#memory.blocks * BLOCK_TOKENS)
      this.#shrink(most - BLOCK_TOKENS, pinned)
      if (this.tokens + BLOCK_TOKENS > most) break
      const siblings = path.at(-1)?.next ?? this.#roots
      const block = { key: keyOf(prompt, from), block: this.#freed.pop() ?? this.#nextUnused++, siblings, next: new Map() }
      this.#memory.saveBlock(row, from, block.block)
      siblings.set(block.key, block)
      path.push(block)
      pinned.add(block)
      this.#order.add(block)
    }
    this.#use(path)
  }

  /** Evicts the least recently used blocks until at most `tokens` positions are stored. */
  shrink(tokens: number): void {
    this.#shrink(tokens, new Set())
  }

  /** Evicts the prompt's blocks from its end, up to a block that other prompts continue. */
  forget(prompt: StoredPrompt): void {
    for (const block of this.#path(prompt, prompt.promptTokenIds.length).toReversed()) {
      if (block.next.size > 0) return
      this.#drop(block)
    }
  }

  #path(prompt: StoredPrompt, limit: number): Block[] {
    const path: Block[] = []
    let branches = this.#roots
    for (let from = 0; from + BLOCK_TOKENS <= limit && branches.size > 0; from += BLOCK_TOKENS) {
      const block = branches.get(keyOf(prompt, from))
      if (block === undefined) break
      path.push(block)
      branches = block.next
    }
    return path
  }

  /** Marks these blocks as the most recently used, the first of them last. */
  #use(path: readonly Block[]): void {
    for (const block of path.toReversed()) {
      this.#order.delete(block)
      this.#order.add(block)
    }
  }

  /** @param pinned  the most recently used blocks, which are not evicted */
  #shrink(tokens: number, pinned: ReadonlySet<Block>): void {
    for (const block of this.#order) {
      if (this.tokens <= tokens || pinned.has(block)) return
      this.#drop(block)
    }
  }

  #drop(block: Block): void {
    this.#order.delete(block)
    block.siblings.delete(block.key)
    this.#memory.releaseBlock(block.block)
    this.#freed.push(block.block)
  }
}

/** Ids contain no line feed: the first one ends them, for any salt. */
function keyOf({ promptTokenIds, cacheSalt }: StoredPrompt, from: number): string {
  const ids = promptTokenIds.slice(from, from + BLOCK_TOKENS).join()
  return from === 0 ? `${ids}\n${cacheSalt}` : ids
}

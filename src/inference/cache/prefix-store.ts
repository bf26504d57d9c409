import { BLOCK_TOKENS, type ModelRunner } from '../contract/model-runner.ts'

/** What the store needs of native memory: all calls happen between runs. */
export type BlockMemory = Pick<ModelRunner, 'blocks' | 'saveBlock' | 'loadBlock' | 'releaseBlock'>

/** Prompts share blocks where token ids and salt are the same from the first position on. */
export interface StoredPrompt {
  readonly promptTokenIds: readonly number[]
  readonly cacheSalt: string
}

/** Prompts that begin alike are one path up to where they part. Keyed by the ids themselves: nothing collides. */
type Branches = Map<string, Block>

interface Block {
  readonly key: string
  /** In memory. */
  readonly block: number
  /** Those among which it is. */
  readonly siblings: Branches
  readonly next: Branches
}

/**
 * Beginnings of prompts, in blocks of BLOCK_TOKENS positions, each kept once however many prompts begin with it.
 * Prompt-class positions only: what was generated is another numeric class and never reused. The least recently used
 * gives way first.
 */
export class PrefixStore {
  readonly #memory: BlockMemory
  readonly #roots: Branches = new Map()
  /**
   * Least recently used first. A prompt that uses a block uses those before it too, and they are moved behind it: the
   * first is always the end of a path.
   */
  readonly #order = new Set<Block>()
  /** Places of dropped blocks; all places from `#fresh` on are free too. */
  readonly #blocks: number[] = []
  #fresh = 0

  constructor(memory: BlockMemory) {
    this.#memory = memory
  }

  /** Positions that are kept. */
  get tokens(): number {
    return this.#order.size * BLOCK_TOKENS
  }

  /** Positions of the longest kept prefix of the prompt, at most `limit`. */
  lengthOf(prompt: StoredPrompt, limit: number): number {
    return this.#path(prompt, limit).length * BLOCK_TOKENS
  }

  /**
   * Copies the longest kept prefix of a prompt into a row.
   *
   * @param limit  most positions that are copied
   * @param room   most positions that may be kept from now on: other blocks give way before these, and these once they
   *   are copied
   * @returns      the positions that are there
   */
  lend(prompt: StoredPrompt, limit: number, row: number, room: number): number {
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
   * Keeps those whole blocks of a prompt that are not there yet.
   *
   * @param tokens  positions of the prompt that the row holds
   * @param room    most positions that may be kept: older blocks give way; what does not fit then is not kept
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
      const block = { key: keyOf(prompt, from), block: this.#blocks.pop() ?? this.#fresh++, siblings, next: new Map() }
      this.#memory.saveBlock(row, from, block.block)
      siblings.set(block.key, block)
      path.push(block)
      pinned.add(block)
      this.#order.add(block)
    }
    this.#use(path)
  }

  /** The least recently used blocks give way until at most `tokens` positions are kept. */
  shrink(tokens: number): void {
    this.#shrink(tokens, new Set())
  }

  /** All that is kept of the prompt is given up, but for what others go on behind. */
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

  /** These are the youngest from now on, the first of them the very youngest. */
  #use(path: readonly Block[]): void {
    for (const block of path.toReversed()) {
      this.#order.delete(block)
      this.#order.add(block)
    }
  }

  /** @param pinned  the youngest blocks, which stay */
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
    this.#blocks.push(block.block)
  }
}

/** Ids hold no line feed: the first ends them, whatever is in the salt. */
function keyOf({ promptTokenIds, cacheSalt }: StoredPrompt, from: number): string {
  const ids = promptTokenIds.slice(from, from + BLOCK_TOKENS).join()
  return from === 0 ? `${ids}\n${cacheSalt}` : ids
}

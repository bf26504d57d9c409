import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PrefixStore, type StoredPrompt } from '../../../src/inference/cache/prefix-store.ts'
import { BLOCK_TOKENS } from '../../../src/inference/contract/model-runner.ts'
import { FakeRunner } from '../engine/fake-runner.ts'

const BLOCKS = 12

const anyPrompt = fc.record({
  blocks: fc.array(fc.nat(2), { maxLength: 5 }),
  tail: fc.nat(BLOCK_TOKENS - 1),
  cacheSalt: fc.constantFrom('', 'a', '5\na')
})
type Plan = Parameters<typeof promptOf>[0]

const anyUse = fc.record({
  kind: fc.constantFrom('save' as const, 'save' as const, 'copy' as const, 'shrink' as const),
  plan: anyPrompt,
  limit: fc.nat(6 * BLOCK_TOKENS),
  room: fc.integer({ min: -10, max: BLOCKS * BLOCK_TOKENS + 100 })
})

function promptOf({ blocks, tail, cacheSalt }: { blocks: readonly number[]; tail: number; cacheSalt: string }): StoredPrompt {
  const whole = blocks.flatMap(block => Array.from({ length: BLOCK_TOKENS }, (_, index) => (index === 7 ? block : index)))
  return { promptTokenIds: [...whole, ...new Array<number>(tail).fill(9)], cacheSalt }
}

/**
 * Specification of the store, as simple as possible: blocks keyed by all token ids up to their end, with the time of
 * their last use.
 */
class Model {
  readonly used = new Map<string, number>()
  #clock = 0

  longest(plan: Plan, limit: number): string[] {
    const names: string[] = []
    for (const name of blockNames(plan, limit)) {
      if (!this.used.has(name)) break
      names.push(name)
    }
    return names
  }

  save(plan: Plan, limit: number, room: number): void {
    this.use(this.longest(plan, limit))
    const path = blockNames(plan, limit)
    for (const name of path) {
      if (this.used.has(name)) continue
      this.shrink(Math.min(room, BLOCKS * BLOCK_TOKENS) - BLOCK_TOKENS, path)
      if ((this.used.size + 1) * BLOCK_TOKENS > Math.min(room, BLOCKS * BLOCK_TOKENS)) break
      this.used.set(name, 0)
    }
    this.use(this.longest(plan, limit))
  }

  use(names: readonly string[]): void {
    this.#clock++
    for (const name of names) this.used.set(name, this.#clock)
  }

  /** The least recently used block that no other block continues. */
  shrink(room: number, except: readonly string[] = []): void {
    while (this.used.size * BLOCK_TOKENS > room) {
      const ends = [...this.used].filter(([name]) => !this.used.keys().some(other => other !== name && other.startsWith(`${name}/`)))
      const oldest = ends.filter(([name]) => !except.includes(name)).toSorted(([, left], [, right]) => left - right)[0]
      if (oldest === undefined) return
      this.used.delete(oldest[0])
    }
  }
}

/** Keys of the complete blocks in a prompt's first `limit` positions. */
function blockNames({ blocks, cacheSalt }: Plan, limit: number): string[] {
  const count = Math.min(blocks.length, Math.floor(limit / BLOCK_TOKENS))
  return Array.from({ length: count }, (_, index) => [JSON.stringify(cacheSalt), ...blocks.slice(0, index + 1)].join('/'))
}

it('copies exactly the longest stored prefix of the same salt, evicts the least recently used ends first, and stays within its room', () => {
  fc.assert(
    fc.property(fc.array(anyUse, { maxLength: 40 }), uses => {
      const memory = new FakeRunner({ slots: 2, blocks: BLOCKS })
      const store = new PrefixStore(memory)
      const model = new Model()
      const seen: Plan[] = []
      let room = BLOCKS * BLOCK_TOKENS
      for (const { kind, plan, limit, room: nextRoom } of uses) {
        const prompt = promptOf(plan)
        seen.push(plan)
        if (kind === 'save') {
          const there = Math.min(limit, prompt.promptTokenIds.length)
          memory.cache[0] = prompt.promptTokenIds.slice(0, there)
          store.save(prompt, there, 0, room)
          model.save(plan, there, room)
        } else if (kind === 'copy') {
          room = nextRoom
          memory.cache[1] = []
          const copied = store.copyPrefix(prompt, limit, 1, room)
          const expected = model.longest(plan, limit)
          model.use(expected)
          model.shrink(room, expected)
          model.shrink(room)
          expect(copied).toBe(expected.length * BLOCK_TOKENS)
          expect(memory.cache[1]).toEqual(prompt.promptTokenIds.slice(0, copied))
        } else {
          room = nextRoom
          store.shrink(room)
          model.shrink(room)
        }
        expect(store.tokens).toBeLessThanOrEqual(Math.max(0, room))
        expect(store.tokens).toBe(memory.stored.size * BLOCK_TOKENS)
        for (const one of seen) expect(store.lengthOf(promptOf(one), 1000)).toBe(model.longest(one, 1000).length * BLOCK_TOKENS)
      }
    }),
    { numRuns: 500 }
  )
})

it('never stores more than one block above its room, not even while it copies', () => {
  const memory = new FakeRunner({ slots: 2, blocks: 8 })
  const store = new PrefixStore(memory)
  const prompt = promptOf({ blocks: [0, 1, 2, 0, 1, 2], tail: 3, cacheSalt: '' })
  memory.cache[0] = [...prompt.promptTokenIds]
  store.save(prompt, prompt.promptTokenIds.length, 0, 8 * BLOCK_TOKENS)
  memory.cache[0] = []
  const held = (): number => memory.stored.size * BLOCK_TOKENS + (memory.cache[1] ?? []).filter(token => token >= 0).length
  const most = held()
  const seen: number[] = []
  memory.onInstant = () => void seen.push(held())
  expect(store.copyPrefix(prompt, 1000, 1, 0)).toBe(6 * BLOCK_TOKENS)
  expect(Math.max(...seen)).toBeLessThanOrEqual(most + BLOCK_TOKENS)
  expect(store.tokens).toBe(0)
})

it('forgets a prompt, but not the blocks that other prompts share', () => {
  const memory = new FakeRunner({ slots: 2, blocks: 40 })
  const store = new PrefixStore(memory)
  const prompts = [
    [0, 1, 2, 0],
    [0, 1, 1]
  ].map(blocks => promptOf({ blocks, tail: 0, cacheSalt: '' }))
  for (const prompt of prompts) {
    memory.cache[0] = [...prompt.promptTokenIds]
    store.save(prompt, prompt.promptTokenIds.length, 0, 40 * BLOCK_TOKENS)
  }
  if (prompts[0] !== undefined) store.forget(prompts[0])
  expect(prompts.map(prompt => store.lengthOf(prompt, 1000) / BLOCK_TOKENS)).toEqual([2, 3])
  expect(memory.stored.size).toBe(3)
})

it('stores a prefix that two prompts share only once', () => {
  const memory = new FakeRunner({ slots: 2, blocks: 40 })
  const store = new PrefixStore(memory)
  for (const last of [0, 1, 2]) {
    const prompt = promptOf({ blocks: [0, 1, 0, 1, last], tail: 5, cacheSalt: '' })
    memory.cache[0] = [...prompt.promptTokenIds]
    store.save(prompt, prompt.promptTokenIds.length, 0, 40 * BLOCK_TOKENS)
  }
  expect(memory.stored.size).toBe(4 + 3)
})

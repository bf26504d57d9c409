import { closeSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { InvariantError, invariant } from '../../../src/inference/contract/invariant.ts'
import { BLOCK_TOKENS } from '../../../src/inference/contract/model-runner.ts'
import { KvBlocks } from '../../../src/inference/runtime/kv-blocks.ts'
import { KvCache, type KvShape } from '../../../src/inference/runtime/kv-cache.ts'
import { createCacheFile } from '../../../src/inference/runtime/memory/cache-file.ts'
import { openMemory } from '../../../src/inference/runtime/memory/open-memory.ts'
import type { PagedMemory } from '../../../src/inference/runtime/memory/paged-memory.ts'

/** A block is 2 layers × 2 sides × 4 heads × 32 positions × 1 KiB: 512 KiB. */
const SHAPE: KvShape = { layers: 2, rows: 2, kvHeads: 4, capacity: 2048, headDim: 256, cacheType: 'f32' }
const BLOCK_BYTES = 512 * 2 ** 10
const BLOCKS = 64
const SLACK_BYTES = 4 * 2 ** 20

let memory: PagedMemory
let cache: KvCache
let blocks: KvBlocks
beforeEach(() => {
  memory = openMemory()
  cache = new KvCache(memory, SHAPE)
  blocks = new KvBlocks(memory, cache, BLOCKS)
})
afterEach(() => {
  blocks.free()
  cache.free()
})

/** float32 [kvHeads, capacity, headDim] of a row, in place. */
function side(layer: number, which: 'key' | 'value', row: number): Float32Array {
  const { kvHeads, capacity, headDim } = cache.shape
  return new Float32Array(memory.view(cache.address(layer, which, row), kvHeads * capacity * headDim * 4))
}

/** The first number of each position encodes its location. */
function write(row: number, positions: number): void {
  for (const [layer, which, head, position] of indices(positions))
    side(layer, which, row)[offset(head, position)] = name(layer, which, head, position)
}

function offset(head: number, position: number): number {
  return (head * cache.shape.capacity + position) * SHAPE.headDim
}

function name(layer: number, which: 'key' | 'value', head: number, position: number): number {
  return 1 + position + 10_000 * (head + 4 * (layer + (which === 'key' ? 0 : 2)))
}

function* indices(positions: number): Generator<readonly [number, 'key' | 'value', number, number]> {
  for (const layer of [0, 1]) {
    for (const which of ['key', 'value'] as const) {
      for (let head = 0; head < SHAPE.kvHeads; head++)
        for (let position = 0; position < positions; position++) yield [layer, which, head, position]
    }
  }
}

it('copy every head’s positions to another row, and change no other position of it', () => {
  write(0, 100)
  blocks.save(0, BLOCK_TOKENS, 5)
  blocks.load(5, 1, 2 * BLOCK_TOKENS)
  let wrong = 0
  for (const [layer, which, head, position] of indices(200)) {
    const isThere = position >= 2 * BLOCK_TOKENS && position < 3 * BLOCK_TOKENS
    const expected = isThere ? name(layer, which, head, position - BLOCK_TOKENS) : 0
    if (side(layer, which, 1)[offset(head, position)] !== expected) wrong++
  }
  expect(wrong).toBe(0)
})

it.runIf(process.platform === 'linux')('take memory when they are filled, and return it when they are released', () => {
  write(0, BLOCK_TOKENS)
  const before = process.memoryUsage.rss()
  for (let block = 0; block < BLOCKS; block++) blocks.save(0, 0, block)
  const full = process.memoryUsage.rss()
  expect(full - before).toBeGreaterThan(BLOCKS * BLOCK_BYTES - SLACK_BYTES)
  for (let block = 0; block < BLOCKS; block += 2) blocks.release(block)
  expect(full - process.memoryUsage.rss()).toBeGreaterThan((BLOCKS / 2) * BLOCK_BYTES - SLACK_BYTES)
  blocks.load(1, 1, 0)
  expect(side(1, 'value', 1)[offset(3, 31)]).toBe(name(1, 'value', 3, 31))
})

it.runIf(process.platform === 'linux')('keep their content when the rows move to a file', () => {
  write(0, BLOCK_TOKENS)
  blocks.save(0, 0, 0)
  const file = createCacheFile()
  invariant(file !== null && cache.moveTo(file), 'Linux has cache files')
  closeSync(file)
  expect(side(0, 'key', 0)[offset(2, 3)]).toBe(0)
  blocks.load(0, 0, 0)
  expect(side(0, 'key', 0)[offset(2, 3)]).toBe(name(0, 'key', 2, 3))
})

it('may be zero in number', () => {
  const none = new KvBlocks(memory, cache, 0)
  expect(() => none.save(0, 0, 0)).toThrow(InvariantError)
  none.free()
})

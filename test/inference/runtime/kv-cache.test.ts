import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KvCache, type KvShape } from '../../../src/inference/runtime/kv-cache.ts'
import { openMemory } from '../../../src/inference/runtime/memory/open-memory.ts'
import type { PagedMemory } from '../../../src/inference/runtime/memory/paged-memory.ts'

/** A row: 2 layers × 2 sides × 2 heads of 2 MiB. */
const SHAPE: KvShape = { layers: 2, rows: 3, kvHeads: 2, capacity: 8192, headDim: 64, cacheType: 'f32' }
const ROW_BYTES = 16 * 2 ** 20
const SLACK_BYTES = 4 * 2 ** 20

let memory: PagedMemory
let cache: KvCache
beforeEach(() => {
  memory = openMemory()
  cache = new KvCache(memory, SHAPE)
})
afterEach(() => cache.free())

/** float32 [kvHeads, capacity, headDim] of a row, in place. */
function row(layer: number, side: 'key' | 'value', index: number): Float32Array {
  const { kvHeads, capacity, headDim } = cache.shape
  return new Float32Array(memory.view(cache.address(layer, side, index), kvHeads * capacity * headDim * 4))
}

function fill(index: number, value: number): void {
  cache.touch(index)
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    row(layer, 'key', index).fill(value + layer)
    row(layer, 'value', index).fill(-value - layer)
  }
}

function residentBytes(): number {
  return process.memoryUsage.rss()
}

describe('memory', () => {
  it('is taken by written positions only, for any reserved size', () => {
    const before = residentBytes()
    const large = new KvCache(memory, { ...SHAPE, rows: 2000 })
    large.touch(1234)
    row(1, 'key', 2).fill(1, 0, 64)
    large.copyRow(0, 1999, 16)
    expect(residentBytes() - before).toBeLessThan(SLACK_BYTES)
    large.free()
  })

  it('is returned when a row is released, and other rows keep theirs', () => {
    fill(0, 1)
    fill(1, 2)
    fill(2, 3)
    const before = residentBytes()
    cache.releaseRow(1)
    // macOS reclaims the memory only under pressure.
    if (process.platform === 'linux') {
      expect(before - residentBytes()).toBeGreaterThan(ROW_BYTES - SLACK_BYTES)
      expect(row(1, 'value', 1).every(value => value === 0)).toBe(true)
    }
    expect(row(1, 'value', 0).every(value => value === -2)).toBe(true)
    expect(row(0, 'key', 2).every(value => value === 3)).toBe(true)
  })

  it('is taken again by a released row, and returned again', () => {
    fill(0, 1)
    cache.releaseRow(0)
    cache.copyRow(0, 1, 10)
    fill(0, 5)
    expect(row(1, 'key', 0).every(value => value === 6)).toBe(true)
    cache.releaseRow(0)
    cache.releaseRow(0)
    if (process.platform === 'linux') expect(row(1, 'key', 0).every(value => value === 0)).toBe(true)
  })

  it.each((['f32', 'int8'] as const).flatMap(cacheType => [64, 80, 96, 128, 8].map(headDim => ({ cacheType, headDim }))))(
    'pages belong to one row only, also with heads of $headDim numbers in $cacheType and an odd context',
    ({ headDim, cacheType }) => {
      const odd = new KvCache(memory, { layers: 1, rows: 2, kvHeads: 3, capacity: 1001, headDim, cacheType })
      expect(odd.shape.capacity).toBeGreaterThanOrEqual(1001)
      const pageBytes = BigInt(memory.pageBytes)
      for (const index of [0, 1]) expect(odd.address(0, 'key', index) % pageBytes).toBe(0n)
      odd.free()
    }
  )
})

describe('a copied row', () => {
  it('has the first positions of every head, and keeps its own positions after them', () => {
    fill(0, 1)
    fill(2, 7)
    cache.copyRow(0, 2, 100)
    const { capacity, headDim } = cache.shape
    for (const head of [0, 1]) {
      const values = row(1, 'value', 2).subarray(head * capacity * headDim, (head + 1) * capacity * headDim)
      expect(values.subarray(0, 100 * headDim).every(value => value === -2)).toBe(true)
      expect(values.subarray(100 * headDim).every(value => value === -8)).toBe(true)
    }
    expect(row(0, 'key', 0).every(value => value === 1)).toBe(true)
  })

  it('is unchanged by a copy of itself or of zero positions', () => {
    fill(0, 1)
    fill(1, 2)
    cache.copyRow(0, 0, 100)
    cache.copyRow(0, 1, 0)
    expect(row(0, 'key', 0).every(value => value === 1)).toBe(true)
    expect(row(0, 'key', 1).every(value => value === 2)).toBe(true)
  })
})

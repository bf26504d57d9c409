import { closeSync, fstatSync, ftruncateSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { invariant } from '../../../src/inference/contract/invariant.ts'
import { KvCache, type KvShape } from '../../../src/inference/runtime/kv-cache.ts'
import { createCacheFile } from '../../../src/inference/runtime/memory/cache-file.ts'
import { openMemory } from '../../../src/inference/runtime/memory/open-memory.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { tinyGraph, tokens } from './open-tiny.ts'

/** A row: 2 layers × 2 sides × 2 heads of 2 MiB. */
const SHAPE: KvShape = { layers: 2, rows: 3, kvHeads: 2, capacity: 8192, headDim: 64, cacheType: 'f32' }
const ROW_BYTES = 16 * 2 ** 20
const SLACK_BYTES = 2 ** 20

describe.runIf(process.platform === 'linux')('a cache in a file', () => {
  let file: number
  beforeEach(() => {
    const created = createCacheFile()
    invariant(created !== null, 'Linux has cache files')
    file = created
  })
  afterEach(() => closeSync(file))

  function open(shape: Partial<KvShape> = {}): KvCache {
    const cache = new KvCache(openMemory(), { ...SHAPE, ...shape })
    expect(cache.moveTo(file)).toBe(true)
    return cache
  }

  function row(cache: KvCache, index: number): Float32Array {
    return new Float32Array(openMemory().view(cache.address(1, 'value', index), ROW_BYTES / 4))
  }

  function heldBytes(): number {
    return fstatSync(file).blocks * 512
  }

  it('keeps its content, with row headers, for the next process that maps it at any address', () => {
    const first = open()
    row(first, 1).fill(7)
    new Uint8Array(first.rowHeaders).fill(9)
    const next = open()
    first.free()
    expect(row(next, 1).every(value => value === 7)).toBe(true)
    expect(new Uint8Array(next.rowHeaders).every(byte => byte === 9)).toBe(true)
    next.free()
  })

  it('takes memory when it is written, and returns the memory of a row, also of one written by an earlier owner', () => {
    const first = open({ rows: 2000 })
    expect(heldBytes()).toBeLessThan(SLACK_BYTES)
    row(first, 1).fill(7)
    row(first, 2).fill(8)
    expect(heldBytes()).toBeGreaterThan(ROW_BYTES / 2 - SLACK_BYTES)
    first.free()
    const next = open({ rows: 2000 })
    next.releaseRow(1)
    expect(heldBytes()).toBeLessThan(ROW_BYTES / 4 + SLACK_BYTES)
    expect(row(next, 2).every(value => value === 8)).toBe(true)
    next.releaseRow(2)
    expect(heldBytes()).toBeLessThan(SLACK_BYTES)
    next.free()
  })

  it('can be read by another cache, row headers and rows, as long as it exists', () => {
    const first = open()
    row(first, 1).fill(7)
    new Uint8Array(first.rowHeaders).fill(9)
    const other = new KvCache(openMemory(), SHAPE)
    expect(new Uint8Array(other.rowHeadersIn(file) ?? new ArrayBuffer(0))).toEqual(new Uint8Array(first.rowHeaders))
    expect(other.readRow(file, 1, 2, 10)).toBe(true)
    const headFloats = SHAPE.capacity * SHAPE.headDim
    for (const head of [0, headFloats])
      expect(
        row(other, 2)
          .subarray(head, head + 640)
          .every(value => value === 7)
      ).toBe(true)
    expect(row(other, 2)[640]).toBe(0)
    expect(new KvCache(openMemory(), { ...SHAPE, rows: 4 }).rowHeadersIn(file)).toBeNull()
    ftruncateSync(file, 0)
    expect(other.rowHeadersIn(file)).toBeNull()
    expect(other.readRow(file, 1, 2, 10)).toBe(false)
    other.free()
  })

  it('starts empty if the shape differs', () => {
    const first = open()
    row(first, 0).fill(7)
    new Uint8Array(first.rowHeaders).fill(9)
    first.free()
    const next = open({ rows: 4 })
    expect(heldBytes()).toBeLessThan(SLACK_BYTES)
    expect(new Uint8Array(next.rowHeaders).every(byte => byte === 0)).toBe(true)
    next.free()
  })

  it('contains a runner’s positions: another runner continues with the same bits', async () => {
    await using graph = await tinyGraph()
    const first = await openModelRunner(graph.options)
    expect(first.moveCacheTo(file)).toBe(true)
    const prompt = tokens(20)
    await first.prefill(0, 0, prompt, [19])
    await first.decode([3], [20])
    const expected = (await first.decode([4], [21])).slice()
    const next = await openModelRunner(graph.options)
    expect(next.moveCacheTo(file)).toBe(true)
    expect(await next.decode([4], [21])).toEqual(expected)
    first.close()
    next.close()
  })

  it('is rejected, with the content unchanged, if the file is unsuitable', async () => {
    await using graph = await tinyGraph()
    const runner = await openModelRunner(graph.options)
    const prompt = tokens(20)
    await runner.prefill(0, 0, prompt, [19])
    const expected = (await runner.decode([3], [20])).slice()
    expect(runner.moveCacheTo(2 ** 30)).toBe(false)
    expect(await runner.decode([3], [20])).toEqual(expected)
    runner.close()
  })
})

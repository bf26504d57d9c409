import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BLOCK_TOKENS, type ModelRunner } from '../../../src/inference/contract/model-runner.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { GraphUnderTest } from '../graph/run-graph.ts'
import { TINY_LLAMA } from '../graph/tiny-llama.ts'
import { type TinyGraph, tinyGraph, tokens } from './open-tiny.ts'

const { vocabulary } = TINY_LLAMA
const LENGTH = 40
const LAST = [LENGTH - 1]
const EVERY = Array.from({ length: LENGTH }, (_, index) => index)
const FEW_RUNS = { numRuns: 25 }

const FORMS = (['float32', 'eightBit', 'native', 'w8a8'] as const).flatMap(form =>
  (['f32', 'int8'] as const).map(cache => ({ form, cache }))
)

describe.each(FORMS)('weights in $form, cache in $cache', ({ form, cache }) => {
  let graph: TinyGraph
  let runner: ModelRunner
  beforeAll(async () => {
    graph = await tinyGraph(TINY_LLAMA, form, cache)
    runner = await openModelRunner(graph.options)
  })
  beforeEach(() => {
    for (let row = 0; row < runner.rows; row++) runner.releaseRow(row)
  })
  afterAll(async () => {
    runner.close()
    await graph[Symbol.asyncDispose]()
  })

  /** Copies: the runner's buffer is overwritten by the next run. */
  async function prefill(row: number, past: number, ids: readonly number[], expected: readonly number[]): Promise<number[]> {
    return [...(await runner.prefill(row, past, ids, expected))]
  }

  async function decode(ids: readonly number[], pasts: readonly number[]): Promise<number[][]> {
    const logits = [...(await runner.decode(ids, pasts))]
    return ids.map((_, row) => logits.slice(row * vocabulary, (row + 1) * vocabulary))
  }

  it('computes the same logits as onnxruntime-node’s binding, in prefill and in decode', async () => {
    const stock = await GraphUnderTest.open(graph.options.graphPath, TINY_LLAMA, 64, graph.options.cacheScales)
    const first = await stock.run({ ids: [tokens(LENGTH)], pasts: [0], expected: EVERY })
    expect(await prefill(2, 0, tokens(LENGTH), EVERY)).toEqual(first.logits.flat())
    runner.copyRow(2, 0, LENGTH)
    const next = await stock.run({ ids: [[5]], pasts: [LENGTH], cache: first.cache, expected: [0] })
    expect(await decode([5], [LENGTH])).toEqual(next.logits)
    await stock.close()
  })

  it('computes the same logits and cache for any chunks of at least two tokens', async () => {
    const whole = await prefill(0, 0, tokens(LENGTH), EVERY)
    const [after] = await decode([9], [LENGTH])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 2, max: 17 }), { minLength: 1, maxLength: 30 }), async sizes => {
        const seen: number[] = []
        for (const [from, to] of cuts(sizes)) {
          seen.push(...(await prefill(0, from, tokens(LENGTH).slice(from, to), EVERY.slice(0, to - from))))
        }
        expect(seen).toEqual(whole)
        expect(await decode([9], [LENGTH])).toEqual([after])
      }),
      FEW_RUNS
    )
  })

  it('decodes a row with the same logits alone and in any batch, at any index, with any other rows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 2, max: 60 })), { minLength: 2, maxLength: 4 }),
        async rows => {
          const alone: number[][] = []
          for (const [seed, length] of rows) {
            await runner.prefill(0, 0, tokens(length, seed), [])
            alone.push(...(await decode([seed % vocabulary], [length])))
            alone.push(...(await decode([1], [length + 1])))
          }
          for (const [row, [seed, length]] of rows.entries()) await runner.prefill(row, 0, tokens(length, seed), [])
          const first = await decode(
            rows.map(([seed]) => seed % vocabulary),
            rows.map(([, length]) => length)
          )
          const second = await decode(
            rows.map(() => 1),
            rows.map(([, length]) => length + 1)
          )
          expect(rows.flatMap((_, row) => [first[row], second[row]])).toEqual(alone)
        }
      ),
      FEW_RUNS
    )
  })

  it('continues with a copied row as with the original', async () => {
    await runner.prefill(1, 0, tokens(LENGTH), [])
    runner.copyRow(1, 0, LENGTH)
    runner.copyRow(0, 3, LENGTH)
    const [original, copy] = [await prefill(1, LENGTH, tokens(7, 2), [6]), await prefill(3, LENGTH, tokens(7, 2), [6])]
    expect(copy).toEqual(original)
    const [, second] = await decode([3, 3], [LENGTH, LENGTH])
    expect(await decode([3], [LENGTH])).toEqual([second])
  })

  it('stores a row in the spare row, and continues it in another row', async () => {
    const spare = runner.slots
    await runner.prefill(1, 0, tokens(LENGTH), [])
    const whole = await prefill(1, LENGTH, tokens(7, 2), [6])
    runner.copyRow(1, spare, LENGTH)
    runner.releaseRow(1)
    await runner.prefill(1, 0, tokens(90, 8), [])
    runner.copyRow(spare, 2, LENGTH)
    expect(await prefill(2, LENGTH, tokens(7, 2), [6])).toEqual(whole)
  })

  it('continues after blocks as after the positions they were copied from, loaded in any order', async () => {
    const prompt = tokens(3 * BLOCK_TOKENS + 9)
    const last = [prompt.length - 1]
    const whole = await prefill(1, 0, prompt, last)
    for (const [index, block] of [4, 0, 7].entries()) runner.saveBlock(1, index * BLOCK_TOKENS, block)
    runner.releaseRow(1)
    await runner.prefill(2, 0, tokens(120, 8), [])
    for (const [index, block] of [
      [2, 7],
      [1, 0],
      [0, 4]
    ] as const)
      runner.loadBlock(block, 2, index * BLOCK_TOKENS)
    expect(await prefill(2, 3 * BLOCK_TOKENS, prompt.slice(3 * BLOCK_TOKENS), [8])).toEqual(whole)
    for (const block of [4, 0, 7]) runner.releaseBlock(block)
  })

  it('leaves other rows unchanged when one is prefilled, overwritten by a copy or released', async () => {
    await runner.prefill(0, 0, tokens(LENGTH), [])
    const undisturbed = await decode([4], [LENGTH])
    await runner.prefill(1, 0, tokens(200, 5), [])
    runner.copyRow(1, 2, 200)
    runner.releaseRow(1)
    runner.releaseRow(2)
    expect(await decode([4], [LENGTH])).toEqual(undisturbed)
  })

  it('rewinds: a shorter past discards the positions after it', async () => {
    const whole = await prefill(0, 0, tokens(LENGTH), LAST)
    await runner.prefill(0, 20, tokens(50, 9), [])
    expect(await prefill(0, 20, tokens(LENGTH).slice(20), [LENGTH - 21])).toEqual(whole)
  })

  it('starts anew in a released row, and in a used one', async () => {
    const fresh = await prefill(0, 0, tokens(LENGTH), LAST)
    expect(await prefill(0, 0, tokens(LENGTH), LAST)).toEqual(fresh)
    runner.releaseRow(0)
    expect(await prefill(0, 0, tokens(LENGTH), LAST)).toEqual(fresh)
  })

  it('returns logits of the requested tokens, or of none', async () => {
    const every = await prefill(0, 0, tokens(LENGTH), EVERY)
    const some = [0, 7, LENGTH - 1]
    expect(await prefill(0, 0, tokens(LENGTH), some)).toEqual(
      some.flatMap(index => every.slice(index * vocabulary, (index + 1) * vocabulary))
    )
    expect(await prefill(0, 0, tokens(LENGTH), [])).toEqual([])
    const [after] = await decode([9], [LENGTH])
    await runner.prefill(0, 0, tokens(LENGTH), EVERY)
    expect(await decode([9], [LENGTH])).toEqual([after])
  })

  it('accepts a prompt of one token, and one that fills the context', async () => {
    const one = await prefill(0, 0, [7], [0])
    expect(one.some(value => value !== 0)).toBe(true)
    await runner.prefill(0, 0, tokens(TINY_LLAMA.context - 1), [])
    const [last] = await decode([7], [TINY_LLAMA.context - 1])
    expect(last?.every(Number.isFinite)).toBe(true)
  })
})

/** Converts the sizes to ranges that fill LENGTH; a rest of one token joins the chunk before it. */
function cuts(sizes: readonly number[]): [number, number][] {
  const ranges: [number, number][] = []
  for (let from = 0; from < LENGTH; ) {
    const to = from + (sizes[ranges.length % sizes.length] ?? LENGTH)
    const end = to >= LENGTH - 1 ? LENGTH : to
    ranges.push([from, end])
    from = end
  }
  return ranges
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WeightForm } from '../../../src/inference/graph/weight-nodes.ts'
import { referenceLogits } from './reference-llama.ts'
import { GraphUnderTest } from './run-graph.ts'
import { TINY_LLAMA, tinyFourBitWeights, tinyWeights, writeTinyLlama } from './tiny-llama.ts'

const IDS = [3, 60, 7, 7, 0, 21, 63, 12, 33]
const EVERY = IDS.map((_, i) => i)
const CAPACITY = 32

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llama-'))
})
afterAll(() => rm(folder, { recursive: true }))

// 8-bit weights contain the same numbers here; they differ because activations are rounded to 8 bits as well.
const FORMS: { form: WeightForm; tolerance: number }[] = [
  { form: 'float32', tolerance: 1e-4 },
  { form: 'eightBit', tolerance: 0.5 }
]

it('computes the same logits as the reference with matrices in 4 bits, with and without offsets, beside others in 8', async () => {
  const { graphPath } = await writeTinyLlama(join(folder, 'native'), 'native')
  const graph = await GraphUnderTest.open(graphPath, TINY_LLAMA, CAPACITY)
  try {
    const expected = await referenceLogits(TINY_LLAMA, tinyFourBitWeights(TINY_LLAMA), IDS)
    const { logits } = await graph.run({ ids: [IDS], pasts: [0], expected: EVERY })
    expect(maxDifference(logits, expected)).toBeLessThan(0.5)
    // A chunk whose logits nobody needs.
    expect((await graph.run({ ids: [IDS], pasts: [0], expected: [] })).logits).toEqual([])
  } finally {
    await graph.close()
  }
})

describe.each(FORMS)('$form', ({ form, tolerance }) => {
  let graph: GraphUnderTest
  beforeAll(async () => {
    const { graphPath } = await writeTinyLlama(join(folder, form), form)
    graph = await GraphUnderTest.open(graphPath, TINY_LLAMA, CAPACITY)
  })
  afterAll(() => graph.close())

  it('computes the same logits as the reference', async () => {
    const expected = await referenceLogits(TINY_LLAMA, tinyWeights(TINY_LLAMA), IDS)
    const { logits } = await graph.run({ ids: [IDS], pasts: [0], expected: EVERY })
    expect(maxDifference(logits, expected)).toBeLessThan(tolerance)
  })

  it('computes the same logits as the reference with a separate head and with biases', async () => {
    const { graphPath } = await writeTinyLlama(join(folder, `${form}-extras`), form, ['head', 'biases'])
    const other = await GraphUnderTest.open(graphPath, TINY_LLAMA, CAPACITY)
    const expected = await referenceLogits(TINY_LLAMA, tinyWeights(TINY_LLAMA, ['head', 'biases']), IDS)
    const { logits } = await other.run({ ids: [IDS], pasts: [0], expected: EVERY })
    await other.close()
    expect(maxDifference(logits, expected)).toBeLessThan(tolerance)
  })

  it('computes only the requested logits, or none', async () => {
    const { logits: all } = await graph.run({ ids: [IDS], pasts: [0], expected: EVERY })
    for (const expected of [[], [4], [8, 0, 8]]) {
      expect((await graph.run({ ids: [IDS], pasts: [0], expected })).logits).toEqual(expected.map(i => all[i]))
    }
  })

  it('returns bit-equal logits for every division of a prompt into chunks of at least two tokens', async () => {
    const whole = (await graph.run({ ids: [IDS], pasts: [0], expected: [IDS.length - 1] })).logits
    for (let cut = 2; cut <= IDS.length - 2; cut++) {
      const first = await graph.run({ ids: [IDS.slice(0, cut)], pasts: [0], expected: [] })
      const rest = await graph.run({ ids: [IDS.slice(cut)], pasts: [cut], cache: first.cache, expected: [IDS.length - 1 - cut] })
      expect(rest.logits, `cut at ${cut}`).toEqual(whole)
    }
  })

  it('returns bit-equal logits for a row alone and among rows of other lengths', async () => {
    const prompts = [IDS.slice(0, 2), IDS.slice(0, 5), IDS]
    const caches = await Promise.all(prompts.map(async prompt => (await graph.run({ ids: [prompt], pasts: [0], expected: [] })).cache))
    const pasts = prompts.map(prompt => prompt.length)
    const together = await graph.run({ ids: [[5], [6], [7]], pasts, cache: graph.join(caches), expected: [0, 1, 2] })
    for (const [row, cache] of caches.entries()) {
      const alone = await graph.run({ ids: [[5 + row]], pasts: [pasts[row] ?? 0], cache, expected: [0] })
      expect(alone.logits[0], `row ${row}`).toEqual(together.logits[row])
    }
  })
})

function maxDifference(actual: readonly number[][], expected: readonly number[][]): number {
  return Math.max(...expected.flatMap((row, r) => row.map((value, i) => Math.abs(value - (actual[r]?.[i] ?? Number.NaN)))))
}

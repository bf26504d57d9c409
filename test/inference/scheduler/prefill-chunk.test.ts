import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planChunk } from '../../../src/inference/scheduler/prefill-chunk.ts'

const sizes = fc.record({
  promptTokens: fc.integer({ min: 2, max: 600 }),
  chunkTokens: fc.integer({ min: 3, max: 128 }),
  logits: fc.constantFrom('all' as const, 'lastTwo' as const, 'last' as const)
})

it('divides any prompt into chunks of at least two tokens that cover it once, in order', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), ({ promptTokens, chunkTokens, logits }, start) => {
      let computed = start % (promptTokens - 1)
      while (computed < promptTokens) {
        const chunk = planChunk({ computed, promptTokens }, chunkTokens, logits)
        expect(chunk.from).toBe(computed)
        expect(chunk.to - chunk.from).toBeGreaterThanOrEqual(2)
        expect(chunk.to - chunk.from).toBeLessThanOrEqual(chunkTokens)
        computed = chunk.to
      }
      expect(computed).toBe(promptTokens)
    })
  )
})

it('requests the logits of the last position, or of every scored position', () => {
  expect(planChunk({ computed: 0, promptTokens: 5 }, 3, 'last').logitIndices).toEqual([])
  expect(planChunk({ computed: 3, promptTokens: 5 }, 3, 'last').logitIndices).toEqual([1])
  expect(planChunk({ computed: 3, promptTokens: 5 }, 3, 'lastTwo').logitIndices).toEqual([0, 1])
  expect(planChunk({ computed: 0, promptTokens: 5 }, 3, 'all').logitIndices).toEqual([0, 1, 2])
})

it('computes a prompt of one token in one chunk', () => {
  expect(planChunk({ computed: 0, promptTokens: 1 }, 64, 'lastTwo')).toEqual({ from: 0, to: 1, logitIndices: [0] })
})

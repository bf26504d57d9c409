import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planReuse, reusableTokens } from '../../../src/inference/scheduler/prefix-reuse.ts'

const anyReuse = fc
  .record({
    promptTokens: fc.integer({ min: 1, max: 90 }),
    isScored: fc.boolean(),
    stored: fc.nat(90),
    orphanedTokens: fc.nat(120),
    reusePrefixes: fc.boolean()
  })
  .map(({ promptTokens, isScored, stored, ...rest }) => {
    const reusable = reusableTokens(promptTokens, isScored)
    return { promptTokens, isScored, state: { ...rest, reusableTokens: reusable, storedTokens: Math.min(stored, reusable) } }
  })

it('leaves two tokens of a prompt to compute, and all tokens of a scored prompt', () => {
  fc.assert(
    fc.property(anyReuse, ({ promptTokens, isScored, state }) => {
      const { orphanedTokens, storedTokens } = planReuse(state)
      const most = isScored ? 0 : Math.max(0, promptTokens - 2)
      expect(orphanedTokens).toBeLessThanOrEqual(Math.min(most, state.orphanedTokens))
      expect(storedTokens).toBeLessThanOrEqual(most)
    })
  )
})

it('uses the longer of stored prefix and orphaned row, the latter only completely where chunk boundaries change results', () => {
  fc.assert(
    fc.property(anyReuse, ({ state }) => {
      const { orphanedTokens, storedTokens } = planReuse(state)
      const usable = Math.min(state.orphanedTokens, state.reusableTokens)
      if (orphanedTokens > 0) expect(orphanedTokens).toBeGreaterThan(storedTokens)
      else expect(usable <= storedTokens || (!state.reusePrefixes && usable < state.orphanedTokens)).toBe(true)
      if (orphanedTokens > 0 && !state.reusePrefixes) expect(orphanedTokens).toBe(state.orphanedTokens)
    })
  )
})

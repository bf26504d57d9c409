import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rowKey } from '../../../src/inference/cache/row-headers.ts'
import { type RowOwner, RowTable } from '../../../src/inference/cache/row-table.ts'
import { BLOCK_TOKENS } from '../../../src/inference/contract/model-runner.ts'
import { roomFor } from '../../../src/inference/scheduler/plan-step.ts'
import { FakeRunner } from '../engine/fake-runner.ts'

interface Owner extends RowOwner {
  computed: number
}

const SLOTS = 4
const BUDGET = 300

const action = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const),
    shared: fc.constantFrom(0, 20, 32, 70, 96),
    salt: fc.constantFrom('', '', 'a'),
    own: fc.integer({ min: 2, max: 30 }),
    more: fc.integer({ min: 1, max: 20 })
  }),
  fc.record({ kind: fc.constant('fork' as const) }),
  fc.record({ kind: fc.constant('decode' as const) }),
  fc.record({ kind: fc.constant('close' as const), which: fc.nat(7) })
)

it('keeps rows complete, decoding rows dense and memory within its budget, for any sequence of operations', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async actions => {
      const memory = new FakeRunner({ slots: SLOTS, contextLength: 200, vocabularySize: 4 })
      const table = new RowTable<Owner>(memory, { budgetTokens: BUDGET, reusePrefixes: true })
      let next = 100
      for (const step of actions) {
        const decoding = table.decoding()
        if (step.kind === 'open') {
          const prompt = [...Array.from({ length: step.shared }, (_, index) => index), ...Array.from({ length: step.own }, () => next++)]
          const owner: Owner = {
            key: rowKey('r', next),
            promptTokenIds: prompt,
            cacheSalt: step.salt,
            computed: 0,
            reservedTokens: prompt.length + step.more
          }
          if (roomFor(table.room, owner.reservedTokens) < 1) continue
          owner.computed = table.open(owner, prompt.length)
          expect(memory.cache[table.rowOf(owner)]?.slice(0, owner.computed)).toEqual(prompt.slice(0, owner.computed))
          await memory.prefill(table.rowOf(owner), owner.computed, prompt.slice(owner.computed), [])
          owner.computed = prompt.length
          table.promote(owner)
          table.share(owner)
        } else if (step.kind === 'fork') {
          const from = decoding.at(-1)
          if (from === undefined || from.computed !== from.promptTokenIds.length || roomFor(table.room, from.reservedTokens) < 1) continue
          table.fork(from, { ...from, key: rowKey('f', next++) })
        } else if (step.kind === 'decode') {
          const isFull = decoding.some(owner => owner.computed === owner.reservedTokens)
          if (decoding.length === 0 || isFull) continue
          await memory.decode(
            decoding.map(() => 1),
            decoding.map(owner => owner.computed)
          )
          for (const owner of decoding) owner.computed++
        } else {
          const owner = decoding[step.which]
          if (owner !== undefined) table.close(owner)
        }
        expect(table.gauges.reservedTokens + table.gauges.retainedTokens).toBeLessThanOrEqual(BUDGET)
        expect(memory.cache.flat().length + memory.stored.size * BLOCK_TOKENS).toBeLessThanOrEqual(BUDGET)
        table.decoding().forEach((owner, row) => {
          expect(table.rowOf(owner)).toBe(row)
          const content = memory.cache[row] ?? []
          expect(content.length).toBeGreaterThanOrEqual(owner.computed)
          expect(content.slice(0, owner.promptTokenIds.length)).toEqual(owner.promptTokenIds)
        })
      }
    }),
    { numRuns: 300 }
  )
})

it('returns the memory of all rows when nothing can be reused', () => {
  const memory = new FakeRunner({ slots: 2 })
  const table = new RowTable<Owner>(memory, { budgetTokens: 100, reusePrefixes: false })
  const owner: Owner = { key: rowKey('r', 0), promptTokenIds: [1, 2, 3], cacheSalt: '', computed: 0, reservedTokens: 10 }
  table.open(owner, 3)
  memory.cache[0]?.push(1, 2, 3)
  owner.computed = 3
  table.promote(owner)
  table.close(owner)
  expect(memory.cache).toEqual([[], [], []])
  expect(table.gauges.reservedTokens).toBe(0)
})

it('stores the blocks of a sequence at its end that did not fit while it ran', async () => {
  const memory = new FakeRunner({ slots: 2 })
  const table = new RowTable<Owner>(memory, { budgetTokens: 150, reusePrefixes: true })
  const prompt = Array.from({ length: 70 }, (_, index) => index)
  const owner: Owner = { key: rowKey('r', 0), promptTokenIds: prompt, cacheSalt: '', computed: 0, reservedTokens: 150 }
  table.open(owner, 70)
  await memory.prefill(0, 0, prompt, [])
  owner.computed = 70
  table.promote(owner)
  table.share(owner)
  expect(table.gauges).toMatchObject({ reservedTokens: 150, retainedTokens: 0 })
  table.close(owner)
  expect(table.gauges).toMatchObject({ reservedTokens: 0, retainedTokens: 64 })
  expect(table.open({ ...owner, computed: 0, reservedTokens: 80 }, 70)).toBe(64)
})

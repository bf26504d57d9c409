import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planStep, roomFor } from '../../../src/inference/scheduler/plan-step.ts'
import { anyWorkload, reservedTokensOf, type WalkedStep, type Workload, walk } from './step-walk.ts'

/** More steps than any workload needs: a walk that reaches it makes no progress. */
const MAX_STEPS = 5000

function steps(workload: Workload): readonly WalkedStep[] {
  return walk(workload).take(MAX_STEPS).toArray()
}

function forEveryWorkload(law: (steps: readonly WalkedStep[], workload: Workload) => void): void {
  fc.assert(
    fc.property(anyWorkload, workload => law(steps(workload), workload)),
    { numRuns: 100 }
  )
}

it('computes every prompt and every token of every choice, and waits only when there is nothing to do', () => {
  forEveryWorkload((walked, { arrivals }) => {
    expect(walked.at(-1)?.plan).toEqual({ kind: 'wait' })
    const decoded = new Map<number, number>()
    const prefilled = new Map<number, number>()
    const attached = new Map<number, number>()
    for (const { state, plan, choices } of walked) {
      for (const { id } of choices) {
        if (plan.kind === 'decode') decoded.set(id, (decoded.get(id) ?? 0) + 1)
        if (plan.kind === 'prefill') prefilled.set(id, plan.to)
        if (plan.kind === 'attach') attached.set(id, plan.positions)
      }
      if (plan.kind === 'wait') expect(state).toMatchObject({ decodingRows: 0, prompt: null, resumed: [], waiting: [] })
    }
    const all = new Map(walked.flatMap(({ choices }) => choices.map(choice => [choice.id, choice.arrival] as const)))
    expect(all.size).toBe(arrivals.reduce((sum, { choices }) => sum + choices, 0))
    for (const [id, one] of all) {
      const computed = attached.get(id) ?? prefilled.get(id) ?? 0
      expect(computed).toBeGreaterThanOrEqual(one.promptTokens)
      expect(computed + (decoded.get(id) ?? 0)).toBe(reservedTokensOf(one))
    }
  })
})

it('lets decoding rows wait for at most one chunk, of the size for that case', () => {
  forEveryWorkload((walked, { limits }) => {
    const runs = walked.filter(({ plan }) => plan.kind === 'prefill' || plan.kind === 'decode')
    for (const [index, { state, plan }] of runs.entries()) {
      if (plan.kind !== 'prefill' || state.decodingRows === 0) continue
      expect(plan.to - plan.from).toBeLessThanOrEqual(limits.chunkTokens)
      expect(runs[index + 1]?.plan).toMatchObject({ kind: 'decode', rows: expect.any(Number) })
    }
  })
})

it('takes longer chunks while no row decodes', () => {
  forEveryWorkload((walked, { limits }) => {
    for (const { state, plan } of walked) {
      if (plan.kind !== 'prefill' || state.decodingRows > 0 || plan.to === state.prompt?.promptTokens) continue
      expect(plan.to - plan.from).toBeGreaterThanOrEqual(limits.loneChunkTokens - 1)
    }
  })
})

it('computes a prompt in order, in chunks of at least two tokens that end with the prompt, alone in its row', () => {
  forEveryWorkload(walked => {
    for (const { state, plan } of walked) {
      if (plan.kind !== 'prefill') continue
      expect(plan).toMatchObject({ from: state.prompt?.computed, row: state.prompt?.row })
      expect(plan.to - plan.from).toBeGreaterThanOrEqual(state.prompt?.promptTokens === 1 ? 1 : 2)
      expect(plan.to).toBeLessThanOrEqual(state.prompt?.promptTokens ?? 0)
    }
  })
})

it('never reserves more rows or positions than there are', () => {
  forEveryWorkload((walked, { slots, budgetTokens }) => {
    for (const { state } of walked) {
      expect(state.room.freeRows).toBeGreaterThanOrEqual(0)
      expect(state.decodingRows).toBeLessThanOrEqual(slots)
      expect(state.room.reservedTokens).toBeLessThanOrEqual(budgetTokens)
    }
  })
})

it('admits groups first come, first served, and as many choices of a group together as fit', () => {
  forEveryWorkload(walked => {
    const queue: number[] = []
    for (const { state, plan, choices } of walked) {
      const waiting = state.waiting.flatMap(group => group.choices as readonly { readonly id: number }[]).map(({ id }) => id)
      queue.push(...waiting.filter(id => !queue.includes(id)))
      if (plan.kind !== 'admit') continue
      const [group] = state.waiting
      expect(choices).toHaveLength(Math.min(group?.choices.length ?? 0, roomFor(state.room, group?.reservedTokens ?? 0)))
      expect(choices.map(({ id }) => id)).toEqual(queue.splice(0, choices.length))
    }
  })
})

it('resumes sequences of a killed process before it admits others, and only with room, a computed prompt and a token to compute', () => {
  forEveryWorkload(walked => {
    for (const { state, plan } of walked) {
      if (plan.kind === 'admit' || plan.kind === 'wait') expect(state.resumed).toEqual([])
      if (plan.kind !== 'attach') continue
      const one = state.resumed[plan.index]
      expect(plan.positions).toBeGreaterThanOrEqual(one?.promptTokens ?? Number.POSITIVE_INFINITY)
      expect(plan.positions).toBeLessThanOrEqual(one?.orphan?.computed ?? 0)
      expect(plan.positions).toBeLessThan(one?.knownTokens ?? 0)
      expect(roomFor(state.room, one?.reservedTokens ?? 0)).toBeGreaterThan(0)
      expect(one?.orphan?.row).toBe(Math.min(...state.resumed.map(({ orphan }) => orphan?.row ?? 0)))
    }
  })
})

it('recomputes a resumed sequence only if its row or the room for it is gone', () => {
  forEveryWorkload(walked => {
    for (const { state, plan } of walked) {
      if (plan.kind !== 'requeue') continue
      const one = state.resumed[plan.index]
      const usable = Math.min(one?.orphan?.computed ?? 0, (one?.knownTokens ?? 0) - 1)
      const fits = usable >= (one?.promptTokens ?? 0) && roomFor(state.room, one?.reservedTokens ?? 0) > 0
      expect(fits).toBe(false)
    }
  })
})

it('finds room for exactly as many sequences as fit in rows and positions', () => {
  const anyRoom = fc.record({ freeRows: fc.nat(6), reservedTokens: fc.nat(100), budgetTokens: fc.integer({ min: 100, max: 200 }) })
  fc.assert(
    fc.property(anyRoom, fc.integer({ min: 1, max: 60 }), (room, tokens) => {
      const fits = (count: number) => count <= room.freeRows && room.reservedTokens + count * tokens <= room.budgetTokens
      const count = roomFor(room, tokens)
      expect([fits(count), fits(count + 1)]).toEqual([true, false])
    })
  )
})

it('decodes all decoding rows in one step, with a dummy row where a single row is another numeric class', () => {
  forEveryWorkload((walked, { limits }) => {
    for (const { state, plan } of walked) {
      if (plan.kind !== 'decode') continue
      expect(plan.rows).toBe(state.decodingRows)
      expect(plan.rows + plan.dummyRows).toBe(Math.max(state.decodingRows, limits.minDecodeRows))
    }
  })
})

it('is a pure function of the state', () => {
  forEveryWorkload(walked => {
    for (const { state, plan } of walked) {
      const copy = structuredClone(state)
      expect(planStep(copy)).toEqual(plan)
      expect(copy).toEqual(state)
    }
  })
})

it('does not starve a large group: smaller groups after it wait too', () => {
  const group = (reservedTokens: number) => ({ choices: [{}], reservedTokens })
  const plan = planStep({
    limits: { chunkTokens: 8, loneChunkTokens: 8, minDecodeRows: 1 },
    room: { freeRows: 3, reservedTokens: 60, budgetTokens: 100 },
    decodingRows: 1,
    isDecodeDue: false,
    prompt: null,
    resumed: [],
    waiting: [group(50), group(10)]
  })
  expect(plan.kind).toBe('decode')
})

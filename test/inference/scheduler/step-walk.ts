import fc from 'fast-check'
import { planStep, type SchedulerLimits, type SchedulerState, type StepPlan } from '../../../src/inference/scheduler/plan-step.ts'
import type { LogitSelection } from '../../../src/inference/scheduler/prefill-chunk.ts'

/** Choices of one prompt, and their time of arrival. */
export interface Arrival {
  readonly atStep: number
  readonly choices: number
  readonly promptTokens: number
  /** If 0, the prompt has one choice, which ends with its prefill. */
  readonly newTokens: number
  readonly logits: LogitSelection
  /** Positions found among stored prefixes, limited by the prompt's length. */
  readonly storedTokens: number
  /** Positions of each choice's row that a killed process left; null for a new request. */
  readonly orphanedTokens: number | null
}

export interface Workload {
  readonly limits: SchedulerLimits
  readonly slots: number
  readonly budgetTokens: number
  readonly arrivals: readonly Arrival[]
}

interface Choice {
  readonly id: number
  readonly arrival: Arrival
}

interface Prompt {
  readonly choices: readonly Choice[]
  readonly row: number
  computed: number
}

/** A plan, with its state and the choices that it concerns. */
export interface WalkedStep {
  readonly state: SchedulerState
  readonly plan: StepPlan
  readonly choices: readonly Choice[]
}

const BUDGET = 120

const arrival = fc
  .record({
    atStep: fc.nat(30),
    choices: fc.integer({ min: 1, max: 6 }),
    promptTokens: fc.integer({ min: 1, max: 60 }),
    newTokens: fc.integer({ min: 0, max: 12 }),
    logits: fc.constantFrom('all' as const, 'lastTwo' as const, 'last' as const),
    storedTokens: fc.nat(60),
    orphanedTokens: fc.option(fc.nat(72))
  })
  .map(one => ({ ...one, choices: one.newTokens === 0 ? 1 : one.choices }))

export const anyWorkload: fc.Arbitrary<Workload> = fc.record({
  limits: fc.record({
    chunkTokens: fc.integer({ min: 3, max: 20 }),
    loneChunkTokens: fc.integer({ min: 3, max: 40 }),
    minDecodeRows: fc.constantFrom(1 as const, 2 as const)
  }),
  slots: fc.integer({ min: 1, max: 5 }),
  budgetTokens: fc.constantFrom(72, BUDGET, 1000),
  arrivals: fc.array(arrival, { minLength: 1, maxLength: 8 })
})

export function reservedTokensOf({ promptTokens, newTokens }: Arrival): number {
  return promptTokens + newTokens
}

/** Applies plans to counts only, until the scheduler waits and all groups have arrived. */
export function* walk({ limits, slots, budgetTokens, arrivals }: Workload): Generator<WalkedStep> {
  const decoding: { readonly choice: Choice; left: number }[] = []
  const waiting: { choices: readonly Choice[]; readonly reservedTokens: number }[] = []
  const resumed: Choice[] = []
  let toArrive = arrivals.toSorted((left, right) => left.atStep - right.atStep)
  let prompt: Prompt | null = null
  let isDecodeDue = false
  let nextId = 0

  const arrive = (isArriving: (one: Arrival) => boolean): void => {
    for (const one of toArrive.filter(isArriving)) {
      const choices = Array.from({ length: one.choices }, () => ({ id: nextId++, arrival: one }))
      const isResumed = one.orphanedTokens !== null && one.newTokens >= 2
      if (isResumed) resumed.push(...choices)
      else waiting.push({ choices, reservedTokens: reservedTokensOf(one) })
    }
    toArrive = toArrive.filter(one => !isArriving(one))
  }
  const state = (): SchedulerState => {
    const rows = [...decoding.map(({ choice }) => choice), ...(prompt?.choices.slice(0, 1) ?? [])]
    return {
      limits,
      decodingRows: decoding.length,
      isDecodeDue,
      room: {
        freeRows: slots - rows.length,
        reservedTokens: rows.reduce((sum, choice) => sum + reservedTokensOf(choice.arrival), 0),
        budgetTokens
      },
      prompt: prompt === null ? null : { row: prompt.row, computed: prompt.computed, ...first(prompt.choices).arrival },
      resumed: resumed.map(({ id, arrival: { promptTokens, orphanedTokens, ...one } }) => ({
        promptTokens,
        knownTokens: promptTokens + one.newTokens - 1,
        reservedTokens: promptTokens + one.newTokens,
        orphan: orphanedTokens === null ? null : { row: (id * 7) % 5, computed: orphanedTokens }
      })),
      waiting: [...waiting]
    }
  }

  for (let step = 0; ; step++) {
    arrive(one => one.atStep <= step)
    const before = state()
    const plan = planStep(before)
    let choices: readonly Choice[] = []
    if (plan.kind === 'attach' || plan.kind === 'requeue') {
      choices = resumed.splice(plan.index, 1)
      const choice = first(choices)
      if (plan.kind === 'attach') decoding.push({ choice, left: choice.arrival.promptTokens + choice.arrival.newTokens - plan.positions })
      else waiting.push({ choices, reservedTokens: reservedTokensOf(choice.arrival) })
    } else if (plan.kind === 'admit') {
      const group = first(waiting)
      choices = group.choices.slice(0, plan.choices)
      const rest = group.choices.slice(plan.choices)
      waiting.splice(0, 1, ...(rest.length > 0 ? [{ ...group, choices: rest }] : []))
      const { promptTokens, storedTokens } = first(choices).arrival
      prompt = { choices, row: decoding.length, computed: Math.max(0, Math.min(storedTokens, promptTokens - 2)) }
    } else if (plan.kind === 'prefill') {
      const running: Prompt = prompt ?? { choices: [], row: -1, computed: 0 }
      choices = running.choices
      running.computed = plan.to
      if (plan.to === first(choices).arrival.promptTokens) {
        for (const choice of choices) if (choice.arrival.newTokens > 0) decoding.push({ choice, left: choice.arrival.newTokens })
        prompt = null
      }
      isDecodeDue = decoding.length > 0
    } else if (plan.kind === 'decode') {
      choices = decoding.map(({ choice }) => choice)
      for (const row of decoding) row.left--
      for (const row of decoding.filter(({ left }) => left <= 0)) decoding.splice(decoding.indexOf(row), 1)
      isDecodeDue = false
    }
    yield { state: before, plan, choices }
    if (plan.kind !== 'wait') continue
    if (toArrive.length === 0) return
    arrive(one => one.atStep === toArrive[0]?.atStep)
  }
}

function first<Item>(items: readonly Item[]): Item {
  const [item] = items
  if (item === undefined) throw new Error('there is no first item')
  return item
}

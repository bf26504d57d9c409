import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { encodeSimulated, simulatedLabel } from '../../../src/inference/simulated/vocabulary.ts'
import { alone, request, SimulatedHarness, textOf, timeless } from './simulated-harness.ts'

const generation = fc.record({
  prompts: fc.array(
    fc.string({ unit: 'binary', minLength: 1 }).map(text => ({ tokenIds: encodeSimulated(text) })),
    { minLength: 1, maxLength: 3 }
  ),
  choicesPerPrompt: fc.integer({ min: 1, max: 3 }),
  maxNewTokens: fc.nat(12),
  stopStrings: fc.constantFrom([], ['.'], ['水', '🌊ra'], ['ra d']),
  topLogprobs: fc.constantFrom(null, 0, 5),
  echo: fc.boolean()
})

async function emit(changes: Partial<GenerationRequest>): Promise<string> {
  const harness = new SimulatedHarness()
  await harness.run(request('a', changes))
  return textOf(harness.tokens('a'))
}

it('generates the same text alone and among others, in whatever order they get slots', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(generation, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 4 }), async (plans, slots) => {
      const requests = plans.map((plan, index) => request(`r${index}`, plan))
      const harness = new SimulatedHarness({ slots })
      await harness.run(...requests)
      for (const one of requests) expect(settled(harness.events(one.id))).toEqual(settled(await alone(one)))
    }),
    { numRuns: 50 }
  )
})

it('repeats the text, and generates another one for another prompt, seed or choice', async () => {
  const { sampling } = request('a')
  const first = await emit({ maxNewTokens: 20 })
  expect(await emit({ maxNewTokens: 20 })).toBe(first)
  expect(await emit({ maxNewTokens: 20, prompts: [{ tokenIds: encodeSimulated('once upoo') }] })).not.toBe(first)
  expect(await emit({ maxNewTokens: 20, sampling: { ...sampling, seed: -7 } })).not.toBe(first)
  const harness = new SimulatedHarness()
  await harness.run(request('n', { maxNewTokens: 20, choicesPerPrompt: 2 }))
  expect([textOf(harness.tokens('n'), 0), textOf(harness.tokens('n'), 1)]).toEqual([first, expect.not.stringMatching(first)])
})

it('ignores the seed at temperature 0', async () => {
  const { sampling } = request('a')
  expect(await emit({ sampling: { ...sampling, temperature: 0, seed: 1 } })).toBe(await emit({ sampling: { ...sampling, temperature: 0 } }))
})

it('emits the texts of its tokens up to the stop string', async () => {
  await fc.assert(
    fc.asyncProperty(generation, async plan => {
      const harness = new SimulatedHarness()
      await harness.run(request('a', plan))
      for (let choice = 0; choice < plan.prompts.length * plan.choicesPerPrompt; choice++) {
        const tokens = harness.tokens('a').filter(token => token.choice === choice)
        const whole = tokens.map(({ tokenId }) => simulatedLabel(tokenId)).join('')
        const end = tokens.at(-1)?.end
        expect(tokens.map(({ position }) => position)).toEqual(tokens.map((_, index) => index))
        expect(tokens.slice(0, -1).every(token => token.end === null)).toBe(true)
        const text = textOf(tokens, choice)
        expect(whole.startsWith(text + (end?.stopString ?? ''))).toBe(true)
        if (end?.reason === 'length') expect([tokens.length, text]).toEqual([plan.maxNewTokens, whole])
      }
    }),
    { numRuns: 50 }
  )
})

it('emits the prompt in pieces that concatenate to it, with as many scores as tokens', async () => {
  const text = '水🌊'.repeat(200)
  const events = await alone(
    request('a', { prompts: [{ tokenIds: encodeSimulated(text) }], echo: true, topLogprobs: 2, promptLogprobs: 2, choicesPerPrompt: 2 })
  )
  const prompts = events.filter(event => event.kind === 'prompt')
  expect(prompts.map(({ tokenIds }) => tokenIds.length)).toEqual([...Array.from({ length: 10 }, () => 128), 120])
  expect(prompts.map(prompt => prompt.text).join('')).toBe(text)
  expect(prompts.every(prompt => prompt.text.isWellFormed())).toBe(true)
  const scores = prompts.flatMap(prompt => prompt.scores ?? [])
  expect(scores).toHaveLength(1400)
  expect(scores[0]).toEqual({ tokenId: 0xe6, text: 'bytes:\\xe6', logprob: null, top: [], textOffset: 0 })
  expect(events.findIndex(event => event.kind === 'token')).toBeGreaterThan(events.findLastIndex(event => event.kind === 'prompt'))
})

it('offsets scores by code points from the start of the prompt', async () => {
  const events = await alone(request('a', { prompts: [{ tokenIds: encodeSimulated('水🌊!') }], topLogprobs: 0 }))
  let offset = 3
  for (const event of events) {
    if (event.kind !== 'token') continue
    expect(event.score).toMatchObject({ textOffset: offset, text: simulatedLabel(event.tokenId), top: [] })
    offset += Array.from(simulatedLabel(event.tokenId)).length
  }
})

it('gives a token the same score wherever it is listed, argmax first, no token twice', async () => {
  const events = await alone(request('a', { maxNewTokens: 50, topLogprobs: 20 }))
  for (const event of events) {
    if (event.kind !== 'token') continue
    const { top = [], logprob } = event.score ?? {}
    expect(top.find(({ tokenId }) => tokenId === event.tokenId)?.logprob).toBe(logprob)
    expect(new Set(top.map(({ tokenId }) => tokenId)).size).toBe(20)
    expect(top.map(one => one.logprob)).toEqual(top.map(one => one.logprob).sort((a, b) => b - a))
  }
})

/** Without durations and ordered by choice: other requests change both. */
function settled(events: Awaited<ReturnType<typeof alone>>): unknown {
  const ended = events.map(timeless)
  const index = (event: (typeof ended)[number]): number => {
    if (event.kind === 'token') return 1 + event.choice
    return event.kind === 'prompt' ? 0 : event.kind === 'started' ? -1 : Number.POSITIVE_INFINITY
  }
  return ended.sort((a, b) => index(a) - index(b))
}

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeSimulated } from '../../../src/inference/simulated/vocabulary.ts'
import { alone, request, SimulatedHarness, timeless } from './simulated-harness.ts'

const generation = fc.record({
  prompts: fc.array(
    fc.string({ unit: 'binary', minLength: 1 }).map(text => ({ tokenIds: encodeSimulated(text) })),
    { minLength: 1, maxLength: 3 }
  ),
  choicesPerPrompt: fc.integer({ min: 1, max: 3 }),
  shownPerPrompt: fc.integer({ min: 1, max: 3 }),
  maxNewTokens: fc.nat(12),
  stopStrings: fc.constantFrom([], ['.'], ['水', '🌊ra'], ['ra d']),
  topLogprobs: fc.constantFrom(null, 0, 5),
  promptLogprobs: fc.constantFrom(null, 2),
  echo: fc.boolean()
})

/** Without durations and ordered by choice, because a log may be cut within a step. */
function settled(events: Awaited<ReturnType<typeof alone>>): unknown {
  const ended = events.map(timeless)
  const index = (event: (typeof ended)[number]): number => (event.kind === 'token' ? event.choice : event.kind === 'finished' ? 1000 : -1)
  return ended.sort((a, b) => index(a) - index(b))
}

it('continues after any cut of a log with exactly the rest of it', async () => {
  await fc.assert(
    fc.asyncProperty(generation, async plan => {
      const one = request('r', plan)
      const log = await alone(one)
      for (let cut = 0; cut < log.length; cut++) {
        const harness = new SimulatedHarness({ slots: 128 })
        harness.engine.submit(one, log.slice(0, cut))
        await harness.until(() => harness.isOver('r'))
        expect(settled(harness.events('r'))).toEqual(settled(log.slice(cut)))
      }
    }),
    { numRuns: 30 }
  )
})

it('times a request from its first start and its first token, in whichever engine they were', async () => {
  const one = request('r', { admittedAtMs: Date.now(), choicesPerPrompt: 2, maxNewTokens: 3 })
  const log = await alone(one)
  for (let cut = 0; cut < log.length; cut++) {
    const harness = new SimulatedHarness()
    harness.engine.submit(one, log.slice(0, cut))
    await harness.until(() => harness.isOver('r'))
    const whole = [...log.slice(0, cut), ...harness.events('r')]
    const startedAtMs = whole.flatMap(event => (event.kind === 'started' ? [event.atMs ?? 0] : []))
    const firstAtMs = whole.flatMap(event => (event.kind === 'token' && event.atMs !== undefined ? [event.atMs] : []))
    expect([startedAtMs.length, firstAtMs.length]).toEqual([1, 1])
    const [started = 0, first = 0] = [startedAtMs[0], firstAtMs[0]]
    expect(whole.at(-1)).toMatchObject({ timings: { queueMs: started - one.admittedAtMs, prefillMs: first - started } })
  }
})

it('emits of a long prompt only the pieces that are not in the log', async () => {
  const one = request('r', { prompts: [{ tokenIds: encodeSimulated('水🌊'.repeat(200)) }], echo: true, promptLogprobs: 1, maxNewTokens: 1 })
  const log = await alone(one)
  for (let cut = 0; cut < log.length; cut++) {
    const harness = new SimulatedHarness()
    harness.engine.submit(one, log.slice(0, cut))
    await harness.until(() => harness.isOver('r'))
    expect(settled(harness.events('r'))).toEqual(settled(log.slice(cut)))
  }
})

it('emits the requests of each step, and once per request that it has advanced', async () => {
  const harness = new SimulatedHarness({ slots: 2 })
  await harness.run(request('wide', { choicesPerPrompt: 2, maxNewTokens: 2 }), request('late', { maxNewTokens: 3 }))
  expect(harness.received).toEqual([
    'running wide',
    'advanced wide',
    'step',
    'step',
    'running late',
    'advanced late',
    'step',
    'step',
    'step',
    'running '
  ])
})

it('emits that no request runs once the last is cancelled', async () => {
  const harness = new SimulatedHarness()
  harness.engine.submit(request('gone'))
  harness.engine.cancel('gone')
  expect(harness.received).toEqual(['running gone', 'running '])
})

it('emits the same signals for a request with a history as for a new one', async () => {
  const one = request('r')
  const log = await alone(one)
  const harness = new SimulatedHarness()
  harness.engine.submit(one, log.slice(0, 6))
  await harness.until(() => harness.isOver('r'))
  expect(harness.received.slice(0, 3)).toEqual(['running r', 'advanced r', 'step'])
})

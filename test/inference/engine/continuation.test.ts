import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { anyEngine, anyGeneration } from './any-generation.ts'
import { alone, byChoice, EngineHarness, GREEDY, request } from './engine-harness.ts'

const anyCut = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

function cachedReceived(events: readonly LoggedEvent[]): number {
  return events.reduce((sum, event) => sum + (event.kind === 'token' ? (event.cachedTokens ?? 0) : 0), 0)
}

it('continues any log after any cut with exactly its rest, among any other requests', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyGeneration, anyCut), { minLength: 1, maxLength: 6 }),
      anyEngine,
      anyEngine,
      async (plans, first, next) => {
        const undisturbed = new EngineHarness(first)
        const successor = new EngineHarness(next)
        const requests = plans.map(([plan], index) => ({ ...plan, id: `r${index}` }))
        for (const one of requests) undisturbed.engine.submit(one)
        const logs = await Promise.all(requests.map(({ id }) => undisturbed.ended(id)))
        const cuts = logs.map((log, index) => Math.floor((plans[index]?.[1] ?? 0) * log.length))
        for (const [index, one] of requests.entries()) successor.engine.submit(one, logs[index]?.slice(0, cuts[index]))
        for (const [index, one] of requests.entries()) {
          const log = logs[index] ?? []
          const history = log.slice(0, cuts[index])
          const rest = await successor.ended(one.id)
          expect(byChoice(rest)).toEqual(byChoice(log.slice(cuts[index])))
          const last = rest.at(-1)
          if (one.maxNewTokens > 0) expect(last?.kind === 'finished' && last.usage.cachedTokens).toBe(cachedReceived([...history, ...rest]))
        }
        await Promise.all([undisturbed.engine.close(), successor.engine.close()])
      }
    ),
    { numRuns: 100 }
  )
})

it('emits the rest of a log after any number of worker deaths', async () => {
  await fc.assert(
    fc.asyncProperty(anyGeneration, fc.array(fc.nat(12), { minLength: 1, maxLength: 5 }), async (plan, kills) => {
      const one = { ...plan, id: 'r' }
      const log: LoggedEvent[] = []
      for (const events of kills) {
        const harness = new EngineHarness({ slots: 2 })
        harness.engine.submit(one, log)
        await harness.until(() => harness.events('r').length >= events || harness.events('r').at(-1)?.kind === 'finished')
        log.push(
          ...harness
            .events('r')
            .slice(0, events)
            .filter(event => event.kind !== 'finished')
        )
        await harness.engine.close()
      }
      const harness = new EngineHarness()
      log.push(...(await harness.run(one, log)))
      await harness.engine.close()
      expect(byChoice(log)).toEqual(byChoice(await alone(one)))
    }),
    { numRuns: 60 }
  )
})

it('ends a request at once that lacks only its terminal event', async () => {
  const one = request('r', [5, 6, 7], { choicesPerPrompt: 3, ignoreEos: true })
  const log = await alone(one)
  const harness = new EngineHarness()
  expect(await harness.run(one, log.slice(0, -1))).toEqual(log.slice(-1))
  expect(harness.runner.steps).toEqual([])
  await harness.engine.close()
})

it.each([null, 2])('emits only the missing events of a long prompt: promptLogprobs %s', async promptLogprobs => {
  const prompt = Array.from({ length: 1200 }, (_, index) => 3 + (index % 25))
  for (const maxNewTokens of [0, 1]) {
    const one = request('r', prompt, { echo: true, maxNewTokens, promptLogprobs })
    const undisturbed = new EngineHarness({ contextLength: 1400 })
    const log = await undisturbed.run(one)
    for (let cut = 0; cut < log.length; cut++) {
      const harness = new EngineHarness({ contextLength: 1400, chunkTokens: 100 })
      expect(await harness.run(one, log.slice(0, cut))).toEqual(log.slice(cut))
      await harness.engine.close()
    }
    await undisturbed.engine.close()
  }
})

it('computes the prompt once for choices that have emitted different amounts', async () => {
  const one = request('n', [9, 8, 7, 6, 5], {
    choicesPerPrompt: 4,
    ignoreEos: true,
    maxNewTokens: 12,
    sampling: { ...GREEDY, temperature: 1 }
  })
  const log = await alone(one)
  const history = log.filter(event => event.kind === 'started' || (event.kind === 'token' && event.position < event.choice * 3))
  const harness = new EngineHarness({ slots: 4 })
  await harness.run(one, history)
  expect(harness.runner.steps.filter(step => step.kind === 'prefill')).toEqual([{ kind: 'prefill', rows: 1, tokens: 5 }])
  await harness.engine.close()
})

it('times a request from its first start and its first token, on any worker', async () => {
  let nowMs = 1000
  const ticking = new EngineHarness({ now: () => (nowMs += 10) })
  const one = request('r', [5, 6, 7], { admittedAtMs: 900, choicesPerPrompt: 2, ignoreEos: true, maxNewTokens: 3 })
  const log = await ticking.run(one)
  const startedAtMs = log[0]?.kind === 'started' ? (log[0].atMs ?? 0) : 0
  const firstAtMs = log[1]?.kind === 'token' ? (log[1].atMs ?? 0) : 0
  expect(log.slice(2).filter(event => event.kind === 'token' && event.atMs !== undefined)).toEqual([])
  const reported = { queueMs: startedAtMs - 900, prefillMs: firstAtMs - startedAtMs }
  expect(log.at(-1)).toMatchObject({ timings: reported })
  for (let cut = 0; cut < log.length; cut++) {
    const late = new EngineHarness({ now: () => 5000 })
    const rest = await late.run(one, log.slice(0, cut))
    const timings =
      cut === 0
        ? { queueMs: 4100, prefillMs: 0, decodeMs: 0 }
        : cut === 1
          ? { queueMs: reported.queueMs, prefillMs: 5000 - startedAtMs, decodeMs: 0 }
          : { ...reported, decodeMs: 5000 - firstAtMs }
    expect(rest.at(-1)).toMatchObject({ timings })
    await late.engine.close()
  }
  await ticking.engine.close()
})

it('reports the cached tokens of a prompt with its first token, and counts them once', async () => {
  const shared = Array.from({ length: 40 }, (_, index) => 3 + (index % 20))
  const harness = new EngineHarness({ chunkTokens: 64 })
  await harness.run(request('first', [...shared, 30, 31]))
  const log = await harness.run(request('second', [...shared, 29, 28], { choicesPerPrompt: 2, ignoreEos: true }))
  const reported = log.filter(event => event.kind === 'token').map(event => event.cachedTokens)
  expect(reported).toEqual([32, ...reported.slice(1).fill(undefined)])
  const successor = new EngineHarness({ chunkTokens: 64 })
  const rest = await successor.run(request('second', [...shared, 29, 28], { choicesPerPrompt: 2, ignoreEos: true }), log.slice(0, 5))
  expect(rest.at(-1)).toEqual(log.at(-1))
  await Promise.all([harness.engine.close(), successor.engine.close()])
})

it('fast: the rest is the same as well where steps and prompts are one numeric class', async () => {
  await fc.assert(
    fc.asyncProperty(anyGeneration, anyCut, anyEngine, async (plan, where, options) => {
      const one = { ...plan, id: 'r' }
      const undisturbed = new EngineHarness({ oneClass: true })
      const log = await undisturbed.run(one)
      const cut = Math.floor(where * log.length)
      const harness = new EngineHarness({ ...options, oneClass: true, recovery: 'fast' })
      expect(byChoice(await harness.run(one, log.slice(0, cut)))).toEqual(byChoice(log.slice(cut)))
      await Promise.all([undisturbed.engine.close(), harness.engine.close()])
    }),
    { numRuns: 60 }
  )
})

it('fast: prefills the emitted tokens except the last, which the next step computes', async () => {
  const one = request('r', [9, 8, 7, 6, 5], { ignoreEos: true, maxNewTokens: 20 })
  const log = await alone(one)
  const harness = new EngineHarness({ recovery: 'fast', chunkTokens: 64 })
  const rest = await harness.run(one, log.slice(0, 1 + 15))
  expect(rest.filter(event => event.kind === 'token').map(event => event.position)).toEqual([15, 16, 17, 18, 19])
  const [prefill, ...steps] = harness.runner.steps
  expect(prefill).toEqual({ kind: 'prefill', rows: 1, tokens: 5 + 14 })
  expect(steps).toEqual(new Array(5).fill({ kind: 'decode', rows: 1, tokens: 1 }))
  await harness.engine.close()
})

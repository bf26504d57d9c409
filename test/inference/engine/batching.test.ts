import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isTerminal } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { anyEngine, anyGeneration } from './any-generation.ts'
import { alone, byChoice, EngineHarness, GREEDY, request } from './engine-harness.ts'

it('emits the same events for a request alone and among any others, whichever of them are cancelled', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyGeneration, fc.option(fc.nat(20), { nil: null })), { minLength: 1, maxLength: 9 }),
      anyEngine,
      async (plans, options) => {
        const harness = new EngineHarness(options)
        const requests = plans.map(([plan], index): GenerationRequest => ({ ...plan, id: `r${index}` }))
        for (const one of requests) harness.engine.submit(one)
        const cancelled = new Set<string>()
        for (const [index, [, cancelAfter]] of plans.entries()) {
          const id = `r${index}`
          if (cancelAfter === null) continue
          await harness.until(() => harness.events(id).length >= cancelAfter || harness.events(id).some(isTerminal))
          if (harness.events(id).some(isTerminal)) continue
          harness.engine.cancel(id)
          cancelled.add(id)
        }
        for (const one of requests) {
          if (cancelled.has(one.id)) continue
          expect(byChoice(await harness.ended(one.id))).toEqual(byChoice(await alone(one)))
        }
        await harness.engine.close()
        expect(harness.runner.isClosed).toBe(true)
      }
    ),
    { numRuns: 60 }
  )
})

it('decodes requests that arrive together in one run per step', async () => {
  const harness = new EngineHarness({ slots: 4 })
  const ids = ['a', 'b', 'c', 'd']
  for (const [index, id] of ids.entries()) harness.engine.submit(request(id, [9, 8, 7 + index], { ignoreEos: true, maxNewTokens: 20 }))
  await Promise.all(ids.map(id => harness.ended(id)))
  expect(Math.max(...harness.runner.steps.map(step => step.rows))).toBe(4)
  await harness.engine.close()
})

it('lets running streams wait for at most one chunk of a long prompt', async () => {
  const harness = new EngineHarness({ slots: 2, chunkTokens: 4 })
  harness.engine.submit(request('short', [5, 6, 7], { ignoreEos: true, maxNewTokens: 60 }))
  await harness.until(() => harness.events('short').length > 2)
  harness.engine.submit(
    request(
      'long',
      Array.from({ length: 80 }, (_, index) => 3 + (index % 20))
    )
  )
  await Promise.all([harness.ended('short'), harness.ended('long')])
  const kinds = harness.runner.steps.map(step => step.kind).join(' ')
  expect(kinds).not.toMatch(/decode prefill prefill decode/)
  await harness.engine.close()
})

it('uses longer chunks while no stream waits', async () => {
  const harness = new EngineHarness({ slots: 2, chunkTokens: 4, loneChunkTokens: 16 })
  const prompt = Array.from({ length: 40 }, (_, index) => 3 + (index % 20))
  await harness.run(request('alone', prompt, { maxNewTokens: 1 }))
  expect(harness.runner.steps.map(step => step.tokens)).toEqual([16, 16, 8])
  await harness.engine.close()
})

it('computes the prompt once for all its choices', async () => {
  const harness = new EngineHarness({ slots: 4 })
  await harness.run(request('n', [9, 8, 7, 6, 5], { choicesPerPrompt: 4, sampling: { ...GREEDY, temperature: 1 } }))
  expect(harness.runner.steps.filter(step => step.kind === 'prefill')).toEqual([{ kind: 'prefill', rows: 1, tokens: 5 }])
  await harness.engine.close()
})

const SHARED = Array.from({ length: 70 }, (_, index) => 3 + (index % 20))

it('computes only the end of a prompt whose prefix was computed before', async () => {
  const harness = new EngineHarness({ slots: 2, chunkTokens: 64 })
  await harness.run(request('first', [...SHARED, 30, 31]))
  const events = await harness.run(request('second', [...SHARED, 29, 28]))
  expect(events.at(-1)).toMatchObject({ kind: 'finished', usage: { promptTokens: 72, cachedTokens: 64 } })
  expect(harness.engine.statistics.gauges.retainedTokens).toBe(64)
  await harness.engine.close()
})

it('leaves two tokens of a known prompt to compute', async () => {
  for (const [length, cachedTokens] of [
    [64, 32],
    [65, 32],
    [66, 64]
  ] as const) {
    const harness = new EngineHarness({ slots: 2, chunkTokens: 64 })
    await harness.run(request('first', SHARED))
    const events = await harness.run(request('second', SHARED.slice(0, length)))
    expect(events.at(-1)).toMatchObject({ kind: 'finished', usage: { cachedTokens } })
    await harness.engine.close()
  }
})

it('never shares a prefix between salts', async () => {
  const harness = new EngineHarness({ slots: 2, chunkTokens: 64 })
  await harness.run(request('first', SHARED, { cacheSalt: 'one' }))
  const events = await harness.run(request('second', SHARED, { cacheSalt: 'two' }))
  expect(events.at(-1)).toMatchObject({ kind: 'finished', usage: { cachedTokens: 0 } })
  await harness.engine.close()
})

it('shares a prefix as soon as it is computed, while the request that computed it still runs', async () => {
  const harness = new EngineHarness({ slots: 3, chunkTokens: 16 })
  for (const own of [30, 31, 29]) {
    harness.engine.submit(request(`r${own}`, [...SHARED, own, own], { ignoreEos: true, maxNewTokens: 60 }))
  }
  const ended = await Promise.all([30, 31, 29].map(own => harness.ended(`r${own}`)))
  expect(ended.map(events => events.at(-1))).toMatchObject([0, 64, 64].map(cachedTokens => ({ usage: { cachedTokens } })))
  expect(harness.runner.stored.size).toBe(2)
  await harness.engine.close()
})

it('stores a prompt while slots are busy, and reuses it for the next prompt with the same prefix', async () => {
  const harness = new EngineHarness({ slots: 2, chunkTokens: 64 })
  harness.engine.submit(request('first', SHARED, { maxNewTokens: 2 }))
  harness.engine.submit(request('busy', [30, 29, 28], { ignoreEos: true, maxNewTokens: 120 }))
  await harness.ended('first')
  for (const id of ['other', 'another', 'third']) await harness.run(request(id, [31, 30, 29], { maxNewTokens: 2 }))
  const events = await harness.run(request('second', SHARED))
  expect(events.at(-1)).toMatchObject({ kind: 'finished', usage: { cachedTokens: 64 } })
  await harness.engine.close()
})

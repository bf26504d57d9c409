import fc from 'fast-check'
import { expect, it } from 'vitest'
import { anyEngine, anyGeneration } from './any-generation.ts'
import { alone, EngineHarness, GREEDY, request } from './engine-harness.ts'

it('reports the requests of each run before it, if they change, and none before the engine waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyGeneration, { minLength: 1, maxLength: 5 }), anyEngine, async (plans, options) => {
      const harness = new EngineHarness(options)
      for (const [index, plan] of plans.entries()) harness.engine.submit({ ...plan, id: `r${index}` })
      await Promise.all(plans.map((_, index) => harness.ended(`r${index}`)))
      let running: readonly string[] = []
      for (const { kind, requestIds } of harness.accessLog) {
        if (kind === 'running') {
          expect([...requestIds].sort()).not.toEqual([...running].sort())
          expect(new Set(requestIds).size).toBe(requestIds.length)
          running = requestIds
        } else {
          expect(requestIds.filter(id => !running.includes(id))).toEqual([])
        }
      }
      await new Promise(setImmediate)
      expect(harness.accessLog.at(-1)).toMatchObject({ kind: 'running', requestIds: [] })
      await harness.engine.close()
    }),
    { numRuns: 40 }
  )
})

it('reports once that a request has advanced, before the events of that run', async () => {
  const harness = new EngineHarness({ slots: 1 })
  for (const id of ['a', 'b']) harness.engine.submit(request(id, [5, 6, 7], { ignoreEos: true, maxNewTokens: 3 }))
  await harness.ended('b')
  const moves = harness.accessLog.filter(({ kind }) => kind === 'advanced')
  expect(moves).toEqual([
    { kind: 'advanced', requestIds: ['a'], steps: 1 },
    { kind: 'advanced', requestIds: ['b'], steps: 1 + 3 }
  ])
  expect(harness.accessLog.slice(0, 3).map(({ kind }) => kind)).toEqual(['running', 'advanced', 'tokens'])
  await harness.engine.close()
})

it('counts computing again as an advance', async () => {
  const one = request('r', [5, 6, 7], { ignoreEos: true, maxNewTokens: 9 })
  const log = await alone(one)
  const harness = new EngineHarness()
  await harness.run(one, log.slice(0, 8))
  expect(harness.accessLog.filter(({ kind }) => kind !== 'tokens').slice(0, 2)).toEqual([
    { kind: 'running', requestIds: ['r'], steps: 0 },
    { kind: 'advanced', requestIds: ['r'], steps: 1 }
  ])
  await harness.engine.close()
})

it('does not report a request as advanced that the run failed', async () => {
  const harness = new EngineHarness()
  harness.runner.failNext = true
  await harness.run(request('r', [5, 6, 7]))
  expect(harness.accessLog.filter(({ kind }) => kind === 'advanced')).toEqual([])
  await harness.engine.close()
})

it('reports a request that cannot be accepted before it ends the process', async () => {
  const harness = new EngineHarness()
  harness.engine.submit(request('neighbour', [5, 6, 7], { ignoreEos: true, maxNewTokens: 200 }))
  await harness.until(() => harness.events('neighbour').length > 3)
  harness.engine.submit(request('impossible', [5, 6, 7], { sampling: { ...GREEDY, badWords: [[1_000_000]] } }))
  expect(harness.accessLog.at(-1)).toMatchObject({ kind: 'running', requestIds: ['impossible'] })
  await expect(harness.ended('impossible')).rejects.toThrow('token 1000000')
})

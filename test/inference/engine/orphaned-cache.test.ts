import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RowHeaders } from '../../../src/inference/cache/row-headers.ts'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { anyGeneration } from './any-generation.ts'
import { alone, byChoice, EngineHarness, request } from './engine-harness.ts'
import type { CacheContent } from './fake-runner.ts'

interface Killed {
  readonly logs: readonly (readonly LoggedEvent[])[]
  readonly content: CacheContent
}

/**
 * Runs the requests in an engine that is killed at the given instant, or after they ended.
 *
 * @returns the emitted events, and the cache
 */
async function killedAt(instant: number, requests: readonly GenerationRequest[], options: object = {}): Promise<Killed> {
  const harness = new EngineHarness(options)
  const { runner, engine } = harness
  harness.engine.useCacheFile(0)
  const snapshot = (): Killed => ({
    logs: requests.map(({ id }) => [...harness.events(id)]),
    content: { cache: runner.cache.map(row => [...row]), rowHeaders: runner.rowHeaders.slice() }
  })
  let left = instant
  let atDeath: Killed | null = null
  runner.onInstant = () => {
    if (left-- === 0) atDeath = snapshot()
  }
  for (const one of requests) engine.submit(one)
  await Promise.all(requests.map(({ id }) => harness.ended(id)))
  atDeath ??= snapshot()
  await engine.close()
  return atDeath
}

function withoutEnd(log: readonly LoggedEvent[]): LoggedEvent[] {
  return log.filter(event => event.kind !== 'finished')
}

it('continues in the cache of a killed engine as an undisturbed run, for any instant of the kill and any requests', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyGeneration, { minLength: 1, maxLength: 5 }),
      fc.nat(120),
      fc.constantFrom({}, { slots: 2 }, { reusePrefixes: false }, { minDecodeRows: 2 as const }, { recovery: 'fast' as const }),
      fc.infiniteStream(fc.nat(1000)),
      async (plans, instant, options, shuffle) => {
        const requests = plans.map((plan, index) => ({ ...plan, id: `r${index}` }))
        const { logs, content } = await killedAt(instant, requests, options)
        const successor = new EngineHarness({ ...options, content })
        successor.engine.useCacheFile(0)
        const open = requests
          .map((one, index) => ({ one, log: logs[index] ?? [], rank: shuffle.next().value }))
          .filter(({ log }) => log.at(-1)?.kind !== 'finished')
          .toSorted((left, right) => left.rank - right.rank)
        for (const { one, log } of open) successor.engine.submit(one, log)
        for (const { one, log } of open) {
          const rest = await successor.ended(one.id)
          if (options.recovery !== 'fast') expect(byChoice([...log, ...rest])).toEqual(byChoice(await alone(one)))
        }
        await successor.engine.close()
      }
    ),
    { numRuns: 200 }
  )
})

it('recomputes nothing: each stream continues with its next token', async () => {
  const requests = [3, 4, 5].map(first => request(`r${first}`, [first, 9, 8, 7, 6], { maxNewTokens: 20, ignoreEos: true }))
  const { logs, content } = await killedAt(40, requests)
  const successor = new EngineHarness({ content })
  successor.engine.useCacheFile(0)
  for (const [index, one] of requests.entries()) successor.engine.submit(one, logs[index])
  const rests = await Promise.all(requests.map(({ id }) => successor.ended(id)))
  expect(successor.runner.steps.every(({ kind }) => kind === 'decode')).toBe(true)
  expect(successor.runner.steps).toHaveLength(Math.max(...rests.map(rest => rest.length - 1)))
  expect(successor.adopted).toEqual([requests.map(({ id }) => id)])
  await successor.engine.close()
})

it('continues in the middle of a prompt', async () => {
  const long = request(
    'r',
    Array.from({ length: 80 }, (_, index) => 3 + (index % 20)),
    { maxNewTokens: 2 }
  )
  const { content } = await killedAt(11, [long])
  const successor = new EngineHarness({ content })
  successor.engine.useCacheFile(0)
  const rest = await successor.run(long)
  expect(successor.runner.steps.filter(({ kind }) => kind === 'prefill')).toHaveLength(5)
  expect(byChoice(rest)).toEqual(byChoice(await alone(long)))
  await successor.engine.close()
})

it('drops rows of another model, and rows that no request claims', async () => {
  const one = request('r', [3, 4, 5], { maxNewTokens: 20, ignoreEos: true })
  const { logs, content } = await killedAt(12, [one])
  const log = withoutEnd(logs[0] ?? [])

  const other: EngineHarness = new EngineHarness({
    content: { cache: content.cache.map(row => [...row]), rowHeaders: content.rowHeaders.slice() },
    persistentCache: { identity: 'other', moveTo: () => true, orphanedCacheIn: () => other.runner.orphanedCacheOf(content) }
  })
  other.engine.useCacheFile(0)
  other.engine.attachOrphanedCache(1)
  expect(other.runner.cache.flat()).toEqual([])
  await other.run(one, log)
  expect(other.runner.steps[0]?.kind).toBe('prefill')
  await other.engine.close()

  const unclaimed = new EngineHarness({ content, reusePrefixes: false })
  unclaimed.engine.useCacheFile(0)
  expect(unclaimed.runner.cache.flat()).not.toEqual([])
  await unclaimed.run(request('s', [5, 5]))
  await unclaimed.until(() => true)
  unclaimed.engine.submit(one, log)
  await unclaimed.ended('r')
  expect(unclaimed.adopted).toEqual([])
  await unclaimed.engine.close()
})

/** Releases and overwrites the rows, as the successor of a killed engine does eventually. */
function overwrite({ cache, rowHeaders }: CacheContent): void {
  const headers = new RowHeaders(rowHeaders, cache.length)
  for (const [row, positions] of cache.entries()) {
    headers.clear(row)
    positions.fill(-7)
  }
}

it('continues rows of another killed worker during its own work, whatever the successor does to them meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyGeneration, { minLength: 1, maxLength: 4 }),
      fc.array(anyGeneration, { maxLength: 2 }),
      fc.nat(120),
      fc.constantFrom(3, 10, 1000).chain(max => fc.nat(max)),
      fc.constantFrom({}, { slots: 2 }, { reusePrefixes: false }, { minDecodeRows: 2 as const }),
      async (plans, ownPlans, instant, overwrittenAt, options) => {
        const requests = plans.map((plan, index) => ({ ...plan, id: `r${index}` }))
        const { logs, content } = await killedAt(instant, requests, options)
        const survivor = new EngineHarness({ ...options, orphaned: content })
        const own = ownPlans.map((plan, index) => ({ ...plan, id: `own${index}` }))
        for (const one of own) survivor.engine.submit(one)
        let left = overwrittenAt
        survivor.runner.onInstant = () => {
          if (left-- === 0) overwrite(content)
        }
        survivor.engine.attachOrphanedCache(1)
        const open = requests.map((one, index) => ({ one, log: logs[index] ?? [] })).filter(({ log }) => log.at(-1)?.kind !== 'finished')
        for (const { one, log } of open) survivor.engine.submit(one, log)
        for (const { one, log } of [...open, ...own.map(one => ({ one, log: [] }))]) {
          const rest = await survivor.ended(one.id)
          expect(byChoice([...log, ...rest])).toEqual(byChoice(await alone(one)))
        }
        await survivor.engine.close()
      }
    ),
    { numRuns: 200 }
  )
})

it('recomputes nothing of another worker’s rows, between two of its own steps', async () => {
  const requests = [3, 4, 5].map(first => request(`r${first}`, [first, 9, 8, 7, 6], { maxNewTokens: 20, ignoreEos: true }))
  const { logs, content } = await killedAt(40, requests)
  const survivor = new EngineHarness({ orphaned: content })
  const own = request('own', [7, 7, 7], { maxNewTokens: 30, ignoreEos: true })
  survivor.engine.submit(own)
  await survivor.until(() => survivor.events('own').length > 4)
  const before = survivor.runner.steps.length
  survivor.engine.attachOrphanedCache(1)
  for (const [index, one] of requests.entries()) survivor.engine.submit(one, logs[index])
  await Promise.all(['own', 'r3', 'r4', 'r5'].map(id => survivor.ended(id)))
  expect(survivor.runner.steps.slice(before).every(({ kind }) => kind === 'decode')).toBe(true)
  expect(survivor.adopted).toEqual([requests.map(({ id }) => id)])
  await survivor.engine.close()
})

it('continues a request that arrives in the last run before the engine would wait', async () => {
  const one = request('r', [3, 9, 8, 7, 6], { maxNewTokens: 20, ignoreEos: true })
  const { logs, content } = await killedAt(30, [one])
  const survivor = new EngineHarness({ orphaned: content })
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>()
  survivor.runner.gate = gate
  survivor.engine.submit(request('own', [7, 7, 7], { maxNewTokens: 1 }))
  await new Promise(setImmediate)
  expect(survivor.engine.stepStartedAtMs).not.toBeNull()
  survivor.engine.attachOrphanedCache(1)
  survivor.engine.submit(one, logs[0])
  openGate()
  const rest = await survivor.ended('r')
  expect(byChoice([...(logs[0] ?? []), ...rest])).toEqual(byChoice(await alone(one)))
  expect(survivor.adopted).toEqual([['r']])
  await survivor.engine.close()
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LogEntry } from '../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../src/inference/contract/request.ts'
import { FRUITLESS_DEATHS_THAT_COUNT } from '../../src/queue/poison-rule.ts'
import type { GenerationQueue } from '../../src/queue/queue.ts'
import { aRequest } from './a-request.ts'
import { TRICKS } from './fake-engine.ts'
import { firstDifference } from './first-difference.ts'
import { collect, endOf, readAll, readUntil } from './read-all.ts'
import type { RigWith, RigWorker } from './rig.ts'

const held = [{ tokenIds: [TRICKS.hold] }]
const hanging = [{ tokenIds: [TRICKS.hang] }]
const never = new AbortController().signal

async function hung(worker: RigWorker): Promise<void> {
  await expect.poll(() => worker.engine.isHanging, { timeout: 10_000, interval: 2 }).toBe(true)
}

/** The log of the same request when no worker dies. */
async function undisturbed(queue: GenerationQueue, request: GenerationRequest): Promise<LogEntry[]> {
  const twin = { ...request, id: `${request.id}-undisturbed` }
  await queue.submit(twin)
  return readAll(queue, twin.id)
}

/** Laws of every queue when workers die. */
export function describeDeaths(rigOf: RigWith): void {
  describe('a worker that dies', () => {
    it('loses nothing: its requests continue on another worker, and every log is that of an undisturbed run', async () => {
      await using rig = await rigOf()
      const requests = [1, 2, 3].map(choicesPerPrompt => aRequest({ choicesPerPrompt, maxNewTokens: 200 * choicesPerPrompt }))
      const first = await rig.startWorker(6)
      const expected = []
      for (const request of requests) expected.push(await undisturbed(rig.queue, request))
      for (const request of requests) await rig.queue.submit(request)
      const logs = requests.map(({ id }) => readAll(rig.queue, id))
      await Promise.all(requests.map(({ id }) => readUntil(rig.queue, id, 'token')))
      await first.kill()
      await rig.startWorker(4)
      expect(firstDifference(await Promise.all(logs), expected)).toBeNull()
    })

    it('loses nothing at any moment, and neither does its successor', async () => {
      const plan = fc.record({
        slots: fc.integer({ min: 1, max: 4 }),
        requests: fc.array(fc.record({ choicesPerPrompt: fc.integer({ min: 1, max: 4 }), maxNewTokens: fc.integer({ min: 1, max: 40 }) }), {
          minLength: 1,
          maxLength: 5
        }),
        /** Turns of the event loop before each worker dies; a third death might make a request `poisoned`. */
        killTurns: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 2 })
      })
      await fc.assert(
        fc.asyncProperty(plan, async ({ slots, requests: shapes, killTurns }) => {
          await using rig = await rigOf()
          const requests = shapes.map(shape => aRequest(shape))
          for (const request of requests) await rig.queue.submit(request)
          const logs = requests.map(({ id }) => readAll(rig.queue, id))
          for (const turns of killTurns) {
            const worker = await rig.startWorker(slots)
            for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
            await worker.kill()
          }
          await rig.startWorker(slots)
          const seen = await Promise.all(logs)
          for (const [index, request] of requests.entries())
            expect(firstDifference(seen[index], await undisturbed(rig.queue, request))).toBeNull()
          expect(await rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
        }),
        { numRuns: 20, endOnFailure: true }
      )
    })

    it('has its requests served before all waiting ones, in their order', async () => {
      await using rig = await rigOf()
      const worker = await rig.startWorker(2)
      const requests = [10_000, 10_000, 1].map(maxNewTokens => aRequest({ maxNewTokens }))
      const [first, second] = requests as [GenerationRequest, GenerationRequest]
      for (const request of requests) await rig.queue.submit(request)
      await Promise.all([first, second].map(({ id }) => readUntil(rig.queue, id, 'token')))
      await worker.kill()
      await expect.poll(() => rig.queue.depth(), { timeout: 20_000 }).toEqual({ waiting: 3, running: 0 })
      expect(await Promise.all(requests.map(({ id }) => rig.queue.position(id)))).toEqual([1, 2, 3])
    })

    it('is only a pause for readers: they get no position again', async () => {
      await using rig = await rigOf()
      const worker = await rig.startWorker(1)
      const request = aRequest({ maxNewTokens: 500 })
      await rig.queue.submit(request)
      const batches = collect(rig.queue.events(request.id, 0, never))
      await readUntil(rig.queue, request.id, 'token')
      await worker.kill()
      await rig.startWorker(1)
      const kinds = (await batches).flat().map(({ event }) => event.kind)
      expect(kinds.slice(kinds.indexOf('started')).filter(kind => kind === 'queued')).toEqual([])
    })

    it('does not revive a request that was cancelled', async () => {
      await using rig = await rigOf()
      const worker = await rig.startWorker(1)
      const [cancelled, next] = [aRequest({ prompts: held }), aRequest()]
      await rig.queue.submit(cancelled)
      await readUntil(rig.queue, cancelled.id, 'token')
      await worker.kill()
      await rig.queue.cancel(cancelled.id)
      const entries = await readAll(rig.queue, cancelled.id)
      expect(entries.at(-1)?.event).toMatchObject({ failure: { code: 'cancelled' } })
      await rig.startWorker(1)
      await rig.queue.submit(next)
      expect(await endOf(rig.queue, next.id)).toBe('finished')
      expect(await readAll(rig.queue, cancelled.id)).toEqual(entries)
    })

    it('is replaced by another worker', async () => {
      await using rig = await rigOf()
      const [one, other] = [await rig.startWorker(2), await rig.startWorker(2)]
      const requests = Array.from({ length: 4 }, () => aRequest({ maxNewTokens: 300 }))
      for (const request of requests) await rig.queue.submit(request)
      const logs = requests.map(({ id }) => readAll(rig.queue, id))
      await Promise.all(requests.map(({ id }) => readUntil(rig.queue, id, 'token')))
      await one.kill()
      const ends = await Promise.all(logs)
      expect(ends.map(entries => entries.length)).toEqual([302, 302, 302, 302])
      expect(other.engine.rows).toBe(0)
    })

    it('does not end a drain: its requests end on another worker', async () => {
      await using rig = await rigOf()
      const worker = await rig.startWorker(1)
      const request = aRequest({ maxNewTokens: 500 })
      await rig.queue.submit(request)
      await readUntil(rig.queue, request.id, 'token')
      const drained = rig.queue.drain(never)
      await worker.kill()
      await rig.startWorker(1)
      await drained
      expect(await endOf(rig.queue, request.id)).toBe('finished')
    })
  })

  describe('a request that kills workers', () => {
    it('fails with `poisoned` after it has run alone, and fails no other request', async () => {
      await using rig = await rigOf()
      const poison = aRequest({ prompts: hanging })
      const healthy = [aRequest({ maxNewTokens: 300 }), aRequest({ maxNewTokens: 300 })]
      for (const request of [...healthy, poison]) await rig.queue.submit(request)
      for (let death = 0; death < 3; death++) {
        const worker = await rig.startWorker(4)
        await hung(worker)
        await worker.kill()
      }
      await rig.startWorker(4)
      const [entry] = await readAll(rig.queue, poison.id)
      expect(entry?.event).toMatchObject({ kind: 'failed', failure: { code: 'poisoned', param: null } })
      for (const request of healthy) {
        expect(firstDifference(await readAll(rig.queue, request.id), await undisturbed(rig.queue, request))).toBeNull()
      }
    })

    it('fails with `poisoned` also if no worker ever begins a run of it', async () => {
      await using rig = await rigOf()
      const poison = aRequest({ prompts: [{ tokenIds: [TRICKS.ignore] }] })
      await rig.queue.submit(poison)
      for (let death = 0; death < FRUITLESS_DEATHS_THAT_COUNT + 2; death++) {
        const worker = await rig.startWorker(1)
        await expect.poll(() => worker.engine.rows, { timeout: 10_000, interval: 2 }).toBe(1)
        await worker.kill()
      }
      await rig.startWorker(1)
      const [entry] = await readAll(rig.queue, poison.id)
      expect(entry?.event).toMatchObject({ kind: 'failed', failure: { code: 'poisoned' } })
    }, 60_000)

    it('does not keep other requests from another worker while it is retried', async () => {
      await using rig = await rigOf()
      const poison = aRequest({ prompts: hanging })
      await rig.queue.submit(poison)
      for (let death = 0; death < 2; death++) {
        const worker = await rig.startWorker(2)
        await hung(worker)
        await worker.kill()
      }
      const workers = [await rig.startWorker(2), await rig.startWorker(2)]
      await expect.poll(() => workers.filter(({ engine }) => engine.isHanging).length, { timeout: 20_000 }).toBe(1)
      const healthy = Array.from({ length: 5 }, () => aRequest())
      for (const request of healthy) await rig.queue.submit(request)
      expect(await Promise.all(healthy.map(({ id }) => endOf(rig.queue, id)))).toEqual(healthy.map(() => 'finished'))
    })
  })
}

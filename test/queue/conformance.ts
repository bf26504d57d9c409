import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTerminal } from '../../src/inference/contract/events.ts'
import { LIMITS } from '../../src/inference/contract/limits.ts'
import { aRequest } from './a-request.ts'
import { describeDeaths } from './conformance-deaths.ts'
import { describeDelivery } from './conformance-delivery.ts'
import { TRICKS } from './fake-engine.ts'
import { collect, endOf, readAll, readUntil } from './read-all.ts'
import { type OpenRig, rigWith } from './rig.ts'

const held = [{ tokenIds: [TRICKS.hold] }]
const never = new AbortController().signal

/** Laws of every queue, whatever its store. */
export function describeQueue(openRig: OpenRig): void {
  const rigOf = rigWith(openRig)
  describeDelivery(rigOf)
  describeDeaths(rigOf)

  describe('a log', () => {
    it('has ordinals 1, 2, 3 … and one terminal event, which is its last', async () => {
      await using rig = await rigOf({ slots: 2 })
      const request = aRequest({ choicesPerPrompt: 2 })
      await rig.queue.submit(request)
      const entries = await readAll(rig.queue, request.id)
      expect(entries.map(entry => entry.ordinal)).toEqual(entries.map((_, index) => index + 1))
      expect(entries.map(entry => isTerminal(entry.event))).toEqual(entries.map((_, index) => index === entries.length - 1))
      expect(entries.filter(entry => entry.event.kind === 'token')).toHaveLength(6)
    })

    it('is the same for a reader that starts after the end', async () => {
      await using rig = await rigOf({ slots: 1 })
      const request = aRequest()
      await rig.queue.submit(request)
      const live = await readAll(rig.queue, request.id)
      expect(await readAll(rig.queue, request.id)).toEqual(live)
    })

    it('delivers to a reader all entries after its ordinal, during the run and after it', async () => {
      await using rig = await rigOf({ slots: 1 })
      const request = aRequest({ maxNewTokens: 20 })
      await rig.queue.submit(request)
      const cuts = Array.from({ length: 24 }, (_, ordinal) => ordinal)
      const live = await Promise.all(cuts.map(ordinal => readAll(rig.queue, request.id, ordinal)))
      const late = await Promise.all(cuts.map(ordinal => readAll(rig.queue, request.id, ordinal)))
      const whole = live[0] ?? []
      expect(whole).toHaveLength(22)
      expect(live).toEqual(cuts.map(ordinal => whole.slice(ordinal)))
      expect(late).toEqual(live)
    })

    it('is delivered to a slow reader in few batches', async () => {
      await using rig = await rigOf({ slots: 1 })
      const request = aRequest({ maxNewTokens: 50 })
      await rig.queue.submit(request)
      await readUntil(rig.queue, request.id, 'finished')
      const batches = await collect(rig.queue.events(request.id, 0, never))
      expect(batches.flat()).toHaveLength(52)
      expect(batches.length).toBeLessThan(5)
    })

    it('ends without an error for a reader whose signal aborts', async () => {
      await using rig = await rigOf({ slots: 1 })
      const request = aRequest({ prompts: held })
      await rig.queue.submit(request)
      const leaving = new AbortController()
      for await (const batch of rig.queue.events(request.id, 0, leaving.signal)) {
        if (batch.some(({ event }) => event.kind === 'token')) leaving.abort()
      }
      await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 0, running: 1 })
      expect(await collect(rig.queue.events(request.id, 0, leaving.signal))).toEqual([])
    })

    it('of an unknown request is not found', async () => {
      await using rig = await rigOf()
      await expect(readAll(rig.queue, 'cmpl-unknown')).rejects.toMatchObject({ code: 'not_found' })
    })
  })

  describe('waiting', () => {
    it('sends each request its position whenever it changes, until it has started', async () => {
      await using rig = await rigOf({ slots: 1 })
      const [first, second, third] = [aRequest({ prompts: held }), aRequest({ prompts: held }), aRequest()]
      for (const request of [first, second, third]) await rig.queue.submit(request)
      await expect.poll(() => Promise.all([first, second, third].map(request => rig.queue.position(request.id)))).toEqual([null, 1, 2])
      const received: number[] = []
      for await (const batch of rig.queue.events(third.id, 0, never)) {
        for (const { event } of batch) {
          if (event.kind !== 'queued') continue
          received.push(event.position)
          await rig.queue.cancel(event.position === 2 ? first.id : second.id)
        }
      }
      expect(received).toEqual([2, 1])
      expect(await rig.queue.position(third.id)).toBeNull()
    })

    it('lasts until there is a worker: requests submitted before are run in order', async () => {
      await using rig = await rigOf()
      const requests = Array.from({ length: 5 }, () => aRequest())
      for (const request of requests) await rig.queue.submit(request)
      await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 5, running: 0 })
      const order: string[] = []
      const ends = requests.map(async request => {
        await readAll(rig.queue, request.id)
        order.push(request.id)
      })
      await rig.startWorker(1)
      await Promise.all(ends)
      expect(order).toEqual(requests.map(request => request.id))
    })

    it('is refused beyond the limit, and no waiting request is lost', async () => {
      await using rig = await rigOf({ waitingLimit: 3 })
      const requests = Array.from({ length: 3 }, () => aRequest())
      for (const request of requests) await rig.queue.submit(request)
      const refused = aRequest()
      await expect(rig.queue.submit(refused)).rejects.toMatchObject({ code: 'queue_full' })
      await expect(readAll(rig.queue, refused.id)).rejects.toMatchObject({ code: 'not_found' })
      await rig.startWorker(1)
      expect(await Promise.all(requests.map(request => endOf(rig.queue, request.id)))).toEqual(requests.map(() => 'finished'))
    })

    it('is not counted for a request that can run at once', async () => {
      await using rig = await rigOf({ slots: 2, waitingLimit: 0 })
      const requests = [aRequest({ prompts: held }), aRequest({ prompts: held })]
      for (const request of requests) await rig.queue.submit(request)
      await expect(rig.queue.submit(aRequest())).rejects.toMatchObject({ code: 'queue_full' })
      await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 0, running: 2 })
    })

    it('ends for a request with more choices than there are rows, and no request overtakes it', async () => {
      await using rig = await rigOf({ slots: 2 })
      const [running, wide, narrow] = [aRequest({ prompts: held }), aRequest({ choicesPerPrompt: 5 }), aRequest()]
      for (const request of [running, wide, narrow]) await rig.queue.submit(request)
      await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 2, running: 1 })
      await rig.queue.cancel(running.id)
      expect(await endOf(rig.queue, wide.id)).toBe('finished')
      expect(await endOf(rig.queue, narrow.id)).toBe('finished')
    })
  })

  describe('a cancel', () => {
    it('ends when the rows suffice that a request reserves, which are more than its choices if its log can become large', async () => {
      await using rig = await rigOf({ slots: 4 })
      const large = { prompts: held, maxNewTokens: Math.ceil((2.5 * LIMITS.logEntriesPerRow) / 21), topLogprobs: 20 }
      const [first, second, third, fourth] = [aRequest(large), aRequest({ prompts: held }), aRequest(large), aRequest()]
      for (const request of [first, second, third, fourth]) await rig.queue.submit(request)
      const positions = () => Promise.all([first, second, third, fourth].map(({ id }) => rig.queue.position(id)))
      await expect.poll(positions).toEqual([null, null, 1, 2])
      await rig.queue.cancel(first.id)
      await expect.poll(positions).toEqual([null, null, null, 1])
    })

    it('ends a running request: no entry follows, and its rows go to the next request', async () => {
      await using rig = await rigOf({ slots: 1 })
      const [running, next] = [aRequest({ maxNewTokens: 1_000_000 }), aRequest()]
      await rig.queue.submit(running)
      await rig.queue.submit(next)
      await readUntil(rig.queue, running.id, 'token')
      await rig.queue.cancel(running.id)
      const atOnce = await readAll(rig.queue, running.id)
      expect(atOnce.at(-1)?.event).toMatchObject({ kind: 'failed', failure: { code: 'cancelled' } })
      expect(await endOf(rig.queue, next.id)).toBe('finished')
      expect(await readAll(rig.queue, running.id)).toEqual(atOnce)
    })

    it('ends a waiting request without a start', async () => {
      await using rig = await rigOf()
      const request = aRequest()
      await rig.queue.submit(request)
      await rig.queue.cancel(request.id)
      expect((await readAll(rig.queue, request.id)).map(({ event }) => event.kind)).toEqual(['failed'])
      await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
    })

    it('of an ended or unknown request changes nothing', async () => {
      await using rig = await rigOf({ slots: 1 })
      const request = aRequest()
      await rig.queue.submit(request)
      const entries = await readAll(rig.queue, request.id)
      await rig.queue.cancel(request.id)
      await rig.queue.cancel('cmpl-unknown')
      expect(await readAll(rig.queue, request.id)).toEqual(entries)
    })
  })

  describe('a drain', () => {
    it('finishes waiting and running requests, and admits none', async () => {
      await using rig = await rigOf({ slots: 1 })
      const requests = Array.from({ length: 3 }, () => aRequest())
      for (const request of requests) await rig.queue.submit(request)
      const drained = rig.queue.drain(never)
      await expect(rig.queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable' })
      await drained
      await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
      expect(await Promise.all(requests.map(request => endOf(rig.queue, request.id)))).toEqual(requests.map(() => 'finished'))
    })

    it('ends the remaining requests at its deadline', async () => {
      await using rig = await rigOf({ slots: 1 })
      const requests = [aRequest({ prompts: held }), aRequest()]
      for (const request of requests) await rig.queue.submit(request)
      const deadline = new AbortController()
      const drained = rig.queue.drain(deadline.signal)
      deadline.abort()
      await drained
      expect(await Promise.all(requests.map(request => endOf(rig.queue, request.id)))).toEqual(['unavailable', 'unavailable'])
    })

    it('of an idle queue resolves at once', async () => {
      await using rig = await rigOf()
      await rig.queue.drain(never)
    })
  })

  it('ends every admitted request in exactly one terminal event, whatever is cancelled and when', async () => {
    const plan = fc.array(
      fc.record({ choices: fc.integer({ min: 1, max: 5 }), tokens: fc.integer({ min: 1, max: 4 }), cancelled: fc.boolean() }),
      { maxLength: 12 }
    )
    await fc.assert(
      fc.asyncProperty(plan, fc.integer({ min: 1, max: 3 }), async (steps, slots) => {
        await using rig = await rigOf({ slots, waitingLimit: 5 })
        const admitted: { id: string; cancelled: boolean }[] = []
        for (const { choices, tokens, cancelled } of steps) {
          const request = aRequest({ choicesPerPrompt: choices, maxNewTokens: tokens })
          await rig.queue.submit(request).then(
            () => admitted.push({ id: request.id, cancelled }),
            error => expect(error).toMatchObject({ code: 'queue_full' })
          )
          const victim = cancelled ? admitted[Math.floor(admitted.length / 2)] : undefined
          if (victim !== undefined) await rig.queue.cancel(victim.id)
          await new Promise(setImmediate)
        }
        const logs = await Promise.all(admitted.map(({ id }) => readAll(rig.queue, id)))
        for (const entries of logs) {
          expect(entries.map(entry => entry.ordinal)).toEqual(entries.map((_, index) => index + 1))
          expect(entries.filter(entry => isTerminal(entry.event))).toHaveLength(1)
        }
        await expect.poll(() => rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
      }),
      { numRuns: 50 }
    )
  })
}

import { describe, expect, it } from 'vitest'
import { type DeliveryPolicy, PLAIN_DELIVERY } from '../../src/inference/contract/delivery-policy.ts'
import type { LogEntry } from '../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../src/inference/contract/request.ts'
import { type GenerationQueue, pagesOf } from '../../src/queue/queue.ts'
import { aRequest } from './a-request.ts'
import { TRICKS } from './fake-engine.ts'
import { endOf, readAll, readUntil } from './read-all.ts'
import type { RigWith } from './rig.ts'

const held = [{ tokenIds: [TRICKS.hold] }]
const idempotency = { key: 'key', digest: 'digest' }
const never = new AbortController().signal

function withPolicy(delivery: Partial<DeliveryPolicy>, overrides: Partial<GenerationRequest> = {}): GenerationRequest {
  return aRequest({ ...overrides, delivery: { ...PLAIN_DELIVERY, ...delivery } })
}

/**
 * `finished`, the code of the failure, or null before the end; `not_found` when the log has been dropped. Does not
 * count as a reader.
 */
async function endNow(queue: GenerationQueue, requestId: string): Promise<string | null> {
  try {
    const { end } = await queue.snapshot(requestId)
    return end?.kind === 'failed' ? end.failure.code : (end?.kind ?? null)
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'no service error'
  }
}

/** Laws of every queue about delivery policies. */
export function describeDelivery(rigOf: RigWith): void {
  describe('a delivery policy', () => {
    it('is unchanged while the request waits, runs and has ended', async () => {
      await using rig = await rigOf()
      const delivery: DeliveryPolicy = {
        owner: 'an owner',
        onDisconnect: 'run',
        deadlineAtMs: Date.now() + 3_600_000,
        priority: 3,
        presentation: '{"dialect":"chat"}',
        idempotency
      }
      const request = aRequest({ delivery })
      await rig.queue.submit(request)
      expect(await rig.queue.deliveryPolicy(request.id)).toEqual(delivery)
      await rig.startWorker(1)
      expect(await endOf(rig.queue, request.id)).toBe('finished')
      expect(await rig.queue.deliveryPolicy(request.id)).toEqual(delivery)
      await expect(rig.queue.deliveryPolicy('cmpl-unknown')).rejects.toMatchObject({ code: 'not_found' })
    })

    it('is part of a snapshot, with the position and the length of the log', async () => {
      await using rig = await rigOf()
      const request = aRequest()
      await rig.queue.submit(request)
      expect(await rig.queue.snapshot(request.id)).toEqual({
        delivery: PLAIN_DELIVERY,
        queued: { kind: 'queued', position: 1, etaMs: null },
        last: 0,
        end: null
      })
      await rig.startWorker(1)
      const entries = await readAll(rig.queue, request.id)
      const { length } = entries
      expect(await rig.queue.snapshot(request.id)).toEqual({
        delivery: PLAIN_DELIVERY,
        queued: null,
        last: length,
        end: entries.at(-1)?.event
      })
      await expect(rig.queue.snapshot('cmpl-unknown')).rejects.toMatchObject({ code: 'not_found' })
    })

    it('allows its log to be read in pages, from any entry, without counting as a reader', async () => {
      await using rig = await rigOf()
      const request = aRequest({ maxNewTokens: 40 })
      await rig.queue.submit(request)
      expect(await rig.queue.entries(request.id, 0)).toEqual([])
      await rig.startWorker(1)
      const all = await readAll(rig.queue, request.id)
      for (const after of [0, 1, 17, all.length - 1, all.length]) {
        const pages: LogEntry[] = []
        for await (const page of pagesOf(rig.queue, request.id, after, all.length)) pages.push(...page)
        expect(pages).toEqual(all.slice(after))
      }
      await expect(rig.queue.entries('cmpl-unknown', 0)).rejects.toMatchObject({ code: 'not_found' })
    })

    it('is dropped with the log: soon after the end of a plain request, later for one whose reader may reconnect', async () => {
      await using rig = await rigOf({ slots: 1, retentionMs: 50 })
      const plain = withPolicy({ idempotency })
      const others = (['grace', 'run'] as const).map(onDisconnect => withPolicy({ onDisconnect }))
      for (const request of [...others, plain]) await rig.queue.submit(request)
      for (const request of [...others, plain]) await readUntil(rig.queue, request.id, 'finished').catch(() => {})
      await expect.poll(() => endNow(rig.queue, plain.id), { timeout: 10_000 }).toBe('not_found')
      await expect(rig.queue.deliveryPolicy(plain.id)).rejects.toMatchObject({ code: 'not_found' })
      expect(await Promise.all(others.map(request => endNow(rig.queue, request.id)))).toEqual(['finished', 'finished'])
      const again = withPolicy({ idempotency })
      expect(await rig.queue.submit(again)).toBe(again.id)
    })
  })

  describe('an idempotency key', () => {
    it('maps a retry to the running or finished request, even while the queue is full', async () => {
      await using rig = await rigOf({ waitingLimit: 1 })
      const first = withPolicy({ idempotency })
      expect(await rig.queue.submit(first)).toBe(first.id)
      expect(await rig.queue.submit(withPolicy({ idempotency }))).toBe(first.id)
      await rig.startWorker(1)
      expect(await endOf(rig.queue, first.id)).toBe('finished')
      expect(await rig.queue.submit(withPolicy({ idempotency }))).toBe(first.id)
    })

    it('runs exactly one of several concurrent retries', async () => {
      await using rig = await rigOf({ slots: 4 })
      const retries = Array.from({ length: 8 }, () => withPolicy({ idempotency }, { prompts: held }))
      const ids = new Set(await Promise.all(retries.map(request => rig.queue.submit(request))))
      expect(ids.size).toBe(1)
      for (const id of ids) await readUntil(rig.queue, id, 'token')
      expect(await rig.queue.depth()).toEqual({ waiting: 0, running: 1 })
    })

    it('is rejected with another body', async () => {
      await using rig = await rigOf()
      await rig.queue.submit(withPolicy({ idempotency }))
      const other = withPolicy({ idempotency: { ...idempotency, digest: 'another' } })
      await expect(rig.queue.submit(other)).rejects.toMatchObject({ code: 'idempotency_mismatch' })
      await expect(rig.queue.deliveryPolicy(other.id)).rejects.toMatchObject({ code: 'not_found' })
      expect(await rig.queue.depth()).toEqual({ waiting: 1, running: 0 })
    })

    it('is scoped to one owner', async () => {
      await using rig = await rigOf()
      const requests = ['one', 'other'].map(owner => withPolicy({ owner, idempotency }))
      expect(await Promise.all(requests.map(request => rig.queue.submit(request)))).toEqual(requests.map(({ id }) => id))
    })

    it('can be used again after its request was cancelled', async () => {
      await using rig = await rigOf()
      const [cancelled, again] = [withPolicy({ idempotency }), withPolicy({ idempotency })]
      await rig.queue.submit(cancelled)
      await rig.queue.cancel(cancelled.id)
      expect(await rig.queue.submit(again)).toBe(again.id)
      expect(await rig.queue.submit(withPolicy({ idempotency }))).toBe(again.id)
    })
  })

  describe('a priority', () => {
    it('orders waiting requests: lower first, then in the order of arrival', async () => {
      await using rig = await rigOf()
      const requests = [0, 5, -1, 0, 5].map(priority => withPolicy({ priority }))
      for (const request of requests) await rig.queue.submit(request)
      expect(await Promise.all(requests.map(({ id }) => rig.queue.position(id)))).toEqual([2, 4, 1, 3, 5])
      const order: number[] = []
      const ends = requests.map(async ({ id }, index) => {
        await readAll(rig.queue, id)
        order.push(index)
      })
      await rig.startWorker(1)
      await Promise.all(ends)
      expect(order).toEqual([2, 0, 3, 1, 4])
    })
  })

  it('estimates when a waiting request will start, once a request has ended', async () => {
    await using rig = await rigOf({ slots: 1 })
    const [finished, running, waiting] = [aRequest(), aRequest({ prompts: held }), aRequest()]
    await rig.queue.submit(finished)
    await readAll(rig.queue, finished.id)
    for (const request of [running, waiting]) await rig.queue.submit(request)
    const [received] = await readUntil(rig.queue, waiting.id, 'queued')
    expect(received?.event).toEqual({ kind: 'queued', position: 1, etaMs: expect.any(Number) })
  })

  describe('a request without readers', () => {
    it.each(['cancel', 'grace'] as const)(
      'is cancelled after the grace period, and its rows go to the next request: %s',
      async onDisconnect => {
        await using rig = await rigOf({ slots: 1, resumeGraceMs: 100 })
        const [unread, next] = [withPolicy({ onDisconnect }, { prompts: held }), aRequest()]
        await rig.queue.submit(unread)
        await rig.queue.submit(next)
        expect(await endOf(rig.queue, next.id)).toBe('finished')
        expect(await endNow(rig.queue, unread.id)).toBe('cancelled')
      }
    )

    it('continues while it has a reader, and for the grace period after the last one has left', async () => {
      await using rig = await rigOf({ slots: 2, resumeGraceMs: 100 })
      const [read, unread] = [1, 2].map(() => withPolicy({ onDisconnect: 'grace' }, { prompts: held })) as [
        GenerationRequest,
        GenerationRequest
      ]
      await rig.queue.submit(read)
      const leaving = new AbortController()
      const reader = (async () => {
        for await (const _batch of rig.queue.events(read.id, 0, leaving.signal));
      })()
      await rig.queue.submit(unread)
      await expect.poll(() => endNow(rig.queue, unread.id), { timeout: 10_000 }).toBe('cancelled')
      expect(await endNow(rig.queue, read.id)).toBeNull()
      leaving.abort()
      await reader
      await expect.poll(() => endNow(rig.queue, read.id), { timeout: 10_000 }).toBe('cancelled')
    })

    it('runs to its end if its policy is `run`', async () => {
      await using rig = await rigOf({ slots: 2, resumeGraceMs: 50 })
      const [background, plain] = [withPolicy({ onDisconnect: 'run' }, { prompts: held }), aRequest({ prompts: held })]
      await rig.queue.submit(background)
      await rig.queue.submit(plain)
      await expect.poll(() => endNow(rig.queue, plain.id), { timeout: 10_000 }).toBe('cancelled')
      expect(await endNow(rig.queue, background.id)).toBeNull()
    })
  })

  describe('a deadline', () => {
    it('ends a running request: its log is kept, and its rows go to the next request', async () => {
      await using rig = await rigOf({ slots: 1 })
      const late = withPolicy({ deadlineAtMs: Date.now() + 300 }, { prompts: held })
      const next = aRequest()
      await rig.queue.submit(late)
      await rig.queue.submit(next)
      const live: LogEntry[] = await readAll(rig.queue, late.id)
      expect(live.at(-1)?.event).toMatchObject({ kind: 'failed', failure: { code: 'deadline_exceeded' } })
      expect(await endOf(rig.queue, next.id)).toBe('finished')
      expect(await readAll(rig.queue, late.id)).toEqual(live)
    })

    it('ends a waiting request without a start', async () => {
      await using rig = await rigOf()
      const late = withPolicy({ deadlineAtMs: Date.now() + 50 })
      await rig.queue.submit(late)
      expect((await readAll(rig.queue, late.id)).map(({ event }) => event.kind)).toEqual(['failed'])
      expect(await endNow(rig.queue, late.id)).toBe('deadline_exceeded')
      expect(await rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
    })

    it('that is far in the future ends nothing', async () => {
      await using rig = await rigOf({ slots: 1 })
      const request = withPolicy({ deadlineAtMs: Date.now() + 100 * 365 * 86_400_000 })
      await rig.queue.submit(request)
      expect(await endOf(rig.queue, request.id)).toBe('finished')
      await rig.queue.drain(never)
    })
  })
}

import { describe, expect, it } from 'vitest'
import { PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import type { StepEvents } from '../../../src/inference/contract/engine.ts'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import { FRUITLESS_DEATHS_THAT_COUNT } from '../../../src/queue/poison-rule.ts'
import type { WorkerHandle } from '../../../src/queue/worker-pool.ts'
import { aRequest } from '../a-request.ts'
import { aToken, theEnd } from '../events.ts'
import { endOf, readAll } from '../read-all.ts'

/** A worker that records its messages and emits nothing by itself. */
interface SilentWorker {
  readonly worker: WorkerHandle & { emitEvents(events: StepEvents): void }
  readonly started: GenerationRequest[]
  /** The history that each request was started with, by id. */
  readonly histories: Map<string, readonly LoggedEvent[]>
  readonly cancelled: string[]
}

function joinSilent(queue: EmbeddedQueue, slots: number, workerIndex?: number): SilentWorker {
  const started: GenerationRequest[] = []
  const histories = new Map<string, readonly LoggedEvent[]>()
  const cancelled: string[] = []
  const handle = queue.join({
    slots,
    ...(workerIndex !== undefined && { workerIndex }),
    start: (request, history) => {
      started.push(request)
      histories.set(request.id, history)
    },
    cancel: requestId => cancelled.push(requestId)
  })
  const worker = { ...handle, emitEvents: (events: StepEvents) => handle.emit({ kind: 'events', events }) }
  return { worker, started, histories, cancelled }
}

/** The worker dies in a run of these requests, before anything of them is computed. */
function dieOf({ worker }: SilentWorker, ...requests: GenerationRequest[]): void {
  worker.emit({ kind: 'running', requestIds: requests.map(({ id }) => id) })
  worker.leave()
}

function failure(code: 'engine_failure'): { kind: 'failed'; failure: { code: 'engine_failure'; message: string; param: null } } {
  return { kind: 'failed', failure: { code, message: 'broken', param: null } }
}

describe('a worker at the embedded queue', () => {
  it('is given no more choices than it has rows', async () => {
    const queue = new EmbeddedQueue()
    const worker = joinSilent(queue, 4)
    const requests = [aRequest({ choicesPerPrompt: 3 }), aRequest(), aRequest()]
    for (const request of requests) await queue.submit(request)
    expect(worker.started).toEqual(requests.slice(0, 2))
    worker.worker.emitEvents([{ requestId: requests[0]?.id ?? '', event: failure('engine_failure') }])
    expect(worker.started).toEqual(requests)
  })

  it('is preferred when it has more free rows than the others', async () => {
    const queue = new EmbeddedQueue()
    const [small, large] = [joinSilent(queue, 2), joinSilent(queue, 3)]
    for (let count = 0; count < 5; count++) await queue.submit(aRequest())
    expect([small.started.length, large.started.length]).toEqual([2, 3])
    await queue.submit(aRequest())
    expect(await queue.depth()).toEqual({ waiting: 1, running: 5 })
  })

  it('leaves its requests to a successor with its index, which joins during or after its leaving, before others with more free rows', async () => {
    const queue = new EmbeddedQueue()
    const [first, other] = [joinSilent(queue, 3, 0), joinSilent(queue, 9, 1)]
    const requests = Array.from({ length: 9 }, () => aRequest())
    for (const request of requests) await queue.submit(request)
    other.worker.emitEvents(other.started.map(({ id }) => ({ requestId: id, event: failure('engine_failure') })))
    const ran = [...first.started]
    expect(ran.length).toBeGreaterThan(0)
    let spare = first
    first.worker.leave(() => {
      spare = joinSilent(queue, 3, 0)
    })
    expect(spare.started).toEqual(ran)
    other.worker.retire()
    spare.worker.leave()
    expect((await queue.depth()).waiting).toBe(ran.length)
    expect([joinSilent(queue, 3, 0).started, joinSilent(queue, 9, 1).started]).toEqual([ran, []])
  })

  it('removes a request from the wait queue: its readers get no position while the worker is silent', async () => {
    const queue = new EmbeddedQueue()
    const request = aRequest()
    await queue.submit(request)
    const { worker } = joinSilent(queue, 1)
    const next = queue.events(request.id, 0, new AbortController().signal).next()
    worker.emitEvents([{ requestId: request.id, event: { kind: 'started' } }])
    expect((await next).value).toEqual([{ ordinal: 1, event: { kind: 'started' } }])
  })

  it('that dies leaves its requests to the next one, in their order and before all others, with their logs', async () => {
    const queue = new EmbeddedQueue()
    const lost = joinSilent(queue, 2)
    const requests = [aRequest(), aRequest(), aRequest({ delivery: { ...PLAIN_DELIVERY, priority: -1 } })]
    const [first, second, waiting] = requests as [GenerationRequest, GenerationRequest, GenerationRequest]
    for (const request of requests) await queue.submit(request)
    const emitted: LoggedEvent[] = [{ kind: 'started' }, aToken(0)]
    lost.worker.emitEvents(emitted.map(event => ({ requestId: second.id, event })))
    lost.worker.leave()
    expect(await queue.depth()).toEqual({ waiting: 3, running: 0 })
    const next = joinSilent(queue, 3)
    expect(next.started).toEqual([first, second, waiting])
    expect([first, second, waiting].map(({ id }) => next.histories.get(id))).toEqual([[], emitted, []])
    next.worker.emitEvents([aToken(1), theEnd].map(event => ({ requestId: second.id, event })))
    expect((await readAll(queue, second.id)).map(({ event }) => event)).toEqual([...emitted, aToken(1), theEnd])
  })

  it('that is dead is ignored, also about requests that run on another worker now', async () => {
    const queue = new EmbeddedQueue()
    const dead = joinSilent(queue, 1)
    const request = aRequest()
    await queue.submit(request)
    dead.worker.leave()
    const next = joinSilent(queue, 1)
    dead.worker.emitEvents([{ requestId: request.id, event: aToken(0) }])
    next.worker.emitEvents([{ requestId: request.id, event: theEnd }])
    dead.worker.emitEvents([{ requestId: request.id, event: theEnd }])
    expect((await readAll(queue, request.id)).map(({ event }) => event)).toEqual([theEnd])
  })

  it('is ignored about requests that it does not run, or no longer runs', async () => {
    const queue = new EmbeddedQueue()
    const [worker, other] = [joinSilent(queue, 1), joinSilent(queue, 1)]
    const request = aRequest()
    await queue.submit(request)
    other.worker.emitEvents([{ requestId: request.id, event: { kind: 'started' } }])
    await queue.cancel(request.id)
    expect(worker.cancelled).toEqual([request.id])
    worker.worker.emitEvents([
      { requestId: request.id, event: { kind: 'started' } },
      { requestId: 'cmpl-unknown', event: failure('engine_failure') }
    ])
    worker.worker.leave()
    expect(await readAll(queue, request.id)).toMatchObject([{ ordinal: 1, event: { failure: { code: 'cancelled' } } }])
  })

  it('gets no more requests once it is retired, but finishes those that it runs', async () => {
    const queue = new EmbeddedQueue()
    const worker = joinSilent(queue, 2)
    const [running, waiting] = [aRequest(), aRequest()]
    await queue.submit(running)
    worker.worker.retire()
    await queue.submit(waiting)
    worker.worker.emitEvents([{ requestId: running.id, event: failure('engine_failure') }])
    expect(await endOf(queue, running.id)).toBe('engine_failure')
    expect(worker.started).toEqual([running])
    expect(await queue.position(waiting.id)).toBe(1)
  })
})

describe('the embedded queue', () => {
  it('fails waiting requests and admits none once no worker will ever join', async () => {
    const queue = new EmbeddedQueue()
    const request = aRequest()
    await queue.submit(request)
    queue.giveUp('the model file is broken')
    expect(await endOf(queue, request.id)).toBe('unavailable')
    await expect(queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable', message: 'the model file is broken' })
  })

  it('bounds the prompt tokens of waiting requests, except for a single request', async () => {
    const queue = new EmbeddedQueue({ waitingTokenLimit: 10 })
    await queue.submit(aRequest({ prompts: [{ tokenIds: Array(11).fill(1) }] }))
    await expect(queue.submit(aRequest())).rejects.toMatchObject({ code: 'queue_full' })
    expect((await queue.depth()).waiting).toBe(1)
    joinSilent(queue, 1)
    for (let count = 0; count < 10; count++) await queue.submit(aRequest())
    await expect(queue.submit(aRequest())).rejects.toMatchObject({ code: 'queue_full' })
  })
})

describe('a request in whose runs workers die', () => {
  it('runs alone after two deaths, and fails with `poisoned` when its worker dies again; other requests never do', async () => {
    const queue = new EmbeddedQueue()
    const [poison, healthy, late] = [aRequest(), aRequest(), aRequest()]
    await queue.submit(poison)
    await queue.submit(healthy)
    for (let count = 0; count < 2; count++) {
      const worker = joinSilent(queue, 3)
      expect(worker.started).toEqual([poison, healthy])
      worker.worker.emit({ kind: 'advanced', requestIds: [healthy.id] })
      dieOf(worker, poison, healthy)
    }
    await queue.submit(late)
    const alone = joinSilent(queue, 3)
    expect(alone.started).toEqual([poison])
    dieOf(alone, poison)
    expect(await readAll(queue, poison.id)).toMatchObject([{ event: { failure: { code: 'poisoned' } } }])
    expect(joinSilent(queue, 3).started).toEqual([healthy, late])
  })

  it('has no counted death between runs, in runs of others, or after it has advanced', async () => {
    const queue = new EmbeddedQueue()
    const request = aRequest()
    await queue.submit(request)
    for (let count = 0; count < 9; count++) {
      const worker = joinSilent(queue, 2)
      if (count % 3 === 0) worker.worker.emit({ kind: 'running', requestIds: [] })
      if (count % 3 === 1) worker.worker.emit({ kind: 'running', requestIds: ['cmpl-other'] })
      if (count % 3 === 2) worker.worker.emit({ kind: 'advanced', requestIds: [request.id] })
      if (count % 3 === 2) worker.worker.emit({ kind: 'running', requestIds: [request.id] })
      worker.worker.leave()
    }
    await queue.submit(aRequest())
    expect(joinSilent(queue, 2).started).toHaveLength(2)
  })

  it('fails with `poisoned` too when it kills at a later token, which every worker reaches again', async () => {
    const queue = new EmbeddedQueue()
    const [poison, harmless] = [aRequest({ maxNewTokens: 99 }), aRequest({ maxNewTokens: 99 })]
    await queue.submit(poison)
    await queue.submit(harmless)
    for (let death = 0; death <= FRUITLESS_DEATHS_THAT_COUNT; death++) {
      const worker = joinSilent(queue, 2)
      expect(worker.started).toEqual([poison, harmless])
      worker.worker.emit({ kind: 'running', requestIds: [poison.id, harmless.id] })
      worker.worker.emit({ kind: 'advanced', requestIds: [poison.id, harmless.id] })
      if (death === 0) worker.worker.emitEvents([{ requestId: poison.id, event: aToken(0) }])
      worker.worker.emitEvents([{ requestId: harmless.id, event: aToken(death) }])
      worker.worker.leave()
    }
    const alone = joinSilent(queue, 2)
    expect(alone.started).toEqual([poison])
    alone.worker.emit({ kind: 'running', requestIds: [poison.id] })
    alone.worker.emit({ kind: 'advanced', requestIds: [poison.id] })
    alone.worker.leave()
    expect(await endOf(queue, poison.id)).toBe('poisoned')
    expect(joinSilent(queue, 2).started).toEqual([harmless])
  })

  it('runs alone, one suspect at a time, if several shared the deaths: a harmless suspect finishes', async () => {
    const queue = new EmbeddedQueue()
    const [harmless, poison] = [aRequest(), aRequest()]
    await queue.submit(harmless)
    await queue.submit(poison)
    for (let count = 0; count < 2; count++) dieOf(joinSilent(queue, 2), harmless, poison)
    const worker = joinSilent(queue, 2)
    expect(worker.started).toEqual([harmless])
    worker.worker.emitEvents([{ requestId: harmless.id, event: theEnd }])
    expect(worker.started).toEqual([harmless, poison])
    dieOf(worker, poison)
    expect(await endOf(queue, harmless.id)).toBe('finished')
    expect(await endOf(queue, poison.id)).toBe('poisoned')
  })

  it('waits for a worker that is reserved for it, while other requests continue on another worker', async () => {
    const queue = new EmbeddedQueue()
    const suspect = aRequest()
    await queue.submit(suspect)
    dieOf(joinSilent(queue, 1), suspect)
    const deadly = joinSilent(queue, 1)
    const [small, large] = [joinSilent(queue, 2), joinSilent(queue, 3)]
    for (let count = 0; count < 3; count++) await queue.submit(aRequest())
    expect([small.started.length, large.started.length]).toEqual([1, 2])
    dieOf(deadly, suspect)
    const later = [aRequest(), aRequest()]
    for (const request of later) await queue.submit(request)
    expect(large.started.at(-1)).toBe(later[0])
    expect(small.started).toHaveLength(1)
    small.worker.emitEvents([{ requestId: small.started[0]?.id ?? '', event: theEnd }])
    expect(small.started.at(-1)).toBe(suspect)
    expect(await queue.depth()).toEqual({ waiting: 1, running: 4 })
    small.worker.emitEvents([{ requestId: suspect.id, event: theEnd }])
    expect(small.started.at(-1)).toBe(later[1])
  })

  it('that is cancelled while a worker is reserved for it releases that worker', async () => {
    const queue = new EmbeddedQueue()
    const suspect = aRequest()
    await queue.submit(suspect)
    for (let count = 0; count < 2; count++) dieOf(joinSilent(queue, 1), suspect)
    await queue.cancel(suspect.id)
    const worker = joinSilent(queue, 2)
    const others = [aRequest(), aRequest()]
    for (const request of others) await queue.submit(request)
    expect(worker.started).toEqual(others)
  })
})

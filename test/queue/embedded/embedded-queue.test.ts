import { describe, expect, it } from 'vitest'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import type { WorkerSeat } from '../../../src/queue/embedded/worker-pool.ts'
import { aRequest } from '../a-request.ts'
import { endOf, readAll } from '../read-all.ts'

/** A worker that writes down what it is told and says nothing of its own. */
function joinSilent(queue: EmbeddedQueue, slots: number): { seat: WorkerSeat; started: GenerationRequest[]; cancelled: string[] } {
  const started: GenerationRequest[] = []
  const cancelled: string[] = []
  const seat = queue.join({ slots, start: request => started.push(request), cancel: requestId => cancelled.push(requestId) })
  return { seat, started, cancelled }
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
    worker.seat.deliver([{ requestId: requests[0]?.id ?? '', event: failure('engine_failure') }])
    expect(worker.started).toEqual(requests)
  })

  it('is preferred when it has more free rows than its neighbours', async () => {
    const queue = new EmbeddedQueue()
    const [small, large] = [joinSilent(queue, 2), joinSilent(queue, 3)]
    for (let count = 0; count < 5; count++) await queue.submit(aRequest())
    expect([small.started.length, large.started.length]).toEqual([2, 3])
    await queue.submit(aRequest())
    expect(await queue.depth()).toEqual({ waiting: 1, running: 5 })
  })

  it('takes a request out of the line: its readers are told no position while the worker is silent', async () => {
    const queue = new EmbeddedQueue()
    const request = aRequest()
    await queue.submit(request)
    const { seat } = joinSilent(queue, 1)
    const next = queue.events(request.id, 0, new AbortController().signal).next()
    seat.deliver([{ requestId: request.id, event: { kind: 'started' } }])
    expect((await next).value).toEqual([{ ordinal: 1, event: { kind: 'started' } }])
  })

  it('takes its requests with it when it is lost, and what waits stays for the next worker', async () => {
    const queue = new EmbeddedQueue()
    const lost = joinSilent(queue, 1)
    const [running, waiting] = [aRequest(), aRequest()]
    await queue.submit(running)
    await queue.submit(waiting)
    lost.seat.deliver([{ requestId: running.id, event: { kind: 'started' } }])
    lost.seat.leave()
    expect((await readAll(queue, running.id)).map(({ event }) => event)).toMatchObject([
      { kind: 'started' },
      { kind: 'failed', failure: { code: 'worker_lost' } }
    ])
    expect(await queue.position(waiting.id)).toBe(1)
    expect(joinSilent(queue, 1).started).toEqual([waiting])
  })

  it('is not heard about requests that it does not run, or not any more', async () => {
    const queue = new EmbeddedQueue()
    const [worker, other] = [joinSilent(queue, 1), joinSilent(queue, 1)]
    const request = aRequest()
    await queue.submit(request)
    other.seat.deliver([{ requestId: request.id, event: { kind: 'started' } }])
    await queue.cancel(request.id)
    expect(worker.cancelled).toEqual([request.id])
    worker.seat.deliver([
      { requestId: request.id, event: { kind: 'started' } },
      { requestId: 'cmpl-unknown', event: failure('engine_failure') }
    ])
    worker.seat.leave()
    expect(await readAll(queue, request.id)).toMatchObject([{ ordinal: 1, event: { failure: { code: 'cancelled' } } }])
  })

  it('gets nothing more once it is retired, but ends what it runs', async () => {
    const queue = new EmbeddedQueue()
    const worker = joinSilent(queue, 2)
    const [running, waiting] = [aRequest(), aRequest()]
    await queue.submit(running)
    worker.seat.retire()
    await queue.submit(waiting)
    worker.seat.deliver([{ requestId: running.id, event: failure('engine_failure') }])
    expect(await endOf(queue, running.id)).toBe('engine_failure')
    expect(worker.started).toEqual([running])
    expect(await queue.position(waiting.id)).toBe(1)
  })
})

describe('the embedded queue', () => {
  it('fails what waits, and admits nothing, once no worker will ever come', async () => {
    const queue = new EmbeddedQueue()
    const request = aRequest()
    await queue.submit(request)
    queue.giveUp('the model file is broken')
    expect(await endOf(queue, request.id)).toBe('unavailable')
    await expect(queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable', message: 'the model file is broken' })
  })

  it('bounds the prompt tokens that wait, but lets one request alone be longer', async () => {
    const queue = new EmbeddedQueue({ waitingTokenLimit: 10 })
    await queue.submit(aRequest({ prompts: [{ tokenIds: Array(11).fill(1) }] }))
    await expect(queue.submit(aRequest())).rejects.toMatchObject({ code: 'queue_full' })
    expect((await queue.depth()).waiting).toBe(1)
    joinSilent(queue, 1)
    for (let count = 0; count < 10; count++) await queue.submit(aRequest())
    await expect(queue.submit(aRequest())).rejects.toMatchObject({ code: 'queue_full' })
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { StepEvents } from '../../../src/inference/contract/engine.ts'
import type { LoggedEvent, TokenScore } from '../../../src/inference/contract/events.ts'
import { JobRunner, type Progress } from '../../../src/queue/worker/job-runner.ts'
import { aRequest } from '../a-request.ts'
import { aToken } from '../events.ts'
import { FakeEngine, TRICKS } from '../fake-engine.ts'

function worker(): { runner: JobRunner; engine: FakeEngine; messages: StepEvents[]; beats: Progress[] } {
  const messages: StepEvents[] = []
  const beats: Progress[] = []
  const runner = new JobRunner(
    { events: events => messages.push(events), running: () => {}, advanced: () => {}, heartbeat: progress => beats.push(progress) },
    500
  )
  const engine = new FakeEngine({ slots: 4, stepMs: 10, listener: runner.listener })
  runner.serve(engine)
  return { runner, engine, messages, beats }
}

describe('a job runner', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }))
  afterEach(() => void vi.useRealTimers())

  it('sends one message per step, over all requests', () => {
    const { runner, messages } = worker()
    for (let count = 0; count < 3; count++) runner.start(aRequest({ maxNewTokens: 5 }), [])
    vi.advanceTimersByTime(1000)
    expect(messages).toHaveLength(6)
    expect(messages[2]?.map(({ event }) => event.kind)).toEqual(['token', 'token', 'token'])
  })

  it('sends each scored piece of a prompt apart, in the order of the step, and the rest of the step together', () => {
    const { runner, messages } = worker()
    const piece = (scores: TokenScore[] | null): LoggedEvent => ({ kind: 'prompt', promptIndex: 0, tokenIds: [1], text: 'a', scores })
    const emitted = [aToken(0), aToken(1), piece([]), piece([]), piece(null), aToken(2), piece([])].map(event => ({
      requestId: 'x',
      event
    }))
    runner.listener.events(emitted)
    expect(messages.flat()).toEqual(emitted)
    expect(messages.map(message => message.length)).toEqual([2, 1, 1, 2, 1])
  })

  it('tells with each heartbeat how far it is and how much it has to do', () => {
    const { runner, beats } = worker()
    runner.start(aRequest({ maxNewTokens: 10 }), [])
    vi.advanceTimersByTime(50)
    runner.start(aRequest({ prompts: [{ tokenIds: [TRICKS.hang] }] }), [])
    vi.advanceTimersByTime(500)
    expect(beats).toMatchObject([
      { stepsDone: 0, stepStartedAtMs: null, activeRequests: 0 },
      { stepsDone: 6, stepStartedAtMs: 60, activeRequests: 2, statistics: { gauges: { decodingRows: 2 }, counters: { decodeRuns: 6 } } }
    ])
  })

  it('drains when the last request has ended, closes the engine and beats no more', async () => {
    const { runner, engine, beats } = worker()
    const close = vi.spyOn(engine, 'close')
    const held = aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
    runner.start(held, [])
    runner.start(aRequest(), [])
    const drained = runner.drain()
    await vi.advanceTimersByTimeAsync(1000)
    expect(close).not.toHaveBeenCalled()
    runner.cancel(held.id)
    await drained
    expect(close).toHaveBeenCalledOnce()
    const received = beats.length
    await vi.advanceTimersByTimeAsync(5000)
    expect(beats).toHaveLength(received)
  })

  it('drains at once while the model is still being loaded', async () => {
    await new JobRunner({ events: () => {}, running: () => {}, advanced: () => {}, heartbeat: () => {} }, 500).drain()
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EngineProgress, EngineSignal, StepEvents } from '../../../src/inference/contract/engine.ts'
import type { LoggedEvent, TokenScore } from '../../../src/inference/contract/events.ts'
import { JobRunner } from '../../../src/queue/worker/job-runner.ts'
import { aRequest } from '../a-request.ts'
import { aToken } from '../events.ts'
import { FakeEngine, TRICKS } from '../fake-engine.ts'

function worker(): { runner: JobRunner; engine: FakeEngine; signals: EngineSignal[]; messages: StepEvents[]; beats: EngineProgress[] } {
  const signals: EngineSignal[] = []
  const messages: StepEvents[] = []
  const beats: EngineProgress[] = []
  const emit = (signal: EngineSignal): void => {
    signals.push(signal)
    if (signal.kind === 'events') messages.push(signal.events)
    if (signal.kind === 'heartbeat') beats.push(signal.progress)
  }
  const runner = new JobRunner({ emit }, 500)
  const engine = new FakeEngine({ slots: 4, stepMs: 10, listener: runner })
  runner.serve(engine)
  return { runner, engine, signals, messages, beats }
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

  it('forwards every other signal as it is, in order with the events', () => {
    const { runner, signals } = worker()
    const emitted: EngineSignal[] = [
      { kind: 'running', requestIds: ['x', 'y'] },
      { kind: 'adopted', requestIds: ['y'] },
      { kind: 'advanced', requestIds: ['x'] },
      { kind: 'events', events: [{ requestId: 'x', event: aToken(0) }] },
      { kind: 'running', requestIds: [] }
    ]
    for (const signal of emitted) runner.emit(signal)
    expect(signals.slice(1)).toEqual(emitted)
  })

  it('sends each scored piece of a prompt in a message of its own, in order, and the other events of the step together', () => {
    const { runner, messages } = worker()
    const piece = (scores: TokenScore[] | null): LoggedEvent => ({ kind: 'prompt', promptIndex: 0, tokenIds: [1], text: 'a', scores })
    const emitted = [aToken(0), aToken(1), piece([]), piece([]), piece(null), aToken(2), piece([])].map(event => ({
      requestId: 'x',
      event
    }))
    runner.emit({ kind: 'events', events: emitted })
    expect(messages.flat()).toEqual(emitted)
    expect(messages.map(message => message.length)).toEqual([2, 1, 1, 2, 1])
  })

  it('reports its progress and its number of requests with each heartbeat', () => {
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

  it('drains when the last request has ended, without waiting for the engine, and sends no more heartbeats', async () => {
    const { runner, engine, beats } = worker()
    const close = vi.spyOn(engine, 'close')
    let isDrained = false
    const held = aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
    runner.start(held, [])
    runner.start(aRequest(), [])
    const drained = runner.drain().then(() => {
      isDrained = true
    })
    await vi.advanceTimersByTimeAsync(1000)
    expect(isDrained).toBe(false)
    runner.cancel(held.id)
    await drained
    expect(close).not.toHaveBeenCalled()
    const received = beats.length
    await vi.advanceTimersByTimeAsync(5000)
    expect(beats).toHaveLength(received)
  })

  it('drains at once while the model is still being loaded', async () => {
    await new JobRunner({ emit: () => {} }, 500).drain()
  })
})

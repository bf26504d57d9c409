import { describe, expect, it } from 'vitest'
import type { EngineSignal } from '../../../src/inference/contract/engine.ts'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { ZERO_COUNTERS, ZERO_GAUGES } from '../../../src/inference/contract/statistics.ts'
import {
  type ParentMessage,
  parseParentMessage,
  parseWorkerMessage,
  type WorkerMessage
} from '../../../src/server/workers/worker-protocol.ts'
import { aRequest } from '../../queue/a-request.ts'
import { aToken } from '../../queue/events.ts'
import { FakeEngine } from '../../queue/fake-engine.ts'

const { description } = new FakeEngine({ slots: 1, stepMs: 0, listener: { emit: () => {} } })

const toWorker: ParentMessage[] = [
  { kind: 'start', request: aRequest(), history: [] },
  { kind: 'cancel', requestId: 'cmpl-1' },
  { kind: 'drain', withinMs: 1500 }
]

const toParent: WorkerMessage[] = [
  { kind: 'ready', description },
  { kind: 'fatal', message: 'no such file' },
  { kind: 'crashed', message: 'a row has two owners' },
  { kind: 'drained' }
]

const signals: EngineSignal[] = [
  { kind: 'events', events: [{ requestId: 'cmpl-1', event: aToken(0) }] },
  { kind: 'running', requestIds: [] },
  { kind: 'advanced', requestIds: ['cmpl-1'] },
  { kind: 'adopted', requestIds: ['cmpl-1', 'cmpl-2'] },
  {
    kind: 'heartbeat',
    progress: { stepsDone: 1, stepStartedAtMs: null, activeRequests: 0, statistics: { gauges: ZERO_GAUGES, counters: ZERO_COUNTERS } }
  }
]

describe('the protocol between server and worker', () => {
  it.each(toWorker)('accepts $kind from the server', message => {
    expect(parseParentMessage(structuredClone(message))).toEqual(message)
  })

  it.each(toParent)('accepts $kind from the worker', message => {
    expect(parseWorkerMessage(structuredClone(message))).toEqual(message)
  })

  it.each(signals)('accepts the signal $kind from the worker', signal => {
    expect(parseWorkerMessage(structuredClone({ kind: 'signal', signal }))).toEqual({ kind: 'signal', signal })
  })

  it('does not walk the events of a step', () => {
    const message = { kind: 'signal', signal: signals[0] }
    expect(parseWorkerMessage(message)).toBe(message)
  })

  it.each([
    null,
    'drain',
    { kind: 'unknown' },
    { kind: 'start', request: {} },
    { kind: 'cancel' },
    { kind: 'signal', signal: { kind: 'unknown' } },
    { kind: 'signal', signal: { kind: 'events', events: [null] } },
    { kind: 'signal', signal: { kind: 'events', events: [{ requestId: 1, event: aToken(0) }] } },
    { kind: 'signal', signal: { kind: 'advanced', requestIds: [1] } },
    { kind: 'ready', description: { ...description, slots: 0 } },
    { kind: 'drained', more: 1 }
  ])('rejects %j', raw => {
    expect(() => parseParentMessage(raw)).toThrow(InvariantError)
    expect(() => parseWorkerMessage(raw)).toThrow(InvariantError)
  })
})

import { describe, expect, it } from 'vitest'
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

const { description } = new FakeEngine({ slots: 1, stepMs: 0, listener: { events: () => {}, running: () => {}, advanced: () => {} } })

const toWorker: ParentMessage[] = [
  { kind: 'start', request: aRequest(), history: [] },
  { kind: 'cancel', requestId: 'cmpl-1' },
  { kind: 'drain', withinMs: 1500 }
]

const toParent: WorkerMessage[] = [
  { kind: 'ready', description },
  { kind: 'events', events: [{ requestId: 'cmpl-1', event: aToken(0) }] },
  {
    kind: 'heartbeat',
    progress: { stepsDone: 1, stepStartedAtMs: null, activeRequests: 0, statistics: { gauges: ZERO_GAUGES, counters: ZERO_COUNTERS } }
  },
  { kind: 'fatal', message: 'no such file' },
  { kind: 'drained' }
]

describe('the protocol between server and worker', () => {
  it.each(toWorker)('takes $kind on its way down', message => {
    expect(parseParentMessage(structuredClone(message))).toEqual(message)
  })

  it.each(toParent)('takes $kind on its way up', message => {
    expect(parseWorkerMessage(structuredClone(message))).toEqual(message)
  })

  it.each([
    null,
    'drain',
    { kind: 'unknown' },
    { kind: 'start', request: {} },
    { kind: 'cancel' },
    { kind: 'events', events: [null] },
    { kind: 'events', events: [{ requestId: 1, event: aToken(0) }] },
    { kind: 'ready', description: { ...description, slots: 0 } },
    { kind: 'drained', more: 1 }
  ])('has no room for %j', raw => {
    expect(() => parseParentMessage(raw)).toThrow(InvariantError)
    expect(() => parseWorkerMessage(raw)).toThrow(InvariantError)
  })
})

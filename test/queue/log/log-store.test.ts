import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DeliveryPolicy, PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { LogStore } from '../../../src/queue/log/log-store.ts'
import { aToken, theEnd } from '../events.ts'

const OPTIONS = { retentionMs: 60_000, streamRetentionMs: 600_000, retainedTokens: 100 }
const FAILED: LoggedEvent = { kind: 'failed', failure: { code: 'engine_failure', message: 'broken', param: null } }

/** Adds a complete log to the store: tokens and a terminal event. */
function addLog(
  store: LogStore,
  id: string,
  { tokens = 0, end = theEnd as LoggedEvent, ...delivery }: Partial<DeliveryPolicy> & { tokens?: number; end?: LoggedEvent }
) {
  const log = store.open(id, { ...PLAIN_DELIVERY, ...delivery })
  for (let position = 0; position < tokens; position++) log.append(aToken(position))
  log.append(end)
  store.retain(id)
}

function has(store: LogStore, id: string): boolean {
  try {
    return store.find(id).log.entries.length >= 0
  } catch {
    return false
  }
}

describe('the log store', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('keeps a log for the retention time after its end, and until then without limit', () => {
    const store = new LogStore(OPTIONS)
    store.open('live', PLAIN_DELIVERY)
    vi.advanceTimersByTime(600_000)
    addLog(store, 'ended', {})
    vi.advanceTimersByTime(59_999)
    expect(has(store, 'ended')).toBe(true)
    vi.advanceTimersByTime(1)
    expect(() => store.find('ended')).toThrow('there is no request ended')
    expect(has(store, 'live')).toBe(true)
  })

  it.each(['grace', 'run'] as const)('keeps the log of a request whose reader may reconnect longer: %s', onDisconnect => {
    const store = new LogStore(OPTIONS)
    addLog(store, 'ended', { onDisconnect })
    vi.advanceTimersByTime(599_999)
    expect(has(store, 'ended')).toBe(true)
    vi.advanceTimersByTime(1)
    expect(has(store, 'ended')).toBe(false)
  })

  it('drops ended logs early beyond the limit of tokens: plain ones first, the oldest first, never one that has not ended', () => {
    const store = new LogStore({ ...OPTIONS, retainedTokens: 10 })
    const live = store.open('live', PLAIN_DELIVERY)
    for (let position = 0; position < 20; position++) live.append(aToken(position))
    addLog(store, 'kept', { tokens: 4, onDisconnect: 'grace' })
    addLog(store, 'first', { tokens: 4 })
    addLog(store, 'second', { tokens: 4 })
    expect(['live', 'kept', 'first', 'second'].filter(id => has(store, id))).toEqual(['live', 'kept', 'second'])
    addLog(store, 'large', { tokens: 9, onDisconnect: 'run' })
    expect(['live', 'kept', 'second', 'large'].filter(id => has(store, id))).toEqual(['live', 'large'])
    vi.advanceTimersByTime(600_000)
    expect(['live', 'large'].filter(id => has(store, id))).toEqual(['live'])
  })

  it('keeps the log that has just ended until another ends, even if it alone exceeds the limit', () => {
    const store = new LogStore(OPTIONS)
    addLog(store, 'huge', { tokens: 100 })
    expect(has(store, 'huge')).toBe(true)
    addLog(store, 'next', { tokens: 1 })
    expect(['huge', 'next'].filter(id => has(store, id))).toEqual(['next'])
  })

  it('counts alternatives and the tokens of prompts', () => {
    const log = new LogStore(OPTIONS).open('scored', PLAIN_DELIVERY)
    const alternative = { tokenId: 1, text: 'a', logprob: -1 }
    const score = { ...alternative, top: [alternative, alternative], textOffset: 0 }
    log.append({ kind: 'prompt', promptIndex: 0, tokenIds: [1, 2], text: 'aa', scores: [score, score] })
    log.append({ ...aToken(0), score })
    expect(log.tokens).toBe(6 + 3)
  })

  it('rejects a second log with the same id', () => {
    const store = new LogStore(OPTIONS)
    store.open('twice', PLAIN_DELIVERY)
    expect(() => store.open('twice', PLAIN_DELIVERY)).toThrow(InvariantError)
  })

  it('drops an idempotency key with its log, unless a later request uses the key', () => {
    const store = new LogStore(OPTIONS)
    const idempotency = { key: 'k', digest: 'd' }
    const delivery = { ...PLAIN_DELIVERY, idempotency }
    addLog(store, 'failed', { idempotency, end: FAILED })
    expect(store.claimed(delivery)).toBeNull()
    vi.advanceTimersByTime(30_000)
    addLog(store, 'second', { idempotency })
    vi.advanceTimersByTime(30_000)
    expect(has(store, 'failed')).toBe(false)
    expect(store.claimed(delivery)).toBe('second')
    vi.advanceTimersByTime(30_000)
    expect(store.claimed(delivery)).toBeNull()
  })
})

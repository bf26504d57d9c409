import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { PLAIN_TICKET, type Ticket } from '../../../src/inference/contract/ticket.ts'
import { LogShelf } from '../../../src/queue/log/log-shelf.ts'
import { aToken, theEnd } from '../events.ts'

const OPTIONS = { retentionMs: 60_000, streamRetentionMs: 600_000, retainedTokens: 100 }
const FAILED: LoggedEvent = { kind: 'failed', failure: { code: 'engine_failure', message: 'broken', param: null } }

/** Puts a whole log on the shelf: some tokens and an end. */
function shelve(
  shelf: LogShelf,
  id: string,
  { tokens = 0, end = theEnd as LoggedEvent, ...ticket }: Partial<Ticket> & { tokens?: number; end?: LoggedEvent }
) {
  const log = shelf.open(id, { ...PLAIN_TICKET, ...ticket })
  for (let position = 0; position < tokens; position++) log.append(aToken(position))
  log.append(end)
  shelf.retain(id)
}

function has(shelf: LogShelf, id: string): boolean {
  try {
    return shelf.find(id).log.entries.length >= 0
  } catch {
    return false
  }
}

describe('the log shelf', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('keeps a log for the retention time after its end, and a live one for ever', () => {
    const shelf = new LogShelf(OPTIONS)
    shelf.open('live', PLAIN_TICKET)
    vi.advanceTimersByTime(600_000)
    shelve(shelf, 'ended', {})
    vi.advanceTimersByTime(59_999)
    expect(has(shelf, 'ended')).toBe(true)
    vi.advanceTimersByTime(1)
    expect(() => shelf.find('ended')).toThrow('there is no request ended')
    expect(has(shelf, 'live')).toBe(true)
  })

  it.each(['grace', 'run'] as const)('keeps the log of a reader that may come back longer: %s', unattended => {
    const shelf = new LogShelf(OPTIONS)
    shelve(shelf, 'ended', { unattended })
    vi.advanceTimersByTime(599_999)
    expect(has(shelf, 'ended')).toBe(true)
    vi.advanceTimersByTime(1)
    expect(has(shelf, 'ended')).toBe(false)
  })

  it('drops ended logs early when all together grow too large: plain ones first, the oldest first, never a live one', () => {
    const shelf = new LogShelf({ ...OPTIONS, retainedTokens: 10 })
    const live = shelf.open('live', PLAIN_TICKET)
    for (let position = 0; position < 20; position++) live.append(aToken(position))
    shelve(shelf, 'kept', { tokens: 4, unattended: 'grace' })
    shelve(shelf, 'first', { tokens: 4 })
    shelve(shelf, 'second', { tokens: 4 })
    expect(['live', 'kept', 'first', 'second'].filter(id => has(shelf, id))).toEqual(['live', 'kept', 'second'])
    shelve(shelf, 'large', { tokens: 9, unattended: 'run' })
    expect(['live', 'kept', 'second', 'large'].filter(id => has(shelf, id))).toEqual(['live', 'large'])
    vi.advanceTimersByTime(600_000)
    expect(['live', 'large'].filter(id => has(shelf, id))).toEqual(['live'])
  })

  it('keeps the log that has just ended, though it alone is too much, until another ends', () => {
    const shelf = new LogShelf(OPTIONS)
    shelve(shelf, 'huge', { tokens: 100 })
    expect(has(shelf, 'huge')).toBe(true)
    shelve(shelf, 'next', { tokens: 1 })
    expect(['huge', 'next'].filter(id => has(shelf, id))).toEqual(['next'])
  })

  it('weighs alternatives and the tokens of prompts', () => {
    const log = new LogShelf(OPTIONS).open('scored', PLAIN_TICKET)
    const alternative = { tokenId: 1, text: 'a', logprob: -1 }
    const score = { ...alternative, top: [alternative, alternative], textOffset: 0 }
    log.append({ kind: 'prompt', promptIndex: 0, tokenIds: [1, 2], text: 'aa', scores: [score, score] })
    log.append({ ...aToken(0), score })
    expect(log.tokens).toBe(6 + 3)
  })

  it('refuses a second log of the same id', () => {
    const shelf = new LogShelf(OPTIONS)
    shelf.open('twice', PLAIN_TICKET)
    expect(() => shelf.open('twice', PLAIN_TICKET)).toThrow(InvariantError)
  })

  it('forgets an idempotency key with its log, but not one that a later request has taken', () => {
    const shelf = new LogShelf(OPTIONS)
    const idempotency = { key: 'k', digest: 'd' }
    const ticket = { ...PLAIN_TICKET, idempotency }
    shelve(shelf, 'failed', { idempotency, end: FAILED })
    expect(shelf.claimed(ticket)).toBeNull()
    vi.advanceTimersByTime(30_000)
    shelve(shelf, 'second', { idempotency })
    vi.advanceTimersByTime(30_000)
    expect(has(shelf, 'failed')).toBe(false)
    expect(shelf.claimed(ticket)).toBe('second')
    vi.advanceTimersByTime(30_000)
    expect(shelf.claimed(ticket)).toBeNull()
  })
})

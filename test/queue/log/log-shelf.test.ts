import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { LogShelf } from '../../../src/queue/log/log-shelf.ts'
import { aToken, theEnd } from '../events.ts'

describe('the log shelf', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('keeps a log for the retention time after its end, and a live one for ever', () => {
    const shelf = new LogShelf({ retentionMs: 60_000, retainedTokens: 100 })
    shelf.open('ended')
    shelf.open('live')
    vi.advanceTimersByTime(600_000)
    shelf.append('ended', theEnd)
    vi.advanceTimersByTime(59_999)
    expect(shelf.find('ended').hasEnded).toBe(true)
    vi.advanceTimersByTime(1)
    expect(() => shelf.find('ended')).toThrow('there is no request ended')
    expect(shelf.find('live').hasEnded).toBe(false)
  })

  it('drops the oldest ended logs early when all together grow too large, never a live one', () => {
    const shelf = new LogShelf({ retentionMs: 60_000, retainedTokens: 10 })
    for (const id of ['live', 'first', 'second', 'third']) shelf.open(id)
    for (const id of ['live', 'first', 'second', 'third']) {
      for (let position = 0; position < 4; position++) shelf.append(id, aToken(position))
    }
    for (const id of ['first', 'second', 'third']) shelf.append(id, theEnd)
    expect(() => shelf.find('first')).toThrow()
    expect(shelf.find('second').tokens + shelf.find('third').tokens).toBe(10)
    expect(shelf.find('live').tokens).toBe(4)
  })

  it('weighs alternatives and the tokens of prompts', () => {
    const shelf = new LogShelf({ retentionMs: 1, retainedTokens: 100 })
    const log = shelf.open('scored')
    const alternative = { tokenId: 1, text: 'a', logprob: -1 }
    const score = { ...alternative, top: [alternative, alternative], textOffset: 0 }
    shelf.append('scored', { kind: 'prompt', promptIndex: 0, tokenIds: [1, 2], text: 'aa', scores: [score, score] })
    shelf.append('scored', { ...aToken(0), score })
    expect(log.tokens).toBe(6 + 3)
  })

  it('refuses a second log of the same id', () => {
    const shelf = new LogShelf({ retentionMs: 1, retainedTokens: 1 })
    shelf.open('twice')
    expect(() => shelf.open('twice')).toThrow(InvariantError)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LoggedEvent, QueuedEvent } from '../../../src/inference/contract/events.ts'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { TokenLog } from '../../../src/queue/log/token-log.ts'
import type { QueueEvent } from '../../../src/queue/queue.ts'
import { aToken, theEnd } from '../events.ts'

/** The specification of the log: a list of events, and readers that have read a part of it. */
interface Model {
  readonly events: LoggedEvent[]
  readonly readers: {
    readonly iterator: AsyncIterator<readonly QueueEvent[]>
    seen: number
    pending: Promise<void> | null
    isDone: boolean
  }[]
}

type LogCommand = fc.AsyncCommand<Model, TokenLog>

class Append implements LogCommand {
  readonly isEnd: boolean
  constructor(isEnd: boolean) {
    this.isEnd = isEnd
  }
  check(model: Readonly<Model>): boolean {
    return model.events.at(-1)?.kind !== 'finished'
  }
  async run(model: Model, log: TokenLog): Promise<void> {
    const event = this.isEnd ? theEnd : aToken(model.events.length)
    model.events.push(event)
    log.append(event)
  }
  toString(): string {
    return this.isEnd ? 'end' : 'append'
  }
}

class Open implements LogCommand {
  readonly after: number
  constructor(after: number) {
    this.after = after
  }
  check(): boolean {
    return true
  }
  async run(model: Model, log: TokenLog): Promise<void> {
    const iterator = log.read(this.after, new AbortController().signal)
    model.readers.push({ iterator, seen: this.after, pending: null, isDone: false })
  }
  toString(): string {
    return `read(${this.after})`
  }
}

/**
 * Requests the next batch. It arrives at once or with a later append, and contains exactly the events that followed.
 */
class Pull implements LogCommand {
  readonly index: number
  constructor(index: number) {
    this.index = index
  }
  check(model: Readonly<Model>): boolean {
    const reader = model.readers[this.index]
    return reader !== undefined && reader.pending === null && !reader.isDone
  }
  async run(model: Model): Promise<void> {
    const reader = model.readers[this.index]
    if (reader === undefined) return
    reader.pending = reader.iterator.next().then(({ value, done }) => {
      reader.pending = null
      if (done) {
        reader.isDone = true
        expect(model.events.at(-1)?.kind).toBe('finished')
        expect(reader.seen).toBeGreaterThanOrEqual(model.events.length)
        return
      }
      const expected = model.events.slice(reader.seen, reader.seen + value.length)
      expect(value).toEqual(expected.map((event, offset) => ({ ordinal: reader.seen + offset + 1, event })))
      reader.seen += value.length
    })
    await Promise.race([reader.pending, new Promise(setImmediate)])
    const mustHaveSeen = reader.isDone || reader.pending !== null || reader.seen === model.events.length
    expect(mustHaveSeen).toBe(true)
    if (reader.pending !== null) expect(reader.seen).toBeGreaterThanOrEqual(model.events.length)
  }
  toString(): string {
    return `pull(${this.index})`
  }
}

function waitingAt(position: number): QueuedEvent {
  return { kind: 'queued', position, etaMs: 1000 * position }
}

describe('a token log', () => {
  it('delivers to every reader, from any ordinal, all later events: once, in order, without gaps', async () => {
    const commands = fc.commands(
      [
        fc.integer({ min: 0, max: 9 }).map(roll => new Append(roll === 9)),
        fc.integer({ min: 0, max: 6 }).map(after => new Open(after)),
        fc.integer({ min: 0, max: 3 }).map(index => new Pull(index))
      ],
      { size: '+1' }
    )
    await fc.assert(
      fc.asyncProperty(commands, async sequence => {
        const model: Model = { events: [], readers: [] }
        const log = new TokenLog()
        await fc.asyncModelRun(() => ({ model, real: log }), sequence)
        if (!log.hasEnded) {
          model.events.push(theEnd)
          log.append(theEnd)
        }
        for (const [index, reader] of model.readers.entries()) {
          await reader.pending
          while (!reader.isDone) {
            await new Pull(index).run(model)
            await reader.pending
          }
        }
      }),
      { numRuns: 300 }
    )
  })

  it('rejects events after its terminal event', () => {
    const log = new TokenLog()
    log.append(theEnd)
    expect(() => log.append(aToken(0))).toThrow(InvariantError)
    expect(() => log.append(theEnd)).toThrow(InvariantError)
  })

  it('skips positions that changed again before the reader read them', async () => {
    const log = new TokenLog()
    log.setPosition(waitingAt(3))
    const reader = log.read(0, new AbortController().signal)
    expect((await reader.next()).value).toEqual([{ ordinal: null, event: waitingAt(3) }])
    log.setPosition(waitingAt(2))
    log.setPosition(waitingAt(1))
    expect((await reader.next()).value).toEqual([{ ordinal: null, event: waitingAt(1) }])
    log.append(theEnd)
    expect((await reader.next()).value).toEqual([{ ordinal: 1, event: theEnd }])
    expect((await reader.next()).done).toBe(true)
  })

  it('sends no position once it has an entry, also to a reader with a later ordinal', async () => {
    const log = new TokenLog()
    log.setPosition(waitingAt(1))
    log.append(aToken(0))
    const next = log.read(1, new AbortController().signal).next()
    log.append(theEnd)
    expect((await next).value).toEqual([{ ordinal: 2, event: theEnd }])
  })

  it('sends no position of a request that waits again and has entries', async () => {
    const log = new TokenLog()
    log.append(aToken(0))
    log.setPosition(waitingAt(1))
    const next = log.read(1, new AbortController().signal).next()
    log.append(theEnd)
    expect((await next).value).toEqual([{ ordinal: 2, event: theEnd }])
  })

  it('wakes a reader whose signal aborts while it waits', async () => {
    const log = new TokenLog()
    const leaving = new AbortController()
    const next = log.read(0, leaving.signal).next()
    leaving.abort()
    expect(await next).toEqual({ value: undefined, done: true })
  })
})

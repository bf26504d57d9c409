import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DeliveryPolicy, PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import { Lease } from '../../../src/queue/embedded/lease.ts'

const DAY_MS = 86_400_000

function lease(delivery: Partial<DeliveryPolicy>): { lease: Lease; ends: string[] } {
  const ends: string[] = []
  return { lease: new Lease({ ...PLAIN_DELIVERY, ...delivery }, 1000, ({ code }) => ends.push(code)), ends }
}

describe('a lease', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('expires when the grace period has passed since the last of several readers left', () => {
    const { lease: held, ends } = lease({ onDisconnect: 'grace' })
    vi.advanceTimersByTime(999)
    held.addReader()
    held.addReader()
    held.removeReader()
    vi.advanceTimersByTime(5000)
    held.removeReader()
    vi.advanceTimersByTime(999)
    expect(ends).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ends).toEqual(['cancelled'])
  })

  it('expires at the deadline to the millisecond, with or without readers, however far it is', () => {
    const { lease: held, ends } = lease({ onDisconnect: 'run', deadlineAtMs: Date.now() + 60 * DAY_MS })
    held.addReader()
    vi.advanceTimersByTime(60 * DAY_MS - 1)
    expect(ends).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ends).toEqual(['deadline_exceeded'])
  })

  it('of a request that has ended never expires, even if a reader leaves later', () => {
    const { lease: held, ends } = lease({ onDisconnect: 'cancel', deadlineAtMs: Date.now() + 10 })
    held.addReader()
    held.close()
    held.removeReader()
    vi.advanceTimersByTime(DAY_MS)
    expect(ends).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})

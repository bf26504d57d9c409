import { describe, expect, it } from 'vitest'
import { RestartBackoff } from '../../../src/server/workers/supervisor.ts'

describe('the backoff of restarts', () => {
  it('doubles up to its bound, and starts again after a worker that was ready for long', () => {
    const backoff = new RestartBackoff({ firstMs: 100, maxMs: 1000, healthyMs: 30_000 })
    const delays = [0, 0, 5000, 29_999, 0, 0].map(readyMs => backoff.nextDelayMs(readyMs))
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(backoff.nextDelayMs(30_000)).toBe(100)
    expect(backoff.nextDelayMs(0)).toBe(200)
  })
})

import { describe, expect, it } from 'vitest'
import { Watchdog } from '../../../../src/queue/redis/worker/watchdog.ts'

/** Calls of a watchdog that checks every second a queue that has been stuck since second `stuckSince`. */
function watch(
  seconds: number,
  { stuckSince, connected }: { stuckSince: (s: number) => number | null; connected?: (s: number) => boolean }
) {
  const calls: [string, number][] = []
  let now = 0
  const watchdog = new Watchdog({
    isConnected: () => connected?.(now) ?? true,
    stuckSinceMs: () => {
      const since = stuckSince(now)
      return since === null ? null : since * 1000
    },
    rebuild: () => calls.push(['rebuild', now]),
    giveUp: () => calls.push(['give up', now])
  })
  for (; now <= seconds; now++) watchdog.check(now * 1000)
  return calls
}

describe('the watchdog of the claims', () => {
  it('does nothing while claims succeed, or are stuck only for a while', () => {
    expect(watch(100, { stuckSince: () => null })).toEqual([])
    expect(watch(100, { stuckSince: s => (s % 10 < 9 ? s - (s % 10) : null) })).toEqual([])
  })

  it('rebuilds after ten stuck seconds, and gives up after ten more', () => {
    expect(watch(35, { stuckSince: () => 5 })).toEqual([
      ['rebuild', 15],
      ['give up', 25],
      ['give up', 35]
    ])
  })

  it('starts again once claims have succeeded', () => {
    expect(watch(59, { stuckSince: s => (s < 20 ? 5 : s < 40 ? null : 40) })).toEqual([
      ['rebuild', 15],
      ['rebuild', 50]
    ])
  })

  it('does not count time during which Redis was away', () => {
    expect(watch(45, { stuckSince: () => 0, connected: s => s >= 30 || s < 5 })).toEqual([['rebuild', 39]])
  })
})

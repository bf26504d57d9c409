import { describe, expect, it } from 'vitest'
import { Watchdog } from '../../../src/queue/redis/worker/watchdog.ts'

/** A watchdog that looks every second at a queue in which something is stuck since `stuckSince` seconds. */
function watch(
  seconds: number,
  { stuckSince, connected }: { stuckSince: (s: number) => number | null; connected?: (s: number) => boolean }
) {
  const counters: [string, number][] = []
  let now = 0
  const watchdog = new Watchdog({
    isConnected: () => connected?.(now) ?? true,
    stuckSinceMs: () => {
      const since = stuckSince(now)
      return since === null ? null : since * 1000
    },
    rebuild: () => counters.push(['rebuild', now]),
    giveUp: () => counters.push(['give up', now])
  })
  for (; now <= seconds; now++) watchdog.check(now * 1000)
  return counters
}

describe('the watchdog of the claims', () => {
  it('lets be what goes well, or is stuck for a while only', () => {
    expect(watch(100, { stuckSince: () => null })).toEqual([])
    expect(watch(100, { stuckSince: s => (s % 10 < 9 ? s - (s % 10) : null) })).toEqual([])
  })

  it('rebuilds what is stuck for ten seconds, and gives up after ten more', () => {
    expect(watch(35, { stuckSince: () => 5 })).toEqual([
      ['rebuild', 15],
      ['give up', 25],
      ['give up', 35]
    ])
  })

  it('judges anew once what was stuck has gone well', () => {
    expect(watch(59, { stuckSince: s => (s < 20 ? 5 : s < 40 ? null : 40) })).toEqual([
      ['rebuild', 15],
      ['rebuild', 50]
    ])
  })

  it('blames nobody for the time that Redis was away', () => {
    expect(watch(45, { stuckSince: () => 0, connected: s => s >= 30 || s < 5 })).toEqual([['rebuild', 39]])
  })
})

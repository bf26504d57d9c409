import { afterEach, describe, expect, it, vi } from 'vitest'
import { ProgressWatch } from '../../../src/server/workers/progress-watch.ts'

describe('a progress watch', () => {
  afterEach(() => void vi.useRealTimers())

  /** A watch with a limit of 1000 ms and a check every 250 ms. */
  function started(): { watch: ProgressWatch; overdue: () => void } {
    vi.useFakeTimers()
    const watch = new ProgressWatch(() => performance.now())
    const overdue = vi.fn<() => void>()
    watch.start(
      250,
      () => 1000,
      () => overdue()
    )
    return { watch, overdue }
  }

  it('is overdue at the first check beyond the limit, and not before', () => {
    const { overdue } = started()
    vi.advanceTimersByTime(1249)
    expect(overdue).not.toHaveBeenCalled()
    vi.advanceTimersByTime(2)
    expect(overdue).toHaveBeenCalledOnce()
  })

  it('counts a proof that waits to be read when the check is due', () => {
    const { watch, overdue } = started()
    // Registered after the check's timer: fires after it and before the poll for messages ends.
    setTimeout(() => watch.prove(), 1250)
    vi.advanceTimersByTime(1300)
    expect(overdue).not.toHaveBeenCalled()
  })

  it('does not judge at a check that comes late: then this process was stopped', () => {
    let nowMs = 0
    vi.useFakeTimers()
    const watch = new ProgressWatch(() => nowMs)
    const overdue = vi.fn<() => void>()
    watch.start(
      250,
      () => 1000,
      () => overdue()
    )
    nowMs = 60_000
    vi.advanceTimersByTime(251)
    expect(overdue).not.toHaveBeenCalled()
    nowMs += 250
    vi.advanceTimersByTime(251)
    expect(overdue).toHaveBeenCalledOnce()
    watch.stop()
    nowMs += 2_000
    vi.advanceTimersByTime(2_000)
    expect(overdue).toHaveBeenCalledOnce()
  })

  it('counts a step as progress, and having no work, but not a heartbeat alone', () => {
    let nowMs = 0
    const watch = new ProgressWatch(() => nowMs)
    const ageAfter = (stepsDone: number, activeRequests: number): number => {
      nowMs += 100
      watch.onHeartbeat({ stepsDone, activeRequests })
      return watch.ageMs
    }
    expect(ageAfter(0, 0)).toBe(0)
    expect(ageAfter(1, 1)).toBe(0)
    expect(ageAfter(1, 1)).toBe(100)
    expect(ageAfter(1, 2)).toBe(200)
    expect(ageAfter(5, 2)).toBe(0)
    expect(ageAfter(5, 0)).toBe(0)
    nowMs += 1000
    expect(watch.ageMs).toBe(1000)
  })
})

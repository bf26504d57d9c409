import { describe, expect, it } from 'vitest'
import { ProgressWatch } from '../../../src/server/workers/progress-watch.ts'

describe('a progress watch', () => {
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

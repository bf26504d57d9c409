import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { withoutRepeats } from '../../src/server/logger.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('reports each error message once in ten seconds, also if different messages alternate', () => {
  const reported: unknown[] = []
  const report = withoutRepeats(error => reported.push(error instanceof Error ? error.message : error))
  for (let second = 0; second < 20; second++) {
    report(new Error('refused'))
    report('timed out')
    vi.advanceTimersByTime(1000)
  }
  expect(reported).toEqual(['refused', 'timed out', 'refused', 'timed out'])
})

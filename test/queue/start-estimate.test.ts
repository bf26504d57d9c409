import { expect, it } from 'vitest'
import { StartEstimate } from '../../src/queue/start-estimate.ts'

it('is null before a request has ended', () => {
  expect(new StartEstimate().etaMs(1, 1)).toBeNull()
})

it('expects one end per position, the sooner the more requests run at once', () => {
  const estimate = new StartEstimate()
  estimate.took(4000)
  expect(estimate.etaMs(1, 1)).toBe(4000)
  expect(estimate.etaMs(3, 4)).toBe(3000)
  expect(estimate.etaMs(2, 0)).toBe(8000)
})

it('follows recent durations', () => {
  const estimate = new StartEstimate()
  for (const durationMs of [1000, ...Array(50).fill(100)]) estimate.took(durationMs)
  expect(estimate.etaMs(1, 1)).toBe(100)
})

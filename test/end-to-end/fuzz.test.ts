import { expect, it } from 'vitest'
import { fuzzRun } from '../fuzz/fuzz-run.ts'

/** Other tests run at the same time: here a late answer is one that was held up, not a slow one. */
const MAX_DELAY_MS = 5000

it('serves other clients, loses no request and leaks nothing, while clients send hostile input and disconnect at every point', {
  timeout: 180_000
}, async () => {
  const options = { seconds: 20, count: 400, seed: 1, only: null, clients: 12, engine: 'simulated', redisUrl: null } as const
  const report = await fuzzRun({ ...options, maxDelayMs: MAX_DELAY_MS }, () => {})
  expect(report.faults).toEqual([])
  expect(report.attacks).toBeGreaterThan(0)
  expect(report.probes).toBeGreaterThan(0)
})

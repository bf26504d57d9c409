import { expect, it } from 'vitest'
import type { FaultOptions } from '../faults/fault-options.ts'
import { faultRun } from '../faults/fault-run.ts'
import { Fleet } from '../faults/fleet.ts'

const SHORT: FaultOptions = {
  kills: 6,
  seed: Date.now() % 1_000_000,
  queue: 'embedded',
  engine: 'simulated',
  faults: ['kill'],
  streams: 12,
  workers: 2,
  spareWorkers: 0,
  meanSeconds: 0.4,
  maxTokens: 40
}

it('loses, doubles and changes nothing while workers are killed at random instants: embedded queue', { timeout: 120_000 }, async () => {
  expect(await shortRun(SHORT)).toMatchObject({ wrong: [], faults: { kill: SHORT.kills } })
})

it('nor while API processes and Redis die too: queue in Redis', { timeout: 180_000 }, async () => {
  const report = await shortRun({ ...SHORT, queue: 'redis', faults: ['kill', 'api', 'redis'], meanSeconds: 0.8 })
  expect(report).toMatchObject({ wrong: [], leftovers: [] })
})

async function shortRun(options: FaultOptions) {
  const fleet = await Fleet.start(options)
  try {
    return await faultRun(fleet, options, () => {})
  } finally {
    await fleet.stop()
  }
}

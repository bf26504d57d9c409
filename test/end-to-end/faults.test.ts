import { expect, it } from 'vitest'
import type { FaultOptions } from '../faults/fault-options.ts'
import { faultRun } from '../faults/fault-run.ts'
import { Fleet } from '../faults/fleet.ts'
import { readResuming } from '../faults/resuming-reader.ts'
import { itWithRedis } from '../queue/redis/with-redis.ts'

const SHORT: FaultOptions = {
  kills: 4,
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

it('no stream loses, repeats or changes a token while workers are killed at random times: embedded queue', {
  timeout: 120_000
}, async () => {
  expect(await shortRun(SHORT)).toMatchObject({ wrong: [], faults: { kill: SHORT.kills } })
})

itWithRedis('no stream does while API processes and Redis are killed as well: queue in Redis', { timeout: 180_000 }, async () => {
  const report = await shortRun({ ...SHORT, queue: 'redis', faults: ['kill', 'api', 'redis'], meanSeconds: 0.8 })
  expect(report).toMatchObject({ wrong: [], leftovers: [] })
})

itWithRedis('no stream does in a rolling restart of all servers', { timeout: 120_000 }, async () => {
  const fleet = await Fleet.start({ ...SHORT, queue: 'redis' })
  try {
    const body = { model: 'simulated', max_tokens: 400, ignore_eos: true, temperature: 0.8 }
    const cases = Array.from({ length: 16 }, (_, index) => ({ ...body, prompt: `Story ${index}`, seed: index }))
    const read = (one: object, onChunk: () => void) => readResuming(one, { endpoints: () => fleet.endpoints(), onChunk, timeoutMs: 60_000 })
    const undisturbed = await Promise.all(cases.map(one => read(one, () => {})))
    const begun = new Set<number>()
    const texts = cases.map((one, index) => read(one, () => begun.add(index)))
    await expect.poll(() => begun.size, { timeout: 20_000 }).toBe(cases.length)
    for (const index of [0, 1]) await fleet.restartApi(index)
    expect(await Promise.all(texts)).toEqual(undisturbed)
  } finally {
    await fleet.stop()
  }
})

async function shortRun(options: FaultOptions) {
  const fleet = await Fleet.start(options)
  try {
    return await faultRun(fleet, options, () => {})
  } finally {
    await fleet.stop()
  }
}

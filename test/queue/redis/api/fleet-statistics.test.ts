import { expect, it } from 'vitest'
import { sumOfCounters, ZERO_COUNTERS, ZERO_GAUGES } from '../../../../src/inference/contract/statistics.ts'
import { FleetStatistics } from '../../../../src/queue/redis/api/fleet-statistics.ts'
import { aRequest } from '../../a-request.ts'
import { readAll } from '../../read-all.ts'
import { RedisRig } from '../redis-rig.ts'
import { startRedis } from '../redis-server.ts'
import { describeWithRedis } from '../with-redis.ts'

function done(decodeRuns: number) {
  return { gauges: { ...ZERO_GAUGES, decodingRows: 1 }, counters: { ...ZERO_COUNTERS, decodeRuns } }
}

function sums(fleet: FleetStatistics) {
  return {
    runs: sumOfCounters(fleet.all.map(({ counters }) => counters)).decodeRuns,
    rows: fleet.all.reduce((sum, { gauges }) => sum + gauges.decodingRows, 0)
  }
}

it('keeps the counters, not the gauges, of workers that are gone, also of one that reports again', () => {
  const fleet = new FleetStatistics()
  fleet.update(
    new Map([
      ['a', done(5)],
      ['b', done(7)]
    ])
  )
  expect(sums(fleet)).toEqual({ runs: 12, rows: 2 })
  fleet.update(new Map([['b', done(8)]]))
  expect(sums(fleet)).toEqual({ runs: 13, rows: 1 })
  fleet.update(
    new Map([
      ['a', done(6)],
      ['b', done(8)]
    ])
  )
  expect(sums(fleet)).toEqual({ runs: 14, rows: 2 })
})

it('loses no counters of very many workers', () => {
  const fleet = new FleetStatistics()
  for (let worker = 0; worker < 2500; worker++) fleet.update(new Map([[`w${worker}`, done(1)]]))
  expect(sums(fleet)).toEqual({ runs: 2500, rows: 1 })
  expect(fleet.all.length).toBeLessThan(1100)
})

describeWithRedis('a queue in Redis', () => {
  it('reports the counters of all workers, also of those that are gone', async () => {
    await using server = await startRedis()
    await using rig = await RedisRig.open(server)
    const other = await rig.openQueue()
    const [worker] = [await rig.startWorker(1), await rig.startWorker(1)]
    const runs = () => sumOfCounters(other.statistics.map(({ counters }) => counters)).decodeRuns
    const request = aRequest({ maxNewTokens: 20 })
    await rig.queue.submit(request)
    await readAll(rig.queue, request.id)
    await expect.poll(runs, { timeout: 10_000 }).toBe(20)
    await worker?.kill()
    await expect.poll(() => other.workers, { timeout: 25_000 }).toBe(1)
    expect(runs()).toBe(20)
  })
})

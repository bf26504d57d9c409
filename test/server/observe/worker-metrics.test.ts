import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ZERO_COUNTERS, ZERO_GAUGES } from '../../../src/inference/contract/statistics.ts'
import { type Fleet, fleetOf } from '../../../src/server/observe/fleet.ts'
import { Metrics } from '../../../src/server/observe/metrics.ts'
import { aRequest } from '../../queue/a-request.ts'
import { readAll, readUntil } from '../../queue/read-all.ts'
import { NO_FLEET } from '../app-parts.ts'
import { startWorkers } from '../workers/start-workers.ts'
import { parseSamples } from './samples.ts'

const MODEL = 'model_name="tiny"'
const DECODE_RUNS = `everstream_decode_runs_total{${MODEL}}`

async function samplesOf(metrics: Metrics) {
  return parseSamples((await metrics.exposition()).body)
}

it('adds up the statistics of the workers', async () => {
  const statistics = [1, 2].map(n => ({
    gauges: { decodingRows: n, waitingPrompts: n, reservedTokens: 10 * n, retainedTokens: 5, budgetTokens: 100 },
    counters: {
      ...ZERO_COUNTERS,
      prefixTokensQueried: 100 * n,
      prefixTokensFound: 30 * n,
      decodeRuns: n,
      decodedRows: 4 * n,
      decodeMs: 500 * n
    }
  }))
  const samples = await samplesOf(new Metrics('tiny', { ...NO_FLEET, workerStatistics: async () => statistics }))
  const of = (name: string) => samples.get(`${name}{${MODEL}}`)
  expect(of('vllm:kv_cache_usage_perc')).toBe(0.15)
  expect([of('vllm:prefix_cache_queries_total'), of('vllm:prefix_cache_hits_total')]).toEqual([300, 90])
  expect([of('everstream_decode_runs_total'), of('everstream_decode_rows_total'), of('everstream_decode_seconds_total')]).toEqual([
    3, 12, 1.5
  ])
  expect([of('everstream_decoding_rows'), of('everstream_waiting_prompts')]).toEqual([3, 3])
})

it('keeps the last values if the workers are unreachable', async () => {
  let isAway = false
  const fleet: Fleet = {
    ...NO_FLEET,
    async workerStatistics() {
      if (isAway) throw new Error('away')
      return [{ gauges: ZERO_GAUGES, counters: { ...ZERO_COUNTERS, decodeRuns: 7 } }]
    }
  }
  const metrics = new Metrics('tiny', fleet)
  await metrics.exposition()
  isAway = true
  expect((await samplesOf(metrics)).get(DECODE_RUNS)).toBe(7)
})

it('keeps the counters of a killed worker, and counts the crash and the failover', async () => {
  await using workers = startWorkers()
  const metrics = new Metrics('tiny', fleetOf(workers.supervisor, { statistics: null, pool: workers.queue, isReachable: () => true }))
  await workers.supervisor.ready
  const request = aRequest({ maxNewTokens: 100 })
  await workers.queue.submit(request)
  await readUntil(workers.queue, request.id, 'token')
  const runs = async () => {
    await delay(5)
    return (await samplesOf(metrics)).get(DECODE_RUNS) ?? 0
  }
  const values = [0]
  while ((values.at(-1) ?? 0) < 3) values.push(await runs())
  const [pid = 0] = workers.pids()
  process.kill(pid, 'SIGKILL')
  const done = readAll(workers.queue, request.id)
  while (workers.supervisor.deathCount === 0 || !workers.supervisor.isReady) values.push(await runs())
  await done
  const after = await samplesOf(metrics)
  values.push(after.get(DECODE_RUNS) ?? 0)
  expect(values.findIndex((value, index) => value < (values[index - 1] ?? 0))).toBe(-1)
  expect(after.get('everstream_worker_deaths_total')).toBe(1)
  expect(after.get('everstream_failovers_total')).toBe(1)
  expect(after.get('everstream_workers{state="ready"}')).toBe(1)
})

it('exposes the metrics of the process', async () => {
  const metrics = new Metrics('tiny', NO_FLEET)
  expect([...(await samplesOf(metrics)).keys()].some(key => key.startsWith('process_'))).toBe(false)
  metrics.watchProcess()
  const samples = await samplesOf(metrics)
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']) {
    expect(samples.get(name)).toBeGreaterThanOrEqual(0)
  }
})

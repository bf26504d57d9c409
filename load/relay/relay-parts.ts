import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, ownResidentBytes } from '../process-tree.ts'
import { RawStreams } from './raw-streams.ts'
import type { RelayOptions } from './relay-options.ts'
import { type Started, startRedis, startServing } from './served-process.ts'

/** Tokens/s that API processes relay from the simulated engine, and their delay. */
export async function measureRelay(options: RelayOptions) {
  const { streams, stepMs, seconds, apiProcesses, workers } = options
  await using servers = await startFleet(options, [
    '--max-slots',
    String(Math.ceil(streams / workers)),
    '--simulated-step-ms',
    String(stepMs)
  ])
  const readers = new RawStreams()
  readers.open(
    servers.apis.map(({ port }) => port),
    streams,
    { model: 'simulated', prompt: 'a', max_tokens: 8000, stream: true, temperature: 0 }
  )
  while (readers.begun < streams) await sleep(50)
  await sleep(1000)
  const cpuBefore = servers.apis.map(({ pid }) => cpuSeconds(pid))
  const startedAtMs = performance.now()
  readers.start()
  await sleep(seconds * 1000)
  const events = readers.stop()
  const elapsed = (performance.now() - startedAtMs) / 1000
  const result = {
    streams,
    stepMs,
    apiProcesses,
    workers,
    offeredTokensPerSecond: Math.round((streams * 1000) / stepMs),
    tokensPerSecond: Math.round(events / elapsed),
    latenessMs: readers.lateness(stepMs),
    apiCpuShare: servers.apis.map(({ pid }, index) => Number(((cpuSeconds(pid) - (cpuBefore[index] ?? 0)) / elapsed).toFixed(2)))
  }
  readers.close()
  return result
}

/**
 * Bytes in the API process per stream that waits for its next token: for the first `idle` streams, while the process
 * fills its pools (and V8's young generation grows), and for as many more.
 */
export async function measureIdle(options: RelayOptions) {
  const { idle } = options
  await using servers = await startFleet({ ...options, apiProcesses: 1, workers: 1 }, [
    '--max-slots',
    '1024',
    '--simulated-step-ms',
    '60000'
  ])
  const [api] = servers.apis
  if (api === undefined) throw new Error('no server')
  const readers = new RawStreams()
  // The first streams also cause code to be compiled, which must not be counted.
  await openIdle(readers, api.port, 50)
  const atStart = ownResidentBytes(api.pid)
  await openIdle(readers, api.port, idle)
  const filled = ownResidentBytes(api.pid)
  await openIdle(readers, api.port, idle)
  const atEnd = ownResidentBytes(api.pid)
  readers.close()
  return { streams: idle, bytesPerFirstStream: Math.round((filled - atStart) / idle), bytesPerStream: Math.round((atEnd - filled) / idle) }
}

/** Opens `count` more streams, and waits until all have begun and the process is idle. */
async function openIdle(readers: RawStreams, port: number, count: number): Promise<void> {
  const all = readers.opened + count
  while (readers.opened < all) {
    readers.open([port], Math.min(100, all - readers.opened), { model: 'simulated', prompt: 'a', max_tokens: 10, stream: true })
    await sleep(50)
  }
  while (readers.begun < all) await sleep(50)
  await sleep(2000)
}

interface FleetOfServers extends AsyncDisposable {
  readonly apis: readonly Started[]
}

async function startFleet({ queue, apiProcesses, workers }: RelayOptions, argv: readonly string[]): Promise<FleetOfServers> {
  const redis = queue === 'redis' ? await startRedis() : null
  const where = redis === null ? [] : ['--redis-url', `redis://127.0.0.1:${redis.port}`]
  const apis: Started[] = []
  for (let index = 0; index < apiProcesses; index++) {
    const share = Math.floor(workers / apiProcesses) + (index < workers % apiProcesses ? 1 : 0)
    apis.push(await startServing(['--engine', 'simulated', '--workers', String(share), '--queue-limit', '20000', ...argv, ...where]))
  }
  return {
    apis,
    async [Symbol.asyncDispose]() {
      for (const api of apis) await api[Symbol.asyncDispose]()
      await redis?.[Symbol.asyncDispose]()
    }
  }
}

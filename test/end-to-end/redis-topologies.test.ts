import { type ExpectStatic, it } from 'vitest'
import { type ReadText, readResuming } from '../faults/resuming-reader.ts'
import { type RedisTopology, startCluster, startSentinel, startTls } from '../queue/redis/redis-topologies.ts'
import { describeWithRedis } from '../queue/redis/with-redis.ts'
import { startProgram } from './start-program.ts'
import { type Server, startServer } from './start-server.ts'

const STREAMS = 9
const ENGINE = ['--engine', 'simulated', '--simulated-step-ms', '20', '--drain-seconds', '1', '--workers', '1']

/** A server with one worker, and another worker program. */
async function serveAt({ url, environment }: RedisTopology, more: readonly string[] = []) {
  const variables = { REDIS_URL: url, ...environment }
  const server = await startServer([...ENGINE, ...more], variables)
  const beside = startProgram(['worker', ...ENGINE, ...more], variables)
  await beside.until(() => beside.stdout.find(line => line.startsWith('Processing queue')))
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      beside.signal('SIGTERM')
      await beside.ended
    }
  }
}

/** Reads some texts undisturbed, then again with `disturb` called in the middle. */
async function readTwice(expect: ExpectStatic, server: Server, disturb: () => Promise<void>): Promise<readonly [ReadText[], ReadText[]]> {
  const read = (seed: number, onChunk: () => void) => {
    const body = { model: 'simulated', prompt: `Story ${seed}`, max_tokens: 100, ignore_eos: true, temperature: 0.8, seed }
    return readResuming(body, { endpoints: () => [server.url], onChunk, timeoutMs: 60_000 })
  }
  const seeds = Array.from({ length: STREAMS }, (_, seed) => seed)
  const undisturbed = await Promise.all(seeds.map(seed => read(seed, () => {})))
  const begun = new Set<number>()
  const disturbed = Promise.all(seeds.map(seed => read(seed, () => begun.add(seed))))
  await expect.poll(() => begun.size, { timeout: 20_000 }).toBe(STREAMS)
  await disturb()
  return [await disturbed, undisturbed]
}

function killWorker(server: Server): void {
  process.kill(server.workerPids().at(-1) ?? 0, 'SIGKILL')
}

/** Side by side: most of their time is spent waiting for failovers and locks. */
describeWithRedis(
  'a worker that is killed changes no text',
  () => {
    it('on a cluster whose nodes share the shards', async ({ expect }) => {
      await using cluster = await startCluster()
      await using testApp = await serveAt(cluster, ['--redis-shards', '3'])
      const [disturbed, undisturbed] = await readTwice(expect, testApp.server, async () => killWorker(testApp.server))
      expect(disturbed).toEqual(undisturbed)
    }, 90_000)

    it('behind TLS and a password', async ({ expect }) => {
      await using tls = await startTls()
      await using testApp = await serveAt(tls)
      const [disturbed, undisturbed] = await readTwice(expect, testApp.server, async () => killWorker(testApp.server))
      expect(disturbed).toEqual(undisturbed)
    }, 90_000)

    it('behind a sentinel; nor does a master that becomes a replica or dies', async ({ expect }) => {
      await using sentinel = await startSentinel()
      await using testApp = await serveAt(sentinel)
      const first = await readTwice(expect, testApp.server, async () => killWorker(testApp.server))
      expect(first[0]).toEqual(first[1])
      const second = await readTwice(expect, testApp.server, () => sentinel.failOver())
      expect(second[0]).toEqual(second[1])
      const third = await readTwice(expect, testApp.server, () => sentinel.killMaster())
      expect(third[0]).toEqual(third[1])
    }, 120_000)
  },
  { concurrent: true }
)

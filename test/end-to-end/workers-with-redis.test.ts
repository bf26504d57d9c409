import { afterAll, beforeAll, type ExpectStatic, it } from 'vitest'
import type { GenerationRequest } from '../../src/inference/contract/request.ts'
import { redisKeys } from '../../src/queue/redis/connection/keys.ts'
import { aRequest } from '../queue/a-request.ts'
import { TestClient } from '../queue/redis/enqueue.ts'
import { type RedisServer, startRedis } from '../queue/redis/redis-server.ts'
import { describeWithRedis } from '../queue/redis/with-redis.ts'
import { type Program, runProgram, startProgram } from './start-program.ts'

let server: RedisServer

let made = 0

/** A queue with a prefix of its own, and `everstream worker` for it. */
function aQueue(expect: ExpectStatic) {
  const prefix = `test-${++made}`
  const client = new TestClient(server.connect(), redisKeys(prefix, 0))
  const options = ['--redis-prefix', prefix, '--engine', 'simulated', '--simulated-step-ms', '20', '--drain-seconds', '1']
  return {
    client,
    ended: (id: string) => expect.poll(() => client.state(id), { timeout: 40_000, interval: 50 }).toMatch(/finished|failed|cancelled/),
    hasBegun: (id: string, entries = 5) =>
      expect.poll(async () => (await client.log(id)).length, { timeout: 20_000, interval: 20 }).toBeGreaterThan(entries),
    // The address is given as a variable: it may contain a password, and other users can read command lines.
    async start(): Promise<Program> {
      const program = startProgram(['worker', ...options], { REDIS_URL: server.url })
      await program.until(() => program.stdout.find(line => line.startsWith('Processing queue')))
      return program
    },
    runWith: (...more: string[]) => runProgram(['worker', ...options, ...more], { REDIS_URL: server.url })
  }
}

/** Pids of the worker processes of a program, from its log. */
function childrenOf({ stderr }: Program): number[] {
  return stderr.flatMap(line => (line.includes('"a worker is ready"') ? [Number(JSON.parse(line).workerPid)] : []))
}

/** The text of a finished request. */
async function textOf(expect: ExpectStatic, client: TestClient, { id }: GenerationRequest): Promise<string> {
  const log = await client.log(id)
  expect(log.map(({ ordinal }) => ordinal)).toEqual(log.map((_, index) => index + 1))
  expect(log.at(-1)?.event.kind).toBe('finished')
  return log.map(({ event }) => (event.kind === 'token' ? event.text : '')).join('')
}

const requestOf = (maxNewTokens: number) =>
  aRequest({ id: `cmpl-${++made}-${process.pid}`, prompts: [{ tokenIds: [3, 1, 4] }], maxNewTokens })

/** Side by side: most of their time is spent waiting for locks to run out. */
describeWithRedis(
  'everstream worker',
  () => {
    beforeAll(async () => {
      server = await startRedis()
    })
    afterAll(() => server[Symbol.asyncDispose]())

    it('that is killed with its supervisor is replaced by another within 15 seconds, with the same text', async ({ expect }) => {
      const { client, start, ended, hasBegun } = aQueue(expect)
      await using first = await start()
      const [undisturbed, disturbed] = [requestOf(200), requestOf(200)]
      await client.submit(undisturbed)
      await ended(undisturbed.id)
      await client.submit(disturbed)
      await hasBegun(disturbed.id)
      // The supervisor first, so that it returns no request to the queue.
      first.signal('SIGKILL')
      for (const pid of childrenOf(first)) process.kill(pid, 'SIGKILL')
      const killedAtMs = performance.now()
      const length = (await client.log(disturbed.id)).length
      await using second = await start()
      await hasBegun(disturbed.id, length)
      expect(performance.now() - killedAtMs).toBeLessThan(15_000)
      await ended(disturbed.id)
      expect(await textOf(expect, client, disturbed)).toBe(await textOf(expect, client, undisturbed))
      second.signal('SIGTERM')
      expect(await second.ended).toEqual({ code: 0, signal: null })
      await expect.poll(() => client.leftovers()).toEqual([])
    }, 90_000)

    it('whose supervisor alone is killed returns its requests to the queue and ends', async ({ expect }) => {
      const { client, start, ended, hasBegun } = aQueue(expect)
      await using first = await start()
      const request = requestOf(200)
      await client.submit(request)
      await hasBegun(request.id)
      first.signal('SIGKILL')
      await expect.poll(() => client.workers(), { timeout: 10_000 }).toBe(0)
      expect(await client.state(request.id)).toBe('waiting')
      await using second = await start()
      await ended(request.id)
      await textOf(expect, client, request)
      second.signal('SIGTERM')
      expect(await second.ended).toEqual({ code: 0, signal: null })
    }, 90_000)

    it('refuses in one line to serve while another model is served, and to start without Redis', async ({ expect }) => {
      const { client, runWith } = aQueue(expect)
      await client.serveModel('another')
      const beside = await runWith()
      expect({ code: beside.code, stdout: beside.stdout }).toEqual({ code: 2, stdout: [] })
      expect(beside.stderr[0]).toMatch(/^everstream: another model is served on this Redis: another, not simulated\./)
      const alone = await runWith('--redis-url', 'redis://:secret@127.0.0.1:1')
      expect(alone).toMatchObject({ code: 1, stderr: ['everstream: Redis at 127.0.0.1:1 does not answer: is it running?'] })
    }, 60_000)
  },
  { concurrent: true }
)

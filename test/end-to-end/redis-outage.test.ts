import { it } from 'vitest'
import { z } from 'zod'
import { startRedis } from '../queue/redis/redis-server.ts'
import { describeWithRedis } from '../queue/redis/with-redis.ts'
import { parseSamples } from '../server/observe/samples.ts'
import { startServer } from './start-server.ts'

const Completion = z.object({ choices: z.tuple([z.object({ text: z.string() })]) })

describeWithRedis('while Redis is unreachable, a server', () => {
  it.concurrent.for(['frozen', 'killed'] as const)(
    'is healthy and not ready, and serves again afterwards: %s',
    { timeout: 90_000 },
    async (how, { expect }) => {
      await using redis = await startRedis('aof')
      await using server = await startServer(['--redis-url', redis.url, '--engine', 'simulated', '--drain-seconds', '1'])
      const statusOf = async (path: string): Promise<number> => (await fetch(`${server.url}${path}`)).status
      const reachable = async () => parseSamples(await (await fetch(`${server.url}/metrics`)).text()).get('everstream_queue_reachable')
      expect([await statusOf('/health'), await statusOf('/ready'), await reachable()]).toEqual([200, 200, 1])

      if (how === 'frozen') process.kill(redis.pid, 'SIGSTOP')
      else await redis.kill()
      await expect.poll(() => statusOf('/ready'), { timeout: 15_000 }).toBe(503)
      await expect.poll(reachable, { timeout: 15_000 }).toBe(0)
      expect(await statusOf('/health')).toBe(200)

      if (how === 'frozen') process.kill(redis.pid, 'SIGCONT')
      else await redis.startAgain()
      await expect.poll(() => statusOf('/ready'), { timeout: 15_000 }).toBe(200)
      await expect.poll(reachable, { timeout: 15_000 }).toBe(1)
      const answer = await server.post({ model: 'simulated', prompt: 'Hello', max_tokens: 2 })
      expect(Completion.parse(await answer.json()).choices[0].text).not.toBe('')
    }
  )
})

import { afterAll, beforeAll, it } from 'vitest'
import { type RedisServer, startRedis } from '../queue/redis/redis-server.ts'
import { describeWithRedis } from '../queue/redis/with-redis.ts'
import { startServer } from './start-server.ts'

const ENGINE = ['--engine', 'simulated', '--simulated-step-ms', '20']
const BODY = { model: 'simulated', prompt: 'Once upon a time', max_tokens: 60, temperature: 0 }

/** Text of all events of a stream, and the id of the last. */
function received(sse: string): { readonly text: string; readonly lastId: string } {
  const events = [...sse.matchAll(/^data: (\{.*\})$/gm)].map(([, json = '']) => JSON.parse(json))
  const ids = [...sse.matchAll(/^id: (\d+)$/gm)]
  return { text: events.map(({ choices }) => choices[0]?.text ?? '').join(''), lastId: ids.at(-1)?.[1] ?? '' }
}

/** Reads until `enough`, or to the end; a connection that breaks ends it too. */
async function readStream(response: Response, enough: (sse: string) => boolean = () => false): Promise<string> {
  let sse = ''
  const decoder = new TextDecoder()
  try {
    for await (const bytes of response.body ?? []) {
      sse += decoder.decode(bytes, { stream: true })
      if (enough(sse)) break
    }
  } catch {
    // Its server was killed.
  }
  // Whole events only, as a client reads them.
  return sse.slice(0, sse.lastIndexOf('\n\n') + 2)
}

describeWithRedis(
  'two servers with one Redis',
  () => {
    let redis: RedisServer
    beforeAll(async () => {
      redis = await startRedis()
    })
    afterAll(() => redis[Symbol.asyncDispose]())

    it('are equivalent for clients: a stream whose server is killed is resumed at the other, with the same text', async ({ expect }) => {
      const argv = ['--redis-url', redis.url, '--redis-prefix', 'killed', ...ENGINE, '--drain-seconds', '1']
      await using survivor = await startServer(argv)
      await using victim = await startServer(argv)
      const whole: unknown = await (await survivor.post(BODY)).json()
      const response = await fetch(`${victim.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-resumable': 'true' },
        body: JSON.stringify({ ...BODY, stream: true })
      })
      const streamId = response.headers.get('x-stream-id')
      const first = received(await readStream(response, sse => (sse.match(/^id: /gm)?.length ?? 0) >= 10))
      victim.signal('SIGKILL')
      await victim.ended
      const rest = await fetch(`${survivor.url}/v1/streams/${streamId}`, { headers: { 'last-event-id': first.lastId } })
      expect(rest.status).toBe(200)
      const second = received(await readStream(rest))
      expect(whole).toMatchObject({ choices: [{ text: first.text + second.text }] })
    })

    it('end by SIGTERM: they disconnect resumable streams, finish the others, and accept nothing new', async ({ expect }) => {
      const argv = ['--redis-url', redis.url, '--redis-prefix', 'drained', ...ENGINE, '--drain-seconds', '20']
      await using other = await startServer(argv)
      await using leaving = await startServer(argv)
      const body = { ...BODY, max_tokens: 150, ignore_eos: true }
      const whole: unknown = await (await other.post(body)).json()
      const ask = (headers: Readonly<Record<string, string>>) =>
        fetch(`${leaving.url}/v1/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify({ ...body, stream: true })
        })
      const [plain, resumable] = await Promise.all([ask({}), ask({ 'x-resumable': 'true' })])
      const plainText = readStream(plain)
      let begun = false
      const cut = readStream(resumable, sse => {
        begun ||= sse.includes('id: 5')
        return false
      })
      await expect.poll(() => begun).toBe(true)
      leaving.signal('SIGTERM')
      const first = await cut
      expect(first).not.toMatch(/"error"|\[DONE\]/)
      const late = await leaving.post(body)
      expect([late.status, Number(late.headers.get('retry-after'))]).toEqual([503, expect.toSatisfy(seconds => seconds >= 1)])
      const { text, lastId } = received(first)
      const rest = await fetch(`${other.url}/v1/streams/${resumable.headers.get('x-stream-id')}`, { headers: { 'last-event-id': lastId } })
      const texts = [text + received(await readStream(rest)).text, received(await plainText).text]
      for (const one of texts) expect(whole).toMatchObject({ choices: [{ text: one }] })
      expect(await leaving.ended).toEqual({ code: 0, signal: null })
    })
  },
  { concurrent: true, timeout: 60_000 }
)

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invariant } from '../../src/inference/contract/invariant.ts'
import { readStream, readWhole, sseData } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const MODEL = 'smollm2-135m-instruct'
let server: Server

beforeAll(async () => {
  server = await startServer(['--threads', '1'])
}, 300_000)
afterAll(() => server[Symbol.asyncDispose]())

describe('a worker that is killed under load', () => {
  it('ends its streams in an error event each, and the next requests are served', async () => {
    const [first] = server.workerPids()
    invariant(first !== undefined && first > 0, 'a worker has a pid')
    const body = { model: MODEL, prompt: 'Count: one, two, three,', max_tokens: 2000, ignore_eos: true, stream: true }
    const responses = await Promise.all(Array.from({ length: 8 }, (_, seed) => server.post({ ...body, seed })))
    await Promise.all(responses.map(response => sseData(response.clone()).next()))
    const streams = responses.map(readStream)
    const from = server.log().length
    const killedAtMs = performance.now()
    process.kill(first, 'SIGKILL')

    const ends = await Promise.all(streams)
    expect(ends.map(({ isDone, error }) => ({ isDone, code: error?.code }))).toEqual(
      ends.map(() => ({ isDone: false, code: 'worker_lost' }))
    )
    expect(ends.every(({ choices }) => choices[0] !== undefined && choices[0].text.length > 0)).toBe(true)
    expect(ends.every(({ choices }) => choices.every(({ finish_reason }) => finish_reason === null))).toBe(true)
    expect([200, 503]).toContain((await fetch(`${server.url}/health`)).status)

    const next = await readWhole(await server.post({ model: MODEL, prompt: 'The capital of France is', max_tokens: 1, temperature: 0 }))
    const servedMs = Math.round(performance.now() - killedAtMs)
    expect(next.choices[0]?.text, `served ${servedMs} ms after the kill`).toBe(' Paris')
    expect(servedMs).toBeLessThan(5000 + (await readyMs(from)))
    expect(server.workerPids()).toHaveLength(2)
    expect(server.workerPids()[1]).not.toBe(first)
    expect(server.log().filter(line => line['outcome'] === 'worker_lost')).toHaveLength(8)
    expect((await fetch(`${server.url}/ready`)).status).toBe(200)
  })
})

/** From the death to the new worker's readiness, as the log tells it. */
async function readyMs(from: number): Promise<number> {
  const died = await server.logged(line => line.msg.startsWith('a worker died'), from)
  const ready = await server.logged(line => line.msg === 'a worker is ready', from)
  return Number(ready['time']) - Number(died['time'])
}

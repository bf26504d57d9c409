import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isAlive } from '../server/workers/start-workers.ts'
import { readStream, readWhole, sseData } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const SIMULATED = ['--engine', 'simulated', '--max-slots', '2', '--drain-seconds', '600']
/** Runs longer than any test: only a cancel ends it. */
const ENDLESS = { model: 'simulated', prompt: 'Hello', max_tokens: 8000, ignore_eos: true, stream: true }

describe('a client that disconnects', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(SIMULATED)
  })
  afterAll(async () => {
    server.signal('SIGKILL')
    await server.ended
  })

  it('frees its slot for a waiting request, and is logged as cancelled', async () => {
    const leaving = new AbortController()
    const staying = new AbortController()
    const streams = await Promise.all([leaving, staying].map(({ signal }) => server.post(ENDLESS, { signal })))
    await Promise.all(streams.map(stream => sseData(stream.clone()).next()))
    const waiting = server.post({ model: 'simulated', prompt: 'Next', max_tokens: 2, ignore_eos: true })
    const depth = async () => (await fetch(`${server.url}/ready`)).json()
    await expect.poll(depth).toMatchObject({ running: 2, waiting: 1 })
    const from = server.log().length
    leaving.abort()
    expect((await readWhole(await waiting)).usage?.completion_tokens).toBe(2)
    expect(await server.logged(line => line['outcome'] === 'cancelled', from)).toMatchObject({ status: 499, stream: true })
    await expect.poll(depth).toMatchObject({ running: 1, waiting: 0 })
    staying.abort()
    await expect.poll(depth).toMatchObject({ running: 0, waiting: 0 })
  })
})

describe('a server that receives SIGTERM', () => {
  it('finishes running requests, accepts no new ones, and leaves no process behind', async () => {
    await using server = await startServer(SIMULATED)
    const response = await server.post({ ...ENDLESS, max_tokens: 100 })
    const running = readStream(response)
    server.signal('SIGTERM')
    await server.logged(line => line.msg === 'shutting down')
    const late = await server.post(ENDLESS).then(
      ({ status }) => status,
      () => 'refused'
    )
    expect([503, 'refused']).toContain(late)
    expect(await running).toMatchObject({ isDone: true, error: null, choices: [{ finish_reason: 'length' }] })
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(server.workerPids().map(isAlive)).toEqual([false])
  })

  it('exits at once at a second SIGTERM', async () => {
    await using server = await startServer(SIMULATED)
    const running = readStream(await server.post(ENDLESS)).catch(() => 'broken')
    server.signal('SIGTERM')
    await server.logged(line => line.msg === 'shutting down')
    const firstAtMs = performance.now()
    await expect.poll(() => performance.now() - firstAtMs, { timeout: 5000 }).toBeGreaterThan(1100)
    server.signal('SIGTERM')
    expect(await server.ended).toEqual({ code: 143, signal: null })
    await running
    await expect.poll(() => server.workerPids().map(isAlive)).toEqual([false])
  })
})

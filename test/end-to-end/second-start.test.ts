import { describe, expect, it } from 'vitest'
import { isAlive } from '../server/workers/start-workers.ts'
import { readWhole } from './completion.ts'
import { startServer } from './start-server.ts'

/** Nothing listens there: every connection is refused. */
const UNREACHABLE_URL = 'http://127.0.0.1:9'
const NO_NETWORK = {
  HF_ENDPOINT: UNREACHABLE_URL,
  PIP_INDEX_URL: UNREACHABLE_URL,
  PIP_EXTRA_INDEX_URL: UNREACHABLE_URL,
  HTTP_PROXY: UNREACHABLE_URL,
  HTTPS_PROXY: UNREACHABLE_URL,
  http_proxy: UNREACHABLE_URL,
  https_proxy: UNREACHABLE_URL,
  NO_PROXY: '',
  no_proxy: ''
}

describe('a server with the default model', () => {
  it('exits with 0 by SIGTERM; a second start needs no network and builds no graph again', async () => {
    const first = await startServer(['--threads', '1'])
    first.signal('SIGTERM')
    expect(await first.ended).toEqual({ code: 0, signal: null })
    expect(first.workerPids().map(isAlive)).toEqual([false])
    const startedAtMs = performance.now()
    await using server = await startServer(['--threads', '1'], NO_NETWORK)
    const took = `ready after ${Math.round(performance.now() - startedAtMs)} ms`
    const output = server.stdout.join('\n')
    expect(output, took).not.toMatch(/Building|Download|%|! /)
    const body = { model: 'smollm2-135m-instruct', prompt: 'The capital of France is', max_tokens: 1, temperature: 0 }
    expect((await readWhole(await server.post(body))).choices[0]?.text, took).toBe(' Paris')
  }, 300_000)
})

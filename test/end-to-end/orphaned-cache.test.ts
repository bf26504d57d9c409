import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invariant } from '../../src/inference/contract/invariant.ts'
import { Completion, readStream, type StreamedAnswer, sseData } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const PROMPT = 'Once upon a time there was a little girl who lived in a small house at the edge of the wood. '.repeat(8)
const STORY = { model: 'smollm2-135m-instruct', prompt: PROMPT, max_tokens: 80, ignore_eos: true, temperature: 0.8 }
const BODIES = [
  { ...STORY, seed: 1 },
  { ...STORY, seed: 2, n: 3, logprobs: 2 },
  { ...STORY, seed: 3, prompt: `${PROMPT}The wolf`, echo: true, logprobs: 1 },
  { ...STORY, seed: 4, prompt: 'x' }
]
const IS_LINUX = process.platform === 'linux'

describe.runIf(IS_LINUX).each([
  ['by a spare', ['--spare-workers', '1'], 2, BODIES.length],
  ['by a worker that is started then', [], 1, BODIES.length],
  // Which of them the other one had is for the queue to say.
  ['by the other worker', ['--workers', '2'], 2, 1]
])('the cache of a killed worker is gone on with %s', (_, argv, workers, least) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(['--threads', '1', ...argv])
  }, 300_000)
  afterAll(() => server[Symbol.asyncDispose]())

  function stream(body: object, salt: string): Promise<Response> {
    return server.post({ ...body, stream: true, stream_options: { include_usage: true }, return_token_ids: true, cache_salt: salt })
  }

  async function undisturbed(): Promise<StreamedAnswer[]> {
    return Promise.all(BODIES.map(async (body, index) => readStream(await stream(body, `undisturbed ${index}`))))
  }

  it('nothing of any stream is computed again, and none reads otherwise', async () => {
    const expected = await undisturbed()
    await server.logged(line => line.msg === 'a worker is ready' && server.workerPids().length === workers)
    const responses = await Promise.all(BODIES.map((body, index) => stream(body, `killed ${index}`)))
    const firstTokens = responses.map(response => firstToken(response.clone()))
    const streams = responses.map(readStream)
    await Promise.all(firstTokens)
    const pid = server.workerPids()[0]
    invariant(pid !== undefined && pid > 0, 'a worker has a pid')
    process.kill(pid, 'SIGKILL')
    const answers = await Promise.all(streams)
    const goneOn = server.log().filter(line => line.msg === 'a worker goes on where a dead one left off')
    expect(goneOn.reduce((sum, line) => sum + Number(line['requests']), 0)).toBeGreaterThanOrEqual(least)
    for (const [index, answer] of answers.entries()) expect(answer, `body ${index}`).toEqual(expected[index])
  }, 240_000)
})

/** Resolves when the prompt is computed: an echoed prompt is sent before that. */
async function firstToken(response: Response): Promise<void> {
  for await (const data of sseData(response)) {
    if (Completion.parse(JSON.parse(data)).choices.some(({ token_ids }) => (token_ids?.length ?? 0) > 0)) return
  }
}

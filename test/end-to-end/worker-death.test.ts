import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invariant } from '../../src/inference/contract/invariant.ts'
import { firstDifference } from '../queue/first-difference.ts'
import { readStream, type StreamedAnswer, sseData } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const STORY = { prompt: 'Once upon a time there was a little girl who', temperature: 0, max_tokens: 160, ignore_eos: true }

/** Every kind of stream whose continuation has a state of its own. */
const BODIES: readonly object[] = [
  STORY,
  { ...STORY, logprobs: 3, prompt: 'Count: one, two, three,' },
  { ...STORY, temperature: 1, seed: 7, top_p: 0.9, logprobs: 1 },
  { ...STORY, temperature: 0.8, seed: 8, n: 2 },
  { ...STORY, temperature: 0.9, seed: 9, n: 2, logprobs: 2, prompt: ['The sea is', 'A good cook'] },
  { ...STORY, temperature: 1.2, seed: 10, frequency_penalty: 0.5, presence_penalty: 0.3, echo: true, logprobs: 1 },
  { ...STORY, temperature: 1.5, seed: 11, prompt: 'Emoji: 🎉🎊', logit_bias: { 30: -3, 284: 2 } }
]

let server: Server

beforeAll(async () => {
  server = await startServer(['--threads', '1', '--spare-workers', '1'])
}, 300_000)
afterAll(() => server[Symbol.asyncDispose]())

/** Salted, so that no stream finds a prefix of another. */
function stream(body: object, salt: string): Promise<Response> {
  const options = { stream: true, stream_options: { include_usage: true }, return_token_ids: true, cache_salt: salt }
  return server.post({ model: 'smollm2-135m-instruct', ...body, ...options })
}

async function undisturbed(bodies: readonly object[]): Promise<StreamedAnswer[]> {
  return Promise.all(bodies.map(async (body, index) => readStream(await stream(body, `undisturbed ${index}`))))
}

/** Kills the worker that runs them once each stream has said something, and its successor while some still speak. */
async function disturbed(bodies: readonly object[], salt: string): Promise<StreamedAnswer[]> {
  const responses = await Promise.all(bodies.map((body, index) => stream(body, `${salt} ${index}`)))
  const firstWords = responses.map(response => sseData(response.clone()).next())
  let speaking = responses.length
  const streams = responses.map(response => readStream(response).finally(() => speaking--))
  await Promise.all(firstWords)
  expect(speaking).toBe(responses.length)
  await killBusyWorker()
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  await killBusyWorker()
  expect(speaking).toBeGreaterThan(0)
  return Promise.all(streams)
}

let deaths = 0

/** Workers sit down in the order in which they become ready; kills one only when its spare is. */
async function killBusyWorker(): Promise<void> {
  await server.logged(line => line.msg === 'a worker is ready' && server.workerPids().length > deaths + 1)
  const pid = server.workerPids()[deaths++]
  invariant(pid !== undefined && pid > 0, 'a worker has a pid')
  process.kill(pid, 'SIGKILL')
}

describe('a worker that is killed in the middle of its streams', () => {
  it('is a pause to their readers: text, tokens, logprobs, ends and usage are those of an undisturbed run', async () => {
    const expected = await undisturbed(BODIES)
    expect(expected.map(({ isDone }) => isDone)).toEqual(BODIES.map(() => true))
    const answers = await disturbed(BODIES, 'killed')
    for (const [index, answer] of answers.entries()) expect(firstDifference(answer, expected[index])).toBeNull()
  }, 240_000)

  it('does not lose what stop strings hold back', async () => {
    // Drawn, not greedy: a small model's likeliest text turns in circles, and would meet the stop strings early.
    const received = { ...STORY, temperature: 1, seed: 12 }
    const [whole] = await undisturbed([received])
    const text = whole?.choices[0]?.text ?? ''
    const bodies = [20, 30, 45, 60].map(fromEnd => ({
      ...received,
      stop: [text.slice(-fromEnd, -fromEnd + 12), `${text.slice(-80, -70)} never`]
    }))
    const answers = await disturbed(bodies, 'stopped')
    expect(firstDifference(answers, await undisturbed(bodies))).toBeNull()
    expect(answers.map(({ choices }) => choices[0]?.finish_reason)).toEqual(bodies.map(() => 'stop'))
  }, 240_000)

  it('is replaced: the server is ready again, with a spare', async () => {
    await server.logged(line => line.msg === 'a worker is ready' && server.workerPids().length > deaths + 1)
    expect((await fetch(`${server.url}/ready`)).status).toBe(200)
    expect(server.log().filter(line => line.msg.startsWith('a worker died'))).toHaveLength(deaths)
  })
})

import { type Attack, faultsIn, type Target } from './attack.ts'
import { exchange } from './conversation.ts'
import type { Random } from './random.ts'

/** The largest requests that the server admits or refuses, several at the same time. */
export const sendMuch: Attack = async (target, random) => {
  const request = random.pick(LARGE)(target, random)
  const count = random.integer(1, 12)
  const reads = random.chance(0.7)
  const withinMs = random.integer(1000, 8000)
  const received = await Promise.all(
    Array.from({ length: count }, () => exchange(target.port, { pieces: [request], reads, withinMs, disconnect: 'stay' }))
  )
  return received.flatMap(({ text }) => faultsIn(text, target))
}

/** Thousands of pipelined requests on each of many connections, mostly without reading an answer. */
export const pipelineMuch: Attack = async (target, random) => {
  const path = random.pick(['/health', '/health', '/openapi.json', '/metrics'])
  const requests = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(20_000)
  const reads = random.chance(0.3)
  const withinMs = random.integer(1000, 8000)
  const heard = await Promise.all(
    Array.from({ length: random.integer(1, 50) }, () => exchange(target.port, { pieces: [requests], reads, withinMs, disconnect: 'stay' }))
  )
  return heard.flatMap(({ text }) => faultsIn(text, target))
}

const LARGE: readonly ((target: Target, random: Random) => string)[] = [
  ({ model }, random) =>
    post(random.pick(['/tokenize', '/v1/completions']), {
      model,
      prompt: random.pick(['word ', 'x', 'é', '\n']).repeat(random.integer(1000, 200_000)),
      max_tokens: 1
    }),
  ({ model }) => post('/v1/completions', { model, prompt: new Array(1000).fill(5), max_tokens: 0, echo: true, logprobs: 20, n: 4 }),
  ({ model }) =>
    post('/v1/completions', { model, prompt: new Array(64).fill(new Array(500).fill(5)), max_tokens: 0, echo: true, logprobs: 20 }),
  ({ model }) => post('/v1/chat/completions', { model, ...CONVERSATION, chat_template_kwargs: wide(16_000) }),
  ({ model }) => post('/v1/chat/completions', { model, ...CONVERSATION, metadata: wide(16_000) }, ['Idempotency-Key: wide']),
  ({ model }) => post('/v1/chat/completions', { model, ...CONVERSATION, messages: new Array(2048).fill({ role: 'user', content: 'Hi' }) }),
  ({ model }) =>
    post('/v1/completions', {
      model,
      prompt: 'Hi',
      max_tokens: 1,
      bad_words: Array.from({ length: 128 }, (_, index) => `${index} ${'word '.repeat(49)}`)
    }),
  ({ model }) => post('/detokenize', { model, tokens: new Array(131_072).fill(1) }),
  () => post('/detokenize', { tokens: new Array(200_000).fill(-1) })
]

const CONVERSATION = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 }

function wide(keys: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: keys }, (_, index) => [`key ${index}`, index]))
}

function post(path: string, body: object, headers: readonly string[] = []): string {
  const json = Buffer.from(JSON.stringify(body)).toString('latin1')
  const lines = [`POST ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', 'Content-Type: application/json', ...headers]
  return `${lines.join('\r\n')}\r\nContent-Length: ${json.length}\r\n\r\n${json}`
}

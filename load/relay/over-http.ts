import { type BareEngine, startBareEngine } from '../bench/bench-bare-process.ts'
import { median } from '../median.ts'
import { Endpoint } from '../requests/endpoint.ts'
import { promptAt } from '../requests/prompts.ts'
import { streamedCompletion } from '../requests/streamed-completion.ts'
import type { RelayOptions } from './relay-options.ts'
import { startRedis, startServing } from './served-process.ts'

const STREAMS = 16
const TOKENS = 192

/** Tokens/s of 16 requests over HTTP relative to the same requests in the bare engine, measured alternately. */
export async function measureOverHttp({ queue, rounds }: RelayOptions) {
  await using redis = queue === 'redis' ? await startRedis() : null
  const where = redis === null ? [] : ['--redis-url', `redis://127.0.0.1:${redis.port}`]
  await using server = await startServing(where)
  await using bare = await startBareEngine()
  const endpoint = new Endpoint(`http://127.0.0.1:${server.port}`, STREAMS, null)
  const model = await endpoint.firstModel()
  const http: number[] = []
  const engine: number[] = []
  try {
    for (let round = 0; round <= rounds; round++) {
      const first = round * STREAMS + Math.floor(Date.now() / 1000)
      const sides = [async () => await overHttp(endpoint, model, first), async () => await inBareEngine(bare, first)]
      const order = round % 2 === 0 ? [0, 1] : [1, 0]
      for (const side of order) {
        const tokensPerSecond = (await sides[side]?.()) ?? 0
        // The first round warms up.
        if (round > 0) (side === 0 ? http : engine).push(Number(tokensPerSecond.toFixed(1)))
      }
    }
  } finally {
    endpoint.close()
  }
  return {
    streams: STREAMS,
    tokens: TOKENS,
    httpTokensPerSecond: http,
    engineTokensPerSecond: engine,
    ratioOfMedians: Number((median(http) / median(engine)).toFixed(3)),
    ratioOfBest: Number((Math.max(...http) / Math.max(...engine)).toFixed(3))
  }
}

async function inBareEngine(bare: BareEngine, first: number): Promise<number> {
  const prompts = Array.from({ length: STREAMS }, (_, index) => promptAt(first + index))
  return (STREAMS * TOKENS * 1000) / (await bare.measure({ prompts, tokens: TOKENS }))
}

async function overHttp(endpoint: Endpoint, model: string, first: number): Promise<number> {
  const startedAtMs = performance.now()
  await Promise.all(
    Array.from({ length: STREAMS }, (_, index) =>
      streamedCompletion(
        endpoint,
        { model, prompt: promptAt(first + index), max_tokens: TOKENS, temperature: 0, ignore_eos: true },
        300_000,
        () => {}
      )
    )
  )
  return (STREAMS * TOKENS * 1000) / (performance.now() - startedAtMs)
}

import { Endpoint } from '../requests/endpoint.ts'
import { promptAt } from '../requests/prompts.ts'
import { streamedCompletion } from '../requests/streamed-completion.ts'
import type { RelayOptions } from './relay-options.ts'
import { startServing } from './served-process.ts'

/** Pieces of 48 words: about a thousand tokens together. */
const PIECES = 20

/**
 * Time to the first token of a new long prompt and of the same prompt again, and whether the texts are equal.
 */
export async function measurePrefix({ rounds }: RelayOptions) {
  await using server = await startServing([])
  const endpoint = new Endpoint(`http://127.0.0.1:${server.port}`, 1, null)
  const cold: number[] = []
  const warm: number[] = []
  let sameTexts = true
  try {
    const model = await endpoint.firstModel()
    const complete = async (prompt: string) => {
      const startedAtMs = performance.now()
      let firstMs = 0
      const body = { model, prompt, max_tokens: 16, temperature: 0, ignore_eos: true } as const
      const { text } = await streamedCompletion(endpoint, body, 60_000, (event, atMs) => {
        if (event === 0) firstMs = atMs - startedAtMs
      })
      return { text, firstMs }
    }
    await complete('warm up')
    for (let round = 0; round < rounds; round++) {
      const prompt = Array.from({ length: PIECES }, (_, piece) => promptAt(Date.now() + piece)).join(' ')
      const [first, again] = [await complete(prompt), await complete(prompt)]
      cold.push(Math.round(first.firstMs))
      warm.push(Math.round(again.firstMs))
      sameTexts &&= first.text === again.text
    }
  } finally {
    endpoint.close()
  }
  return { coldMs: cold, warmMs: warm, ratioOfLeast: Number((Math.min(...warm) / Math.min(...cold)).toFixed(3)), sameTexts }
}

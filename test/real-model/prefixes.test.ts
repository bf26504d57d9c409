import { expect, it } from 'vitest'
import { byChoice, GREEDY, request } from '../inference/engine/engine-harness.ts'
import { determinismOf, runOnKernels } from '../inference/engine/kernel-run.ts'
import { prepareDefaultModel } from './real-model.ts'

const PROMPT = Array.from({ length: 200 }, (_, index) => 17 + ((index * 7919) % 40_000))

it.each([
  ['none', 'f32'],
  ['auto', 'f32'],
  ['auto', 'int8'],
  ['w8a8', 'f32']
] as const)(
  'emits the same tokens and scores, bit by bit, after stored blocks as after computed ones: quantization %s, cache %s',
  { timeout: 180_000 },
  async (quantization, cacheType) => {
    const model = { ...(await prepareDefaultModel(quantization, cacheType)), contextLength: 512 }
    const determinism = await determinismOf(model)
    const requests = [
      request('first', PROMPT, { maxNewTokens: 20, topLogprobs: 5, ignoreEos: true }),
      request('again', PROMPT, { maxNewTokens: 20, topLogprobs: 5, ignoreEos: true }),
      request('parts', [...PROMPT.slice(0, 150), 5, 6, 7], { maxNewTokens: 20, topLogprobs: 5, ignoreEos: true }),
      request('sampled', PROMPT.slice(0, 98), { maxNewTokens: 20, topLogprobs: 5, sampling: { ...GREEDY, temperature: 1 } })
    ].map(one => ({ request: one, history: [] }))
    const reused = await runOnKernels(model, determinism, 50, requests)
    const ends = reused.map(log => log.at(-1))
    if (!determinism.cutsDiffer) expect(ends).toMatchObject([0, 192, 128, 96].map(cachedTokens => ({ usage: { cachedTokens } })))
    const computed = await runOnKernels(model, { ...determinism, cutsDiffer: true }, 64, requests)
    for (const [index, log] of computed.entries()) expect(byChoice(reused[index] ?? [])).toEqual(byChoice(log))
  }
)

import { expect, it } from 'vitest'
import { byChoice, GREEDY, request } from '../inference/engine/engine-harness.ts'
import { determinismOf, runOnKernels } from '../inference/engine/kernel-run.ts'
import { prepareDefaultModel } from './real-model.ts'

const PROMPT = Array.from({ length: 150 }, (_, index) => 17 + ((index * 7919) % 40_000))

it.each([
  ['none', 'f32'],
  ['auto', 'f32'],
  ['auto', 'int8'],
  ['w8a8', 'f32']
] as const)(
  'continues after a cut with the same tokens and scores, bit by bit: quantization %s, cache %s',
  { timeout: 180_000 },
  async (quantization, cacheType) => {
    const model = { ...(await prepareDefaultModel(quantization, cacheType)), contextLength: 512 }
    const determinism = await determinismOf(model)
    const sampling = { ...GREEDY, temperature: 1, frequencyPenalty: 0.5 }
    const requests = [
      request('greedy', PROMPT.slice(0, 70), { maxNewTokens: 40, topLogprobs: 5, ignoreEos: true }),
      request('sampled', PROMPT.slice(3), { maxNewTokens: 24, topLogprobs: 5, ignoreEos: true, choicesPerPrompt: 3, sampling }),
      request('echoed', PROMPT.slice(5, 25), { maxNewTokens: 30, topLogprobs: 5, ignoreEos: true, echo: true, promptLogprobs: 2 })
    ]
    const logs = await runOnKernels(
      model,
      determinism,
      64,
      requests.map(one => ({ request: one, history: [] }))
    )
    for (const cuts of [
      [9, 31, 2],
      [0, 70, 20]
    ]) {
      const rests = await runOnKernels(
        model,
        determinism,
        50,
        requests.map((one, index) => ({ request: one, history: logs[index]?.slice(0, cuts[index]) ?? [] }))
      )
      for (const [index, log] of logs.entries()) expect(byChoice(rests[index] ?? [])).toEqual(byChoice(log.slice(cuts[index])))
    }
  }
)

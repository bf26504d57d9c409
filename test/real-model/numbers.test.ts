import { expect, it } from 'vitest'
import type { ModelRunner } from '../../src/inference/contract/model-runner.ts'
import type { QuantizationChoice } from '../../src/inference/model/prepared-model.ts'
import { scoreToken } from '../../src/inference/sampling/scores.ts'
import { openDefaultModel, type ReferenceCase, readReference } from './real-model.ts'

/** Log-probabilities of the prompt, and the greedy choice at each step of the reference's continuation. */
async function replay(
  runner: ModelRunner,
  { promptTokenIds, greedyTokenIds }: ReferenceCase
): Promise<{ prompt: number[]; chosen: number[] }> {
  const width = runner.vocabularySize
  const length = promptTokenIds.length
  const logits = await runner.prefill(0, 0, promptTokenIds, [...promptTokenIds.keys()])
  const rowOf = (index: number): Float32Array => logits.subarray(index * width, (index + 1) * width)
  const prompt = promptTokenIds.slice(1).map((tokenId, index) => scoreToken(rowOf(index), tokenId, { top: 0 }).logprob)
  const chosen = [argmax(rowOf(length - 1))]
  for (const [index, tokenId] of greedyTokenIds.slice(0, -1).entries())
    chosen.push(argmax(await runner.decode([tokenId], [length + index])))
  return { prompt, chosen }
}

function argmax(logits: Float32Array): number {
  return scoreToken(logits, 0, { top: 1 }).top[0]?.tokenId ?? -1
}

const FORMS: readonly { quantization: QuantizationChoice; worst: number; mean: number; margin: number }[] = [
  { quantization: 'none', worst: 1e-3, mean: 1e-3, margin: 0.01 },
  { quantization: 'auto', worst: 1, mean: 0.1, margin: 1 }
]

it.each(FORMS)(
  'gives the results of transformers with quantization $quantization',
  { timeout: 120_000 },
  async ({ quantization, worst, mean, margin }) => {
    const runner = await openDefaultModel(quantization)
    try {
      const differences: number[] = []
      for (const reference of await readReference()) {
        const { prompt, chosen } = await replay(runner, reference)
        prompt.forEach((logprob, index) => {
          differences.push(Math.abs(logprob - (reference.promptLogprobs[index + 1] ?? Number.NaN)))
        })
        const decided = reference.greedyTokenIds.map((tokenId, index) =>
          (reference.margins[index] ?? 0) > margin ? tokenId : chosen[index]
        )
        expect(chosen).toEqual(decided)
      }
      expect(differences.length).toBeGreaterThan(50)
      expect(Math.max(...differences)).toBeLessThan(worst)
      expect(differences.reduce((sum, difference) => sum + difference) / differences.length).toBeLessThan(mean)
    } finally {
      runner.close()
    }
  }
)

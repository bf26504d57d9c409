import { expect, it } from 'vitest'
import type { CacheType } from '../../src/inference/contract/cache-type.ts'
import type { ModelRunner } from '../../src/inference/contract/model-runner.ts'
import type { QuantizationChoice } from '../../src/inference/model/prepared-model.ts'
import { scoreToken } from '../../src/inference/sampling/scores.ts'
import { openDefaultModel, type ReferenceCase, readReference } from './real-model.ts'

interface Replay {
  /** Log-probabilities of the prompt's tokens after the first. */
  readonly prompt: readonly number[]
  /** The greedy choice at each step of the reference's continuation. */
  readonly chosen: number[]
}

/**
 * All cases in one batch.
 * @param cases  longest continuation first: the rows that still decode are then the first ones
 */
async function replay(runner: ModelRunner, cases: readonly ReferenceCase[]): Promise<readonly Replay[]> {
  const width = runner.vocabularySize
  const replays: Replay[] = []
  for (const [row, { promptTokenIds }] of cases.entries()) {
    const logits = await runner.prefill(row, 0, promptTokenIds, [...promptTokenIds.keys()])
    const at = (index: number): Float32Array => logits.subarray(index * width, (index + 1) * width)
    const prompt = promptTokenIds.slice(1).map((tokenId, index) => scoreToken(at(index), tokenId, { top: 0 }).logprob)
    replays.push({ prompt, chosen: [argmax(at(promptTokenIds.length - 1))] })
  }
  for (let step = 1; step < (cases[0]?.greedyTokenIds.length ?? 0); step++) {
    const active = cases.filter(({ greedyTokenIds }) => step < greedyTokenIds.length)
    const logits = await runner.decode(
      active.map(({ greedyTokenIds }) => greedyTokenIds[step - 1] ?? -1),
      active.map(({ promptTokenIds }) => promptTokenIds.length + step - 1)
    )
    for (const row of active.keys()) replays[row]?.chosen.push(argmax(logits.subarray(row * width, (row + 1) * width)))
  }
  return replays
}

function argmax(logits: Float32Array): number {
  return scoreToken(logits, 0, { top: 1 }).top[0]?.tokenId ?? -1
}

const FORMS: readonly { quantization: QuantizationChoice; cacheType: CacheType; worst: number; mean: number; margin: number }[] = [
  { quantization: 'none', cacheType: 'f32', worst: 1e-3, mean: 1e-3, margin: 0.01 },
  { quantization: 'auto', cacheType: 'f32', worst: 1, mean: 0.1, margin: 1 },
  { quantization: 'auto', cacheType: 'int8', worst: 1.5, mean: 0.15, margin: 1 },
  { quantization: 'w8a8', cacheType: 'f32', worst: 1.5, mean: 0.15, margin: 1 }
]

it.each(FORMS)(
  'gives the results of transformers with quantization $quantization and cache $cacheType',
  { timeout: 120_000 },
  async ({ quantization, cacheType, worst, mean, margin }) => {
    const runner = await openDefaultModel(quantization, cacheType)
    try {
      const differences: number[] = []
      const cases = (await readReference()).toSorted((left, right) => right.greedyTokenIds.length - left.greedyTokenIds.length)
      const replays = await replay(runner, cases)
      for (const [index, reference] of cases.entries()) {
        const { prompt = [], chosen = [] } = replays[index] ?? {}
        prompt.forEach((logprob, index) => {
          differences.push(Math.abs(logprob - (reference.promptLogprobs[index + 1] ?? Number.NaN)))
        })
        const decided = reference.greedyTokenIds.map((tokenId, step) => ((reference.margins[step] ?? 0) > margin ? tokenId : chosen[step]))
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

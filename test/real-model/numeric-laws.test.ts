import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelRunner } from '../../src/inference/contract/model-runner.ts'
import { probeDeterminism } from '../../src/inference/engine/determinism-probe.ts'
import { openDefaultModel } from './real-model.ts'

const PROMPT = Array.from({ length: 150 }, (_, index) => 17 + ((index * 7919) % 40_000))
/** Short, so that a failure can be read. */
const bytes = (logits: Float32Array): string =>
  createHash('sha256')
    .update(Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength))
    .digest('hex')

describe.each([
  ['none', 'f32'],
  ['auto', 'f32'],
  ['auto', 'int8'],
  ['w8a8', 'f32']
] as const)('the default model with quantization %s and cache %s', (quantization, cacheType) => {
  let runner: ModelRunner
  let minDecodeRows = 1
  beforeAll(async () => {
    runner = await openDefaultModel(quantization, cacheType)
    const { loneRowDiffers } = await probeDeterminism(runner)
    minDecodeRows = loneRowDiffers ? 2 : 1
  }, 120_000)
  afterAll(() => runner.close())

  async function prefill(row: number, prompt: readonly number[], cuts: readonly number[]): Promise<string> {
    const edges = [0, ...cuts, prompt.length]
    let last = ''
    for (const [index, from] of edges.slice(0, -1).entries()) {
      const chunk = prompt.slice(from, edges[index + 1])
      last = bytes(await runner.prefill(row, from, chunk, [chunk.length - 1]))
    }
    return last
  }

  it('computes the same bits for any division of a prompt into chunks of at least two tokens', { timeout: 60_000 }, async () => {
    const whole = await prefill(0, PROMPT, [])
    for (const cuts of [[64, 128], [2, 4, 9], [148], [75], [31, 62, 93, 124]]) expect(await prefill(1, PROMPT, cuts)).toBe(whole)
  })

  it('decodes a row to the same bits alone and among any others, at any index', { timeout: 60_000 }, async () => {
    const lengths = [40, 7, 148, 23, 90, 2]
    const prompts = lengths.map((length, row) => PROMPT.slice(row, row + length))
    const tokens = [5, 6, 7, 8, 9, 10]
    const alone: string[] = []
    for (const [row, prompt] of prompts.entries()) {
      await prefill(0, prompt, [])
      const dummies = Array.from({ length: minDecodeRows - 1 }, () => 1)
      const logits = await runner.decode([tokens[row] ?? 0, ...dummies], [prompt.length, ...dummies])
      alone.push(bytes(logits.subarray(0, runner.vocabularySize)))
    }
    for (const order of [
      [0, 1, 2, 3, 4, 5],
      [5, 3, 1],
      [2, 0, 4, 1]
    ]) {
      for (const [row, which] of order.entries()) await prefill(row, prompts[which] ?? [], [])
      const logits = await runner.decode(
        order.map(which => tokens[which] ?? 0),
        order.map(which => lengths[which] ?? 0)
      )
      order.forEach((which, row) => {
        expect(bytes(logits.subarray(row * runner.vocabularySize, (row + 1) * runner.vocabularySize))).toBe(alone[which])
      })
    }
  })
})

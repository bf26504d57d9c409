import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { ModelRunner } from '../../../src/inference/contract/model-runner.ts'
import type { PreparedModel } from '../../../src/inference/model/prepared-model.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'

/** Results of transformers for a prompt, in float32. */
const Case = z.object({
  prompt: z.array(z.int()),
  last_logits: z.array(z.number()),
  prompt_logprobs: z.array(z.number().nullable()),
  greedy: z.array(z.int()),
  /** Difference between the two highest logits, for each greedy token. */
  greedy_margin: z.array(z.number())
})
export type ReferenceCase = z.infer<typeof Case>

export async function referenceCases(folder: string): Promise<ReferenceCase[]> {
  const expected: unknown = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
  return z.object({ cases: z.array(Case) }).parse(expected).cases
}

export interface Run {
  readonly lastLogits: readonly number[]
  readonly promptLogprobs: readonly (number | null)[]
  readonly greedy: readonly number[]
}

/** Runs prompts with the native runtime: one prefill, then single steps with the tokens of the reference. */
export async function runCases(model: PreparedModel, cases: readonly ReferenceCase[]): Promise<Run[]> {
  const runner = await openModelRunner({ ...model, slots: 2, blocks: 0, threads: 1, spinning: false })
  try {
    const runs: Run[] = []
    for (const each of cases) runs.push(await runCase(runner, each))
    return runs
  } finally {
    runner.close()
  }
}

async function runCase(runner: ModelRunner, { prompt, greedy }: ReferenceCase): Promise<Run> {
  const size = runner.vocabularySize
  const logits = (
    await runner.prefill(
      0,
      0,
      prompt,
      prompt.map((_, i) => i)
    )
  ).slice()
  const rows = prompt.map((_, i) => logits.subarray(i * size, (i + 1) * size))
  const lastLogits = [...(rows.at(-1) ?? [])]
  const chosen = [argmax(lastLogits)]
  for (const [i, token] of greedy.slice(0, -1).entries()) chosen.push(argmax([...(await runner.decode([token], [prompt.length + i]))]))
  return {
    lastLogits,
    promptLogprobs: prompt.map((token, i) => (i === 0 ? null : logProbability(rows[i - 1] ?? new Float32Array(), token))),
    greedy: chosen
  }
}

function argmax(logits: readonly number[]): number {
  return logits.indexOf(Math.max(...logits))
}

function logProbability(logits: Float32Array, token: number): number {
  const largest = Math.max(...logits)
  return (logits[token] ?? Number.NaN) - largest - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0))
}

export function largestDifference(ours: readonly (number | null)[], theirs: readonly (number | null)[]): number {
  return Math.max(...theirs.map((value, i) => Math.abs((value ?? 0) - (ours[i] ?? 0))))
}

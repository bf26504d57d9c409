import type { ModelRunner } from '../../src/inference/contract/model-runner.ts'
import { argmax } from '../../src/inference/sampling/argmax.ts'

/** The texts on which two forms of a model are compared, as token ids. */
export interface QualityTokens {
  /** Computed as a prompt. */
  readonly text: readonly number[]
  /** Continued greedily, one token at a time. */
  readonly prompts: readonly (readonly number[])[]
}

export interface FormLogits {
  /** float32 [text, V] */
  readonly text: Float32Array
  /** For each step, float32 [prompts, V]; the first after the prompts. */
  readonly steps: readonly Float32Array[]
}

/**
 * Computes the text in one run, and `steps` tokens of each prompt: the prompts are rows of one batch.
 *
 * @param forced  the tokens of each step, one per prompt; without them, the most likely ones
 */
export async function formLogits(
  runner: ModelRunner,
  { text, prompts }: QualityTokens,
  steps: number,
  forced: readonly (readonly number[])[] | null
): Promise<FormLogits> {
  const width = runner.vocabularySize
  const textLogits = (await runner.prefill(0, 0, text, [...text.keys()])).slice()
  const first = new Float32Array(prompts.length * width)
  for (const [row, prompt] of prompts.entries()) first.set(await runner.prefill(row, 0, prompt, [prompt.length - 1]), row * width)
  const all = [first]
  for (let step = 0; step < steps - 1; step++) {
    const tokens = forced?.[step] ?? greedyTokens(all[step] ?? first, width)
    const logits = await runner.decode(
      tokens,
      prompts.map(prompt => prompt.length + step)
    )
    all.push(logits.slice())
  }
  return { text: textLogits, steps: all }
}

/** @param logits  float32 [rows, width] */
export function greedyTokens(logits: Float32Array, width: number): number[] {
  return Array.from({ length: logits.length / width }, (_, row) => argmax(logits.subarray(row * width, (row + 1) * width)))
}

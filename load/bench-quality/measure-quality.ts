import { QUALITY_TEXT } from '../../src/inference/model/calibration/calibration-text.ts'
import { logitDistance } from '../../src/inference/model/calibration/logit-distance.ts'
import { MAX_CHUNK_TOKENS, openModelRunner } from '../../src/inference/runtime/onnx-model-runner.ts'
import { tokenizerFromGguf } from '../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'
import { openGguf } from '../../src/inference/weights/gguf.ts'
import { type BenchFile, inFloat32 } from '../bench-files/bench-file.ts'
import { type FormLogits, formLogits, greedyTokens, type QualityTokens } from './forced-logits.ts'
import { QUALITY_PROMPTS } from './quality-prompts.ts'

/** Greedy tokens of each prompt, fewer where its text ends. */
const STEPS = 40

/** How far the predictions of a form are from those with float32 weights. */
export interface QualityReport {
  /** Over the positions of a text that is computed as a prompt. */
  readonly text: Distance
  /** Over the greedy continuations of prompts, with the tokens of float32 in both forms. */
  readonly greedy: Distance
}

interface Distance {
  readonly positions: number
  /** Mean Kullback-Leibler divergence in nats. */
  readonly meanKl: number
  /** Positions at which the most likely token is the same. */
  readonly sameToken: number
}

/** Computes the same tokens with float32 weights and in the form of the file, one after the other. */
export async function measureQuality(file: BenchFile, threads: number): Promise<QualityReport> {
  const exact = await inFloat32(file)
  const { tokens, endTokenIds } = await qualityTokens(file)
  const width = file.prepared.vocabularySize
  const reference = await logitsOf(exact, threads, tokens, null)
  const chosen = reference.steps.map(logits => greedyTokens(logits, width))
  const measured = await logitsOf(file, threads, tokens, chosen)

  const greedy: Distance[] = []
  const ended = new Set<number>()
  for (const [step, ids] of chosen.entries()) {
    for (const [row, id] of ids.entries()) {
      if (ended.has(row)) continue
      const of = (logits: FormLogits) => (logits.steps[step] ?? new Float32Array()).subarray(row * width, (row + 1) * width)
      greedy.push(distance(of(reference), of(measured), width))
      if (endTokenIds.includes(id)) ended.add(row)
    }
  }
  return { text: distance(reference.text, measured.text, width), greedy: total(greedy) }
}

/** A Markdown table. */
export function qualityTable({ text, greedy }: QualityReport): string {
  const rows = [
    ['', 'positions', 'mean KL to float32', 'same most likely token'],
    ['---', '---', '---', '---'],
    ...[
      { name: 'text, as a prompt', ...text },
      { name: 'greedy continuations', ...greedy },
      { name: 'both', ...total([text, greedy]) }
    ].map(({ name, positions, meanKl, sameToken }) => [name, `${positions}`, meanKl.toFixed(5), `${sameToken}`])
  ]
  return rows.map(row => `| ${row.join(' | ')} |`).join('\n')
}

async function logitsOf(
  { prepared }: BenchFile,
  threads: number,
  tokens: QualityTokens,
  forced: readonly (readonly number[])[] | null
): Promise<FormLogits> {
  const contextLength = Math.max(tokens.text.length, ...tokens.prompts.map(prompt => prompt.length + STEPS))
  const runner = await openModelRunner({ ...prepared, contextLength, slots: tokens.prompts.length, blocks: 0, threads, spinning: true })
  try {
    return await formLogits(runner, tokens, STEPS, forced)
  } finally {
    runner.close()
  }
}

async function qualityTokens({ path }: BenchFile): Promise<{ readonly tokens: QualityTokens; readonly endTokenIds: readonly number[] }> {
  await using gguf = await openGguf(path)
  const tokenizer = tokenizerFromGguf(gguf.metadata)
  return {
    tokens: {
      text: tokenizer.encode(QUALITY_TEXT).slice(0, MAX_CHUNK_TOKENS),
      prompts: QUALITY_PROMPTS.map(prompt => tokenizer.encode(prompt))
    },
    endTokenIds: tokenizer.endTokenIds
  }
}

function distance(reference: Float32Array, other: Float32Array, width: number): Distance {
  const positions = reference.length / width
  const { meanKl, sameToken } = logitDistance(reference, other, width)
  return { positions, meanKl, sameToken: Math.round(sameToken * positions) }
}

function total(parts: readonly Distance[]): Distance {
  const positions = parts.reduce((sum, part) => sum + part.positions, 0)
  return {
    positions,
    meanKl: parts.reduce((sum, part) => sum + part.meanKl * part.positions, 0) / positions,
    sameToken: parts.reduce((sum, part) => sum + part.sameToken, 0)
  }
}

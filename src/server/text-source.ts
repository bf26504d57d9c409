import { dirname } from 'node:path'
import type { WeightsTextSource } from '../inference/tokenizer/text-source.ts'
import { openGguf } from '../inference/weights/gguf.ts'

/** Weights name their tokenizer: GGUF files hold it, checkpoints have it beside them. */
export async function textSourceOf(weightsPath: string): Promise<WeightsTextSource> {
  if (!weightsPath.endsWith('.gguf')) return { kind: 'folder', path: dirname(weightsPath) }
  await using file = await openGguf(weightsPath)
  return { kind: 'gguf', metadata: new Map([...file.metadata].filter(([key]) => key.startsWith('tokenizer.'))) }
}

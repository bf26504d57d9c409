import { dirname } from 'node:path'
import type { WeightsTextSource } from '../inference/tokenizer/model-files/text-source.ts'
import { openGguf } from '../inference/weights/gguf.ts'

/**
 * Weights name their tokenizer: GGUF files hold it, checkpoints have it beside them.
 *
 * @param embeddingRows  of the model: it has no token beyond them
 */
export async function textSourceOf(weightsPath: string, embeddingRows: number): Promise<WeightsTextSource> {
  if (!weightsPath.endsWith('.gguf')) return { kind: 'folder', path: dirname(weightsPath), embeddingRows }
  await using file = await openGguf(weightsPath)
  return { kind: 'gguf', embeddingRows, metadata: new Map([...file.metadata].filter(([key]) => key.startsWith('tokenizer.'))) }
}

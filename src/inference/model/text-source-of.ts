import { dirname } from 'node:path'
import type { WeightsTextSource } from '../tokenizer/model-files/text-source.ts'
import { openGguf } from '../weights/gguf.ts'

/**
 * Locates the tokenizer of a model: inside a GGUF file, or in the folder of a checkpoint.
 *
 * @param embeddingRows  rows of the model's embedding; token ids must be below it
 */
export async function textSourceOf(weightsPath: string, embeddingRows: number): Promise<WeightsTextSource> {
  if (!weightsPath.endsWith('.gguf')) return { kind: 'folder', path: dirname(weightsPath), embeddingRows }
  await using file = await openGguf(weightsPath)
  return { kind: 'gguf', embeddingRows, metadata: new Map([...file.metadata].filter(([key]) => key.startsWith('tokenizer.'))) }
}

import type { GgufFile } from '../weights/gguf.ts'
import { GGUF_MAX, GgufNumbers } from './gguf-numbers.ts'
import type { Gpt2Model } from './gpt2-weights.ts'

/**
 * Reads a GPT-2's hyperparameters from GGUF metadata.
 *
 * @throws {ModelFileError} a key is missing or out of bounds
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "LLM"; llama.cpp computes GPT-2 with the tanh form of GELU
 */
export function ggufGpt2Config(file: GgufFile): Gpt2Model {
  const numbers = new GgufNumbers(file, 'gpt2')
  const layers = numbers.int('block_count', GGUF_MAX.layers)
  const hidden = numbers.int('embedding_length', GGUF_MAX.size)
  const heads = numbers.int('attention.head_count', GGUF_MAX.size)
  const headDim = hidden / heads
  return {
    head: 'own-or-embedding',
    config: {
      layers,
      hidden,
      heads,
      headDim,
      feedForward: numbers.int('feed_forward_length', GGUF_MAX.size),
      vocabulary: numbers.vocabulary(),
      context: numbers.int('context_length', GGUF_MAX.context),
      normEpsilon: numbers.positive('attention.layer_norm_epsilon'),
      activation: 'gelu-tanh',
      attentionScales: Array.from({ length: layers }, () => 1 / Math.sqrt(headDim))
    }
  }
}

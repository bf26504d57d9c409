import type { LlamaConfig, RotaryConfig } from '../graph/llama-config.ts'
import { dequantize } from '../weights/dequantize.ts'
import type { GgufFile } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { GGUF_MAX, GgufNumbers } from './gguf-numbers.ts'

/**
 * Reads a Llama's hyperparameters from GGUF metadata.
 *
 * @throws {ModelFileError} a key is missing, out of bounds, or names a variant that we do not build
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "LLM"
 */
export async function ggufLlamaConfig(file: GgufFile): Promise<LlamaConfig> {
  const numbers = new GgufNumbers(file, 'llama')
  const vocabulary = numbers.vocabulary()
  if (numbers.number('expert_count', 0) > 0)
    numbers.fail(`llama.expert_count is ${numbers.number('expert_count')}: mixtures of experts are not supported`)

  const hidden = numbers.int('embedding_length', GGUF_MAX.size)
  const heads = numbers.int('attention.head_count', GGUF_MAX.size)
  const kvHeads = numbers.int('attention.head_count_kv', GGUF_MAX.size, heads)
  const headDim = numbers.int('attention.key_length', GGUF_MAX.headDim, hidden / heads)
  if (numbers.int('attention.value_length', GGUF_MAX.headDim, headDim) !== headDim)
    numbers.fail(`llama.attention.value_length differs from key_length ${headDim}`)

  const dims = numbers.int('rope.dimension_count', headDim, headDim)
  return {
    layers: numbers.int('block_count', GGUF_MAX.layers),
    hidden,
    heads,
    kvHeads,
    headDim,
    feedForward: numbers.int('feed_forward_length', GGUF_MAX.size),
    vocabulary,
    context: numbers.int('context_length', GGUF_MAX.context),
    rmsEpsilon: numbers.positive('attention.layer_norm_rms_epsilon'),
    rotary: {
      dims,
      theta: numbers.positive('rope.freq_base', 10_000),
      positionDivisor: positionDivisor(file, numbers),
      frequencyDivisors: await frequencyDivisors(file, dims)
    }
  }
}

function positionDivisor(file: GgufFile, numbers: GgufNumbers): RotaryConfig['positionDivisor'] {
  const type = file.metadata.get('llama.rope.scaling.type') ?? 'none'
  if (type === 'none') return 1
  if (type === 'linear') return numbers.positive('rope.scaling.factor', 1)
  numbers.fail(`llama.rope.scaling.type is ${JSON.stringify(type)}, only "none" and "linear" are supported`)
}

async function frequencyDivisors(file: GgufFile, dims: number): Promise<readonly number[] | null> {
  const tensor = file.tensors.get('rope_freqs.weight')
  if (tensor === undefined) return null
  if (tensor.shape.length !== 1 || tensor.shape[0] !== dims / 2 || tensor.type.name !== 'F32') {
    throw new ModelFileError(`${file.path}: tensor "rope_freqs.weight" is ${tensor.type.name} [${tensor.shape}], must be F32 [${dims / 2}]`)
  }
  return [...dequantize('F32', await file.read(tensor, 0, tensor.bytes))]
}

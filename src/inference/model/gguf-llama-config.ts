import type { LlamaConfig, RotaryConfig } from '../graph/llama-config.ts'
import { dequantize } from '../weights/dequantize.ts'
import type { GgufFile } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'

/** Bounds of what we build: beyond them a header is hostile or not ours. The largest published Llama has 126 layers, 16,384 hidden. */
const MAX = { layers: 1024, size: 1_048_576, headDim: 1024, context: 2 ** 21 } as const

/**
 * Reads a Llama's hyperparameters from GGUF metadata.
 *
 * @throws {ModelFileError} a key is missing, out of bounds, or names a variant that we do not build
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "LLM"
 */
export async function ggufLlamaConfig(file: GgufFile): Promise<LlamaConfig> {
  const { metadata, path } = file
  const architecture = 'llama'

  function fail(message: string): never {
    throw new ModelFileError(`${path}: ${message}`)
  }

  function number(key: string, fallback?: number): number {
    const value = metadata.get(`${architecture}.${key}`) ?? fallback
    // Some converters write one value per layer; we build models whose layers are alike.
    const one = Array.isArray(value) && value.length > 0 && value.every(each => each === value[0]) ? value[0] : value
    if (typeof one !== 'number') fail(`${architecture}.${key} is ${value === undefined ? 'missing' : 'not one number'}`)
    return one
  }

  function int(key: string, max: number, fallback?: number): number {
    const value = number(key, fallback)
    if (!Number.isInteger(value) || value < 1 || value > max)
      fail(`${architecture}.${key} is ${value}, must be a whole number from 1 to ${max}`)
    return value
  }

  function positive(key: string, fallback?: number): number {
    const value = number(key, fallback)
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) fail(`${architecture}.${key} is ${value}, must be positive`)
    return value
  }

  const embedding = file.tensors.get('token_embd.weight')
  if (embedding === undefined || embedding.shape.length !== 2) fail('tensor "token_embd.weight" is missing or not a matrix')
  if (number('expert_count', 0) > 0)
    fail(`${architecture}.expert_count is ${number('expert_count')}: mixtures of experts are not supported`)

  const hidden = int('embedding_length', MAX.size)
  const heads = int('attention.head_count', MAX.size)
  const kvHeads = int('attention.head_count_kv', MAX.size, heads)
  const headDim = int('attention.key_length', MAX.headDim, hidden / heads)
  if (int('attention.value_length', MAX.headDim, headDim) !== headDim)
    fail(`${architecture}.attention.value_length differs from key_length ${headDim}`)

  const dims = int('rope.dimension_count', headDim, headDim)
  return {
    layers: int('block_count', MAX.layers),
    hidden,
    heads,
    kvHeads,
    headDim,
    feedForward: int('feed_forward_length', MAX.size),
    vocabulary: embedding.shape[0] ?? 0,
    context: int('context_length', MAX.context),
    rmsEpsilon: positive('attention.layer_norm_rms_epsilon'),
    rotary: {
      dims,
      theta: positive('rope.freq_base', 10_000),
      positionDivisor: positionDivisor(),
      frequencyDivisors: await frequencyDivisors(file, dims)
    }
  }

  function positionDivisor(): RotaryConfig['positionDivisor'] {
    const type = metadata.get(`${architecture}.rope.scaling.type`) ?? 'none'
    if (type === 'none') return 1
    if (type === 'linear') return positive('rope.scaling.factor', 1)
    fail(`${architecture}.rope.scaling.type is ${JSON.stringify(type)}, only "none" and "linear" are supported`)
  }
}

async function frequencyDivisors(file: GgufFile, dims: number): Promise<readonly number[] | null> {
  const tensor = file.tensors.get('rope_freqs.weight')
  if (tensor === undefined) return null
  if (tensor.shape.length !== 1 || tensor.shape[0] !== dims / 2 || tensor.type.name !== 'F32') {
    throw new ModelFileError(`${file.path}: tensor "rope_freqs.weight" is ${tensor.type.name} [${tensor.shape}], must be F32 [${dims / 2}]`)
  }
  return [...dequantize('F32', await file.read(tensor, 0, tensor.bytes))]
}

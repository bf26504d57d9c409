import { z } from 'zod'
import type { RotaryConfig } from '../../graph/rotary.ts'
import { ModelFileError } from '../../weights/model-file-error.ts'
import { dequantize } from '../../weights/quantization/dequantize.ts'
import { fields, Positive, Size } from './config-json.ts'
import type { GgufFields } from './gguf-fields.ts'

const RopeType = z.enum(['default', 'linear', 'llama3'])
const WholeHead = z.literal(1).default(1)

const Rope = fields({
  rope_type: RopeType.optional(),
  /** The name of `rope_type` before transformers 4.43. */
  type: RopeType.optional(),
  rope_theta: Positive.optional(),
  partial_rotary_factor: WholeHead,
  factor: Positive.default(1),
  low_freq_factor: Positive.default(1),
  high_freq_factor: Positive.default(4),
  original_max_position_embeddings: Size.default(8192)
})
type Rope = z.infer<typeof Rope>

/** The fields of config.json about rotary positions, in families that rotate whole heads. */
export const ROPE_FIELDS = {
  partial_rotary_factor: WholeHead,
  rope_theta: Positive.optional(),
  /** transformers 5 */
  rope_parameters: Rope.optional(),
  /** transformers 4 */
  rope_scaling: Rope.optional()
}
const RopeFields = z.object(ROPE_FIELDS)

/** Source: transformers, modeling_rope_utils.py */
export function rotaryFromConfig(config: z.infer<typeof RopeFields>, headDim: number): RotaryConfig {
  const rope = config.rope_parameters ?? config.rope_scaling ?? Rope.parse({})
  const ropeType = rope.rope_type ?? rope.type ?? 'default'
  const theta = rope.rope_theta ?? config.rope_theta ?? 10_000
  return {
    dims: headDim,
    theta,
    positionDivisor: ropeType === 'linear' ? rope.factor : 1,
    frequencyDivisors: ropeType === 'llama3' ? llama3Divisors(rope, theta, headDim) : null
  }
}

/**
 * Long waves are stretched by `factor`, short ones stay, those between are blended.
 * Source: transformers, modeling_rope_utils.py, `_compute_llama3_parameters`
 */
function llama3Divisors(rope: Rope, theta: number, dims: number): number[] {
  return Array.from({ length: dims / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / dims)
    const turns = rope.original_max_position_embeddings / wavelength
    if (turns < rope.low_freq_factor) return rope.factor
    if (turns > rope.high_freq_factor) return 1
    const smooth = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
    return 1 / ((1 - smooth) / rope.factor + smooth)
  })
}

/** @throws {ModelFileError} a key is out of bounds or names a scaling that is not supported */
export async function rotaryFromGguf(gguf: GgufFields, headDim: number): Promise<RotaryConfig> {
  const dims = gguf.int('rope.dimension_count', headDim, headDim)
  return {
    dims,
    theta: gguf.positive('rope.freq_base', 10_000),
    positionDivisor: positionDivisor(gguf),
    frequencyDivisors: await frequencyDivisors(gguf, dims)
  }
}

function positionDivisor(gguf: GgufFields): number {
  const type = gguf.value('rope.scaling.type') ?? 'none'
  if (type === 'none') return 1
  if (type === 'linear') return gguf.positive('rope.scaling.factor', 1)
  gguf.fail('rope.scaling.type', `is ${JSON.stringify(type)}, only "none" and "linear" are supported`)
}

async function frequencyDivisors({ file }: GgufFields, dims: number): Promise<readonly number[] | null> {
  const tensor = file.tensors.get('rope_freqs.weight')
  if (tensor === undefined) return null
  if (tensor.shape.length !== 1 || tensor.shape[0] !== dims / 2 || tensor.type.name !== 'F32') {
    throw new ModelFileError(`${file.path}: tensor "rope_freqs.weight" is ${tensor.type.name} [${tensor.shape}], must be F32 [${dims / 2}]`)
  }
  return [...dequantize('F32', await file.read(tensor, 0, tensor.bytes))]
}

/** Tensors that hold the angles, which the hyperparameters give already. */
export const ROTARY_TENSORS = /^rope_freqs\.weight$|\.attn_rot_embd\.weight$|\.rotary_emb\.inv_freq$/

import { z } from 'zod'
import type { LlamaModel } from './llama-weights.ts'
import { Context, Layers, readConfig, Size } from './read-config.ts'

const Positive = z.number().positive()

const RopeType = z.enum(['default', 'linear', 'llama3'])

const Rope = z.object({
  rope_type: RopeType.optional(),
  /** The name of `rope_type` before transformers 4.43. */
  type: RopeType.optional(),
  rope_theta: Positive.optional(),
  factor: Positive.default(1),
  low_freq_factor: Positive.default(1),
  high_freq_factor: Positive.default(4),
  original_max_position_embeddings: Size.default(8192)
})
type Rope = z.infer<typeof Rope>

/** Fields of transformers' `LlamaConfig` that change what is computed. Others do not, so they are not read. */
const Checkpoint = z.object({
  model_type: z.literal('llama'),
  hidden_act: z.literal('silu').default('silu'),
  attention_bias: z.literal(false).default(false),
  mlp_bias: z.literal(false).default(false),
  partial_rotary_factor: z.literal(1).default(1),
  hidden_size: Size,
  num_hidden_layers: Layers,
  num_attention_heads: Size,
  num_key_value_heads: Size.optional(),
  head_dim: z.int().positive().max(1024).nullish(),
  intermediate_size: Size,
  vocab_size: Size,
  max_position_embeddings: Context,
  rms_norm_eps: Positive,
  tie_word_embeddings: z.boolean().default(false),
  rope_theta: Positive.optional(),
  /** transformers 5 */
  rope_parameters: Rope.nullish(),
  /** transformers 4 */
  rope_scaling: Rope.nullish()
})

/**
 * Reads a Llama's hyperparameters from a checkpoint's config.json.
 *
 * @throws {ModelFileError} missing, not JSON, or a variant that we do not build
 * Source: transformers, models/llama/configuration_llama.py
 */
export async function checkpointLlamaConfig(path: string): Promise<LlamaModel> {
  const config = await readConfig(path, Checkpoint)
  const rope = config.rope_parameters ?? config.rope_scaling ?? Rope.parse({})
  const ropeType = rope.rope_type ?? rope.type ?? 'default'
  const heads = config.num_attention_heads
  const kvHeads = config.num_key_value_heads ?? heads
  const headDim = config.head_dim ?? Math.floor(config.hidden_size / heads)
  const theta = rope.rope_theta ?? config.rope_theta ?? 10_000

  return {
    head: config.tie_word_embeddings ? 'embedding' : 'own',
    config: {
      layers: config.num_hidden_layers,
      hidden: config.hidden_size,
      heads,
      kvHeads,
      headDim,
      feedForward: config.intermediate_size,
      vocabulary: config.vocab_size,
      context: config.max_position_embeddings,
      rmsEpsilon: config.rms_norm_eps,
      rotary: {
        dims: headDim,
        theta,
        positionDivisor: ropeType === 'linear' ? rope.factor : 1,
        frequencyDivisors: ropeType === 'llama3' ? llama3Divisors(rope, theta, headDim) : null
      }
    }
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

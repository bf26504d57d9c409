import { z } from 'zod'
import type { Gpt2Config } from '../graph/gpt2-config.ts'
import type { Gpt2Model } from './gpt2-weights.ts'
import { Context, Layers, readConfig, Size } from './read-config.ts'

/** Names of the same functions in transformers' `ACT2FN`. */
const ACTIVATIONS = {
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu: 'gelu'
} as const satisfies Record<string, Gpt2Config['activation']>

/** Fields of transformers' `GPT2Config` that change what is computed, under each name that they have had. Others do not, so they are not read. */
const Checkpoint = z
  .object({
    model_type: z.literal('gpt2'),
    add_cross_attention: z.literal(false).default(false),
    activation_function: z.enum(['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast', 'gelu']).default('gelu_new'),
    n_embd: Size.optional(),
    hidden_size: Size.optional(),
    n_layer: Layers.optional(),
    num_hidden_layers: Layers.optional(),
    n_head: Size.optional(),
    num_attention_heads: Size.optional(),
    n_positions: Context.optional(),
    max_position_embeddings: Context.optional(),
    /** Beside or instead of `n_positions` before transformers 4. */
    n_ctx: Context.optional(),
    n_inner: Size.nullish(),
    vocab_size: Size,
    layer_norm_epsilon: z.number().positive().default(1e-5),
    scale_attn_weights: z.boolean().default(true),
    scale_attn_by_inverse_layer_idx: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(true)
  })
  .transform((config, context) => {
    function required(name: string, ...spellings: (number | undefined)[]): number {
      const value = spellings.find(each => each !== undefined)
      if (value === undefined) context.addIssue({ code: 'custom', path: [name], message: 'is missing' })
      return value ?? 1
    }
    return {
      ...config,
      hidden: required('n_embd', config.n_embd, config.hidden_size),
      layers: required('n_layer', config.n_layer, config.num_hidden_layers),
      heads: required('n_head', config.n_head, config.num_attention_heads),
      context: required('n_positions', config.n_positions, config.max_position_embeddings, config.n_ctx)
    }
  })

/**
 * Reads a GPT-2's hyperparameters from a checkpoint's config.json.
 *
 * @throws {ModelFileError} missing, not JSON, or a variant that we do not build
 * Source: transformers, models/gpt2/configuration_gpt2.py
 */
export async function checkpointGpt2Config(path: string): Promise<Gpt2Model> {
  const { hidden, layers, heads, context, ...rest } = await readConfig(path, Checkpoint)
  const headDim = hidden / heads
  const scale = rest.scale_attn_weights ? 1 / Math.sqrt(headDim) : 1
  return {
    config: {
      layers,
      hidden,
      heads,
      headDim,
      feedForward: rest.n_inner ?? 4 * hidden,
      vocabulary: rest.vocab_size,
      context,
      normEpsilon: rest.layer_norm_epsilon,
      activation: ACTIVATIONS[rest.activation_function],
      attentionScales: Array.from({ length: layers }, (_, l) => (rest.scale_attn_by_inverse_layer_idx ? scale / (l + 1) : scale))
    },
    head: rest.tie_word_embeddings ? 'embedding' : 'own'
  }
}

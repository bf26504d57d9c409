import { z } from 'zod'
import { DecoderGraph, type GraphWeights } from '../graph/decoder-graph.ts'
import { gatedFeedForward } from '../graph/feed-forward.ts'
import type { GraphPlan } from '../graph/graph-plan.ts'
import { Context, fields, HeadDim, Layers, Positive, Size } from './definition/config-json.ts'
import type { Family } from './definition/family.ts'
import { ROPE_FIELDS, ROTARY_TENSORS, rotaryFromConfig } from './definition/rope-fields.ts'
import { LLAMA, type LlamaConfig } from './llama.ts'

/**
 * Mistral: Llama whose queries attend only to the last `sliding_window` keys.
 *
 * Source: Jiang et al. 2023 (Mistral 7B), section 2; transformers, models/mistral
 */
export const MISTRAL: Family<MistralConfig> = {
  title: 'Mistral',
  modelTypes: ['mistral'],
  configJson: fields({
    hidden_size: Size,
    num_hidden_layers: Layers,
    num_attention_heads: Size,
    num_key_value_heads: Size.nullable().default(8),
    head_dim: HeadDim.optional(),
    intermediate_size: Size,
    vocab_size: Size,
    max_position_embeddings: Context.default(131_072),
    sliding_window: Size.nullable().default(4096),
    rms_norm_eps: Positive.default(1e-6),
    tie_word_embeddings: z.boolean().default(false),
    ...ROPE_FIELDS,
    hidden_act: z.literal('silu').default('silu')
  }).transform(config => {
    const heads = config.num_attention_heads
    const headDim = config.head_dim ?? Math.floor(config.hidden_size / heads)
    return {
      layers: config.num_hidden_layers,
      hidden: config.hidden_size,
      heads,
      kvHeads: config.num_key_value_heads ?? heads,
      headDim,
      feedForward: config.intermediate_size,
      vocabulary: config.vocab_size,
      context: config.max_position_embeddings,
      window: config.sliding_window,
      rmsEpsilon: config.rms_norm_eps,
      rotary: rotaryFromConfig(config, headDim),
      head: config.tie_word_embeddings ? 'ignored' : 'required'
    }
  }),
  // llama.cpp's converter uses the architecture `llama` for them.
  gguf: null,
  problem: LLAMA.problem,
  tensors: LLAMA.tensors,
  redundantTensors: ROTARY_TENSORS,
  forward
}

export interface MistralConfig extends LlamaConfig {
  /** Number of last keys that a query attends to, its own included; null: all keys before it. */
  readonly window: number | null
}

function forward(config: MistralConfig, weights: GraphWeights): GraphPlan {
  const { layers, heads, kvHeads, headDim, window, rmsEpsilon } = config
  const graph = new DecoderGraph(config, weights)
  const rotary = graph.rotary(config.rotary, config.context)
  graph.add(graph.tokenEmbedding()) // [B,S,E]

  for (let l = 0; l < layers; l++) {
    const layer = `layers.${l}`
    const attentionIn = graph.rmsNorm(`${layer}.attention_norm`, rmsEpsilon) // [B,S,E]
    graph.scaleQueries(`${layer}.query`, heads * headDim, 1 / Math.sqrt(headDim))
    const qkv = graph.linear(`${layer}.qkv`, attentionIn, [`${layer}.query`, `${layer}.key`, `${layer}.value`]) // [B,S,(N+2KV)H]
    const attended = graph.attention(l, { query: qkv }, { heads, kvHeads, headDim, rotary, window }) // [B,S,NH]
    graph.add(graph.linear(`${layer}.attention_output`, attended)) // [B,S,E]

    const feedForwardIn = graph.rmsNorm(`${layer}.feed_forward_norm`, rmsEpsilon) // [B,S,E]
    graph.add(gatedFeedForward(graph, layer, feedForwardIn)) // [B,S,E]
  }

  return graph.finish('mistral', graph.rmsNorm('output_norm', rmsEpsilon)) // [R,V]
}

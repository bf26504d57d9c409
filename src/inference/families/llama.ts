import { z } from 'zod'
import { DecoderGraph, type GraphWeights } from '../graph/decoder-graph.ts'
import { gatedFeedForward } from '../graph/feed-forward.ts'
import type { GraphPlan } from '../graph/graph-plan.ts'
import { type RotaryConfig, rotaryProblem } from '../graph/rotary.ts'
import { Context, fields, HeadDim, Layers, Positive, Size } from './definition/config-json.ts'
import type { Family, ModelConfig } from './definition/family.ts'
import { GGUF_MAX, type GgufFields } from './definition/gguf-fields.ts'
import { ROPE_FIELDS, ROTARY_TENSORS, rotaryFromConfig, rotaryFromGguf } from './definition/rope-fields.ts'
import type { Presence, TensorTable } from './definition/tensor-table.ts'

/**
 * Llama: RMS norms, rotary positions, grouped queries, gated feed-forward.
 *
 * Source: Touvron et al. 2023 (LLaMA), section 2.2; transformers, models/llama; llama.cpp, src/models/llama.cpp
 */
export const LLAMA: Family<LlamaConfig> = {
  title: 'Llama',
  modelTypes: ['llama'],
  configJson: fields({
    hidden_size: Size,
    num_hidden_layers: Layers,
    num_attention_heads: Size,
    num_key_value_heads: Size.optional(),
    head_dim: HeadDim.optional(),
    intermediate_size: Size,
    vocab_size: Size,
    max_position_embeddings: Context.default(2048),
    rms_norm_eps: Positive.default(1e-6),
    tie_word_embeddings: z.boolean().default(false),
    ...ROPE_FIELDS,
    hidden_act: z.literal('silu').default('silu'),
    attention_bias: z.literal(false).default(false),
    mlp_bias: z.literal(false).default(false)
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
      rmsEpsilon: config.rms_norm_eps,
      rotary: rotaryFromConfig(config, headDim),
      head: config.tie_word_embeddings ? 'ignored' : 'required'
    }
  }),
  gguf: { architecture: 'llama', read },
  problem({ heads, kvHeads, headDim, context, rotary }) {
    if (heads % kvHeads !== 0) return `${heads} heads are no multiple of ${kvHeads} key/value heads`
    return rotaryProblem(headDim, context, rotary)
  },
  tensors,
  redundantTensors: ROTARY_TENSORS,
  forward
}

export interface LlamaConfig extends ModelConfig {
  readonly hidden: number
  readonly heads: number
  readonly feedForward: number
  readonly rmsEpsilon: number
  readonly rotary: RotaryConfig
  /** A separate matrix for logits; without it the embedding is used. */
  readonly head: Presence
}

async function read(gguf: GgufFields): Promise<LlamaConfig> {
  if (gguf.number('expert_count', 0) > 0) {
    gguf.fail('expert_count', `is ${gguf.number('expert_count')}: mixtures of experts are not supported`)
  }
  const hidden = gguf.int('embedding_length', GGUF_MAX.size)
  const heads = gguf.int('attention.head_count', GGUF_MAX.size)
  const headDim = gguf.headDim(hidden / heads)
  return {
    layers: gguf.int('block_count', GGUF_MAX.layers),
    hidden,
    heads,
    kvHeads: gguf.int('attention.head_count_kv', GGUF_MAX.size, heads),
    headDim,
    feedForward: gguf.int('feed_forward_length', GGUF_MAX.size),
    vocabulary: gguf.vocabulary(),
    context: gguf.int('context_length', GGUF_MAX.context),
    rmsEpsilon: gguf.positive('attention.layer_norm_rms_epsilon'),
    rotary: await rotaryFromGguf(gguf, headDim),
    head: 'optional'
  }
}

function tensors({ hidden, heads, kvHeads, headDim, feedForward, vocabulary, head, rotary }: LlamaConfig): TensorTable {
  const [queries, keys] = [heads * headDim, kvHeads * headDim]
  // llama.cpp's converter reorders the rows of queries and keys into pairs.
  const order = { gguf: { kind: 'rotary-pairs', headDim, dims: rotary.dims } } as const
  return {
    embedding: { shape: [vocabulary, hidden], hub: 'model.embed_tokens' },
    'layers.{l}.attention_norm': { shape: [1, hidden], hub: 'model.layers.{l}.input_layernorm' },
    'layers.{l}.query': { shape: [queries, hidden], hub: 'model.layers.{l}.self_attn.q_proj', bias: 'optional', order },
    'layers.{l}.key': { shape: [keys, hidden], hub: 'model.layers.{l}.self_attn.k_proj', bias: 'optional', order },
    'layers.{l}.value': { shape: [keys, hidden], hub: 'model.layers.{l}.self_attn.v_proj', bias: 'optional' },
    'layers.{l}.attention_output': { shape: [hidden, queries], hub: 'model.layers.{l}.self_attn.o_proj' },
    'layers.{l}.feed_forward_norm': { shape: [1, hidden], hub: 'model.layers.{l}.post_attention_layernorm' },
    'layers.{l}.gate': { shape: [feedForward, hidden], hub: 'model.layers.{l}.mlp.gate_proj' },
    'layers.{l}.up': { shape: [feedForward, hidden], hub: 'model.layers.{l}.mlp.up_proj' },
    'layers.{l}.down': { shape: [hidden, feedForward], hub: 'model.layers.{l}.mlp.down_proj' },
    output_norm: { shape: [1, hidden], hub: 'model.norm' },
    head: { shape: [vocabulary, hidden], hub: 'lm_head', presence: head }
  }
}

function forward(config: LlamaConfig, weights: GraphWeights): GraphPlan {
  const { layers, heads, kvHeads, headDim, rmsEpsilon } = config
  const graph = new DecoderGraph(config, weights)
  const rotary = graph.rotary(config.rotary, config.context)
  graph.add(graph.tokenEmbedding()) // [B,S,E]

  for (let l = 0; l < layers; l++) {
    const layer = `layers.${l}`
    const attentionIn = graph.rmsNorm(`${layer}.attention_norm`, rmsEpsilon) // [B,S,E]
    graph.scaleQueries(`${layer}.query`, heads * headDim, 1 / Math.sqrt(headDim))
    const qkv = graph.linear(`${layer}.qkv`, attentionIn, [`${layer}.query`, `${layer}.key`, `${layer}.value`]) // [B,S,(N+2KV)H]
    const attended = graph.attention(l, { query: qkv }, { heads, kvHeads, headDim, rotary }) // [B,S,NH]
    graph.add(graph.linear(`${layer}.attention_output`, attended)) // [B,S,E]

    const feedForwardIn = graph.rmsNorm(`${layer}.feed_forward_norm`, rmsEpsilon) // [B,S,E]
    graph.add(gatedFeedForward(graph, layer, feedForwardIn)) // [B,S,E]
  }

  return graph.finish('llama', graph.rmsNorm('output_norm', rmsEpsilon)) // [R,V]
}

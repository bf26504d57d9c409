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
 * Qwen3: Llama with an RMS norm for each head of queries and keys before they are rotated.
 *
 * Source: Yang et al. 2025 (Qwen3 Technical Report), section 2; transformers, models/qwen3; llama.cpp,
 * src/models/qwen3.cpp
 */
export const QWEN3: Family<Qwen3Config> = {
  title: 'Qwen3',
  modelTypes: ['qwen3'],
  configJson: fields({
    hidden_size: Size,
    num_hidden_layers: Layers,
    num_attention_heads: Size,
    num_key_value_heads: Size.nullable().default(32),
    head_dim: HeadDim.default(128),
    intermediate_size: Size,
    vocab_size: Size,
    max_position_embeddings: Context.default(32_768),
    rms_norm_eps: Positive.default(1e-6),
    tie_word_embeddings: z.boolean().default(false),
    ...ROPE_FIELDS,
    hidden_act: z.literal('silu').default('silu'),
    attention_bias: z.literal(false).default(false),
    use_sliding_window: z.literal(false).default(false)
  }).transform(config => ({
    layers: config.num_hidden_layers,
    hidden: config.hidden_size,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headDim: config.head_dim,
    feedForward: config.intermediate_size,
    vocabulary: config.vocab_size,
    context: config.max_position_embeddings,
    rmsEpsilon: config.rms_norm_eps,
    rotary: rotaryFromConfig(config, config.head_dim),
    head: config.tie_word_embeddings ? 'ignored' : 'required'
  })),
  gguf: { architecture: 'qwen3', read },
  problem({ heads, kvHeads, headDim, context, rotary }) {
    if (heads % kvHeads !== 0) return `${heads} heads are no multiple of ${kvHeads} key/value heads`
    return rotaryProblem(headDim, context, rotary)
  },
  tensors,
  redundantTensors: ROTARY_TENSORS,
  forward
}

export interface Qwen3Config extends ModelConfig {
  readonly hidden: number
  readonly heads: number
  readonly feedForward: number
  readonly rmsEpsilon: number
  readonly rotary: RotaryConfig
  /** A separate matrix for logits; without it the embedding is used. */
  readonly head: Presence
}

async function read(gguf: GgufFields): Promise<Qwen3Config> {
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

function tensors({ hidden, heads, kvHeads, headDim, feedForward, vocabulary, head }: Qwen3Config): TensorTable {
  const [queries, keys] = [heads * headDim, kvHeads * headDim]
  return {
    embedding: { shape: [vocabulary, hidden], hub: 'model.embed_tokens' },
    'layers.{l}.attention_norm': { shape: [1, hidden], hub: 'model.layers.{l}.input_layernorm' },
    'layers.{l}.query': { shape: [queries, hidden], hub: 'model.layers.{l}.self_attn.q_proj' },
    'layers.{l}.query_norm': { shape: [1, headDim], hub: 'model.layers.{l}.self_attn.q_norm' },
    'layers.{l}.key': { shape: [keys, hidden], hub: 'model.layers.{l}.self_attn.k_proj' },
    'layers.{l}.key_norm': { shape: [1, headDim], hub: 'model.layers.{l}.self_attn.k_norm' },
    'layers.{l}.value': { shape: [keys, hidden], hub: 'model.layers.{l}.self_attn.v_proj' },
    'layers.{l}.attention_output': { shape: [hidden, queries], hub: 'model.layers.{l}.self_attn.o_proj' },
    'layers.{l}.feed_forward_norm': { shape: [1, hidden], hub: 'model.layers.{l}.post_attention_layernorm' },
    'layers.{l}.gate': { shape: [feedForward, hidden], hub: 'model.layers.{l}.mlp.gate_proj' },
    'layers.{l}.up': { shape: [feedForward, hidden], hub: 'model.layers.{l}.mlp.up_proj' },
    'layers.{l}.down': { shape: [hidden, feedForward], hub: 'model.layers.{l}.mlp.down_proj' },
    output_norm: { shape: [1, hidden], hub: 'model.norm' },
    head: { shape: [vocabulary, hidden], hub: 'lm_head', presence: head }
  }
}

function forward(config: Qwen3Config, weights: GraphWeights): GraphPlan {
  const { layers, heads, kvHeads, headDim, rmsEpsilon } = config
  const graph = new DecoderGraph(config, weights)
  const rotary = graph.rotary(config.rotary, config.context)
  graph.add(graph.tokenEmbedding()) // [B,S,E]

  for (let l = 0; l < layers; l++) {
    const layer = `layers.${l}`
    const attentionIn = graph.rmsNorm(`${layer}.attention_norm`, rmsEpsilon) // [B,S,E]
    const queries = graph.linear(`${layer}.query`, attentionIn) // [B,S,NH]
    const keys = graph.linear(`${layer}.key`, attentionIn) // [B,S,KV×H]
    const value = graph.linear(`${layer}.value`, attentionIn) // [B,S,KV×H]
    graph.scaleQueries(`${layer}.query_norm`, 1, 1 / Math.sqrt(headDim))
    const query = graph.headNorm(`${layer}.query_norm`, queries, headDim, rmsEpsilon) // [B,S,NH]
    const key = graph.headNorm(`${layer}.key_norm`, keys, headDim, rmsEpsilon) // [B,S,KV×H]
    const attended = graph.attention(l, { query, key, value }, { heads, kvHeads, headDim, rotary }) // [B,S,NH]
    graph.add(graph.linear(`${layer}.attention_output`, attended)) // [B,S,E]

    const feedForwardIn = graph.rmsNorm(`${layer}.feed_forward_norm`, rmsEpsilon) // [B,S,E]
    graph.add(gatedFeedForward(graph, layer, feedForwardIn)) // [B,S,E]
  }

  return graph.finish('qwen3', graph.rmsNorm('output_norm', rmsEpsilon)) // [R,V]
}

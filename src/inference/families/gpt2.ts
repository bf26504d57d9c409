import { z } from 'zod'
import { DecoderGraph, type GraphWeights } from '../graph/decoder-graph.ts'
import { type Activation, feedForward } from '../graph/feed-forward.ts'
import type { GraphPlan } from '../graph/graph-plan.ts'
import { Context, fields, Layers, Positive, Size } from './definition/config-json.ts'
import type { Family, ModelConfig } from './definition/family.ts'
import { GGUF_MAX, type GgufFields } from './definition/gguf-fields.ts'
import type { Presence, TensorTable } from './definition/tensor-table.ts'

/** Names in transformers' `ACT2FN`. */
const ACTIVATIONS = { gelu_new: 'gelu-tanh', gelu_pytorch_tanh: 'gelu-tanh', gelu_fast: 'gelu-tanh', gelu: 'gelu' } as const

/**
 * GPT-2: layer norms before each block, learned positions, biases everywhere.
 *
 * Source: Radford et al. 2019, section 2.3; transformers, models/gpt2; llama.cpp, src/models/gpt2.cpp
 */
export const GPT2: Family<Gpt2Config> = {
  title: 'GPT-2',
  modelTypes: ['gpt2'],
  configJson: fields(
    {
      n_embd: Size,
      n_layer: Layers,
      n_head: Size,
      n_positions: Context,
      n_inner: Size.optional(),
      vocab_size: Size,
      layer_norm_epsilon: Positive.default(1e-5),
      activation_function: z.enum(['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast', 'gelu']).default('gelu_new'),
      scale_attn_weights: z.boolean().default(true),
      scale_attn_by_inverse_layer_idx: z.boolean().default(false),
      tie_word_embeddings: z.boolean().default(true),
      add_cross_attention: z.literal(false).default(false)
    },
    // Before transformers 4, `n_ctx` was used besides or instead of `n_positions`.
    {
      n_embd: ['hidden_size'],
      n_layer: ['num_hidden_layers'],
      n_head: ['num_attention_heads'],
      n_positions: ['max_position_embeddings', 'n_ctx']
    }
  ).transform(config => {
    const [layers, heads] = [config.n_layer, config.n_head]
    const headDim = config.n_embd / heads
    const scale = config.scale_attn_weights ? 1 / Math.sqrt(headDim) : 1
    return {
      layers,
      hidden: config.n_embd,
      heads,
      kvHeads: heads,
      headDim,
      feedForward: config.n_inner ?? 4 * config.n_embd,
      vocabulary: config.vocab_size,
      context: config.n_positions,
      normEpsilon: config.layer_norm_epsilon,
      activation: ACTIVATIONS[config.activation_function],
      attentionScales: Array.from({ length: layers }, (_, l) => (config.scale_attn_by_inverse_layer_idx ? scale / (l + 1) : scale)),
      head: config.tie_word_embeddings ? 'ignored' : 'required'
    }
  }),
  gguf: { architecture: 'gpt2', read },
  problem({ hidden, heads, headDim }) {
    if (hidden % heads !== 0) return `${hidden} hidden dimensions are no multiple of ${heads} heads`
    return headDim % 8 === 0 ? null : `heads have ${headDim} dimensions, must be a multiple of 8`
  },
  tensors,
  /** Causal masks, which old checkpoints contain besides the weights. */
  redundantTensors: /\.attn\.(masked_)?bias$/,
  optionalPrefix: 'transformer.',
  forward
}

export interface Gpt2Config extends ModelConfig {
  readonly hidden: number
  readonly heads: number
  readonly feedForward: number
  readonly normEpsilon: number
  readonly activation: Activation
  /** Factor of queries × keys, one per layer. */
  readonly attentionScales: readonly number[]
  /** A separate matrix for logits; without it the embedding is used. */
  readonly head: Presence
}

function read(gguf: GgufFields): Gpt2Config {
  const layers = gguf.int('block_count', GGUF_MAX.layers)
  const hidden = gguf.int('embedding_length', GGUF_MAX.size)
  const heads = gguf.int('attention.head_count', GGUF_MAX.size)
  const headDim = hidden / heads
  return {
    layers,
    hidden,
    heads,
    kvHeads: heads,
    headDim,
    feedForward: gguf.int('feed_forward_length', GGUF_MAX.size),
    vocabulary: gguf.vocabulary(),
    context: gguf.int('context_length', GGUF_MAX.context),
    normEpsilon: gguf.positive('attention.layer_norm_epsilon'),
    activation: 'gelu-tanh',
    attentionScales: Array.from({ length: layers }, () => 1 / Math.sqrt(headDim)),
    head: 'optional'
  }
}

function tensors({ hidden, vocabulary, context, feedForward: inner, head }: Gpt2Config): TensorTable {
  // transformers' `Conv1D` stores matrices transposed, as the TensorFlow original did.
  const order = { hub: { kind: 'transposed' } } as const
  const bias = 'required'
  return {
    embedding: { shape: [vocabulary, hidden], hub: 'transformer.wte' },
    positions: { shape: [context, hidden], hub: 'transformer.wpe' },
    'layers.{l}.attention_norm': { shape: [1, hidden], hub: 'transformer.h.{l}.ln_1', bias },
    'layers.{l}.qkv': { shape: [3 * hidden, hidden], hub: 'transformer.h.{l}.attn.c_attn', bias, order },
    'layers.{l}.attention_output': { shape: [hidden, hidden], hub: 'transformer.h.{l}.attn.c_proj', bias, order },
    'layers.{l}.feed_forward_norm': { shape: [1, hidden], hub: 'transformer.h.{l}.ln_2', bias },
    'layers.{l}.up': { shape: [inner, hidden], hub: 'transformer.h.{l}.mlp.c_fc', bias, order },
    'layers.{l}.down': { shape: [hidden, inner], hub: 'transformer.h.{l}.mlp.c_proj', bias, order },
    output_norm: { shape: [1, hidden], hub: 'transformer.ln_f', bias },
    head: { shape: [vocabulary, hidden], hub: 'lm_head', presence: head }
  }
}

function forward(config: Gpt2Config, weights: GraphWeights): GraphPlan {
  const { layers, hidden, heads, kvHeads, headDim, normEpsilon, activation, attentionScales } = config
  const graph = new DecoderGraph(config, weights, 'learned')
  graph.add(graph.tokenEmbedding()) // [B,S,E]
  graph.add(graph.positionEmbedding()) // [B,S,E]

  for (let l = 0; l < layers; l++) {
    const layer = `layers.${l}`
    const attentionIn = graph.layerNorm(`${layer}.attention_norm`, normEpsilon) // [B,S,E]
    graph.scaleQueries(`${layer}.qkv`, hidden, attentionScales[l] ?? 1)
    const qkv = graph.linear(`${layer}.qkv`, attentionIn) // [B,S,3E]
    const attended = graph.attention(l, { query: qkv }, { heads, kvHeads, headDim }) // [B,S,E]
    graph.add(graph.linear(`${layer}.attention_output`, attended)) // [B,S,E]

    const feedForwardIn = graph.layerNorm(`${layer}.feed_forward_norm`, normEpsilon) // [B,S,E]
    graph.add(feedForward(graph, layer, feedForwardIn, activation)) // [B,S,E]
  }

  return graph.finish('gpt2', graph.layerNorm('output_norm', normEpsilon)) // [R,V]
}

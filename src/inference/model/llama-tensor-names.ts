/** How a file format names a Llama's tensors, and in which order it keeps the rows of queries and keys. */
export interface LlamaTensorNames {
  readonly embedding: string
  readonly outputNorm: string
  readonly head: string
  /** What stands before a layer's own names. */
  readonly layer: (index: number) => string
  readonly parts: Readonly<Record<LlamaPart, string>>
  /**
   * `halves`: a rotated pair is (i, i + dims / 2), as in the published checkpoints and in our graph.
   * `pairs`: it is (2i, 2i + 1), as llama.cpp's converter arranges them.
   */
  readonly rotaryOrder: 'halves' | 'pairs'
}

/** Parts of a layer under our own names. */
export const LLAMA_PARTS = [
  'attention_norm',
  'query',
  'query.bias',
  'key',
  'key.bias',
  'value',
  'value.bias',
  'attention_output',
  'feed_forward_norm',
  'gate',
  'up',
  'down'
] as const
export type LlamaPart = (typeof LLAMA_PARTS)[number]

/** Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Standardized tensor names" */
export const GGUF_NAMES: LlamaTensorNames = {
  embedding: 'token_embd.weight',
  outputNorm: 'output_norm.weight',
  head: 'output.weight',
  layer: index => `blk.${index}.`,
  parts: {
    attention_norm: 'attn_norm.weight',
    query: 'attn_q.weight',
    'query.bias': 'attn_q.bias',
    key: 'attn_k.weight',
    'key.bias': 'attn_k.bias',
    value: 'attn_v.weight',
    'value.bias': 'attn_v.bias',
    attention_output: 'attn_output.weight',
    feed_forward_norm: 'ffn_norm.weight',
    gate: 'ffn_gate.weight',
    up: 'ffn_up.weight',
    down: 'ffn_down.weight'
  },
  rotaryOrder: 'pairs'
}

/** Source: transformers, models/llama/modeling_llama.py */
export const CHECKPOINT_NAMES: LlamaTensorNames = {
  embedding: 'model.embed_tokens.weight',
  outputNorm: 'model.norm.weight',
  head: 'lm_head.weight',
  layer: index => `model.layers.${index}.`,
  parts: {
    attention_norm: 'input_layernorm.weight',
    query: 'self_attn.q_proj.weight',
    'query.bias': 'self_attn.q_proj.bias',
    key: 'self_attn.k_proj.weight',
    'key.bias': 'self_attn.k_proj.bias',
    value: 'self_attn.v_proj.weight',
    'value.bias': 'self_attn.v_proj.bias',
    attention_output: 'self_attn.o_proj.weight',
    feed_forward_norm: 'post_attention_layernorm.weight',
    gate: 'mlp.gate_proj.weight',
    up: 'mlp.up_proj.weight',
    down: 'mlp.down_proj.weight'
  },
  rotaryOrder: 'halves'
}

import type { Conversion } from './convert.ts'

/** By fixture. Source: llama.cpp, gguf-py/gguf/tensor_mapping.py and constants.py */
export const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  gpt2: {
    layer: 'transformer.h.',
    names: {
      'transformer.wte': 'token_embd',
      'transformer.wpe': 'position_embd',
      'transformer.ln_f': 'output_norm',
      ln_1: 'attn_norm',
      'attn.c_attn': 'attn_qkv',
      'attn.c_proj': 'attn_output',
      ln_2: 'ffn_norm',
      'mlp.c_fc': 'ffn_up',
      'mlp.c_proj': 'ffn_down'
    },
    transposed: /\.c_(attn|proj|fc)\.weight$/,
    metadata: [
      { key: 'general.architecture', string: 'gpt2' },
      { key: 'gpt2.block_count', u32: 2 },
      { key: 'gpt2.context_length', u32: 64 },
      { key: 'gpt2.embedding_length', u32: 32 },
      { key: 'gpt2.feed_forward_length', u32: 128 },
      { key: 'gpt2.attention.head_count', u32: 4 },
      { key: 'gpt2.attention.layer_norm_epsilon', f32: 1e-5 }
    ]
  },
  qwen3: {
    layer: 'model.layers.',
    names: {
      'model.embed_tokens': 'token_embd',
      'model.norm': 'output_norm',
      input_layernorm: 'attn_norm',
      'self_attn.q_proj': 'attn_q',
      'self_attn.q_norm': 'attn_q_norm',
      'self_attn.k_proj': 'attn_k',
      'self_attn.k_norm': 'attn_k_norm',
      'self_attn.v_proj': 'attn_v',
      'self_attn.o_proj': 'attn_output',
      post_attention_layernorm: 'ffn_norm',
      'mlp.gate_proj': 'ffn_gate',
      'mlp.up_proj': 'ffn_up',
      'mlp.down_proj': 'ffn_down'
    },
    metadata: [
      { key: 'general.architecture', string: 'qwen3' },
      { key: 'qwen3.block_count', u32: 2 },
      { key: 'qwen3.context_length', u32: 64 },
      { key: 'qwen3.embedding_length', u32: 32 },
      { key: 'qwen3.feed_forward_length', u32: 64 },
      { key: 'qwen3.attention.head_count', u32: 4 },
      { key: 'qwen3.attention.head_count_kv', u32: 2 },
      { key: 'qwen3.attention.key_length', u32: 16 },
      { key: 'qwen3.attention.value_length', u32: 16 },
      { key: 'qwen3.attention.layer_norm_rms_epsilon', f32: 1e-6 },
      { key: 'qwen3.rope.freq_base', f32: 10_000 }
    ]
  }
}

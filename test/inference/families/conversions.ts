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
  }
}

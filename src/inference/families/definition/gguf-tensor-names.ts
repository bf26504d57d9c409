/**
 * GGUF's name of each tensor of a graph, without `.weight`.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Standardized tensor names"; llama.cpp,
 * gguf-py/gguf/constants.py, `TENSOR_NAMES`
 */
export const STANDARD_GGUF_NAMES: Readonly<Record<string, string>> = {
  embedding: 'token_embd',
  positions: 'position_embd',
  output_norm: 'output_norm',
  head: 'output',
  'layers.{l}.attention_norm': 'blk.{l}.attn_norm',
  'layers.{l}.qkv': 'blk.{l}.attn_qkv',
  'layers.{l}.query': 'blk.{l}.attn_q',
  'layers.{l}.query_norm': 'blk.{l}.attn_q_norm',
  'layers.{l}.key': 'blk.{l}.attn_k',
  'layers.{l}.key_norm': 'blk.{l}.attn_k_norm',
  'layers.{l}.value': 'blk.{l}.attn_v',
  'layers.{l}.attention_output': 'blk.{l}.attn_output',
  'layers.{l}.feed_forward_norm': 'blk.{l}.ffn_norm',
  'layers.{l}.gate': 'blk.{l}.ffn_gate',
  'layers.{l}.up': 'blk.{l}.ffn_up',
  'layers.{l}.down': 'blk.{l}.ffn_down'
}

import type { TensorFile } from '../weights/tensor-file.ts'

/** How a file format names a GPT-2's tensors. Of names without an ending there are two tensors: `.weight` and `.bias`. */
export interface Gpt2TensorNames {
  readonly embedding: string
  readonly positions: string
  readonly outputNorm: string
  readonly head: string
  /** What stands before a layer's own names. */
  readonly layer: (index: number) => string
  readonly parts: Readonly<Record<Gpt2Part, string>>
  /** Linear maps are kept as [inputs, outputs]: `Conv1D` of transformers, from the TensorFlow original. */
  readonly transposed: boolean
}

/** Parts of a layer under our own names; each has a weight and a bias. */
export const GPT2_PARTS = ['attention_norm', 'qkv', 'attention_output', 'feed_forward_norm', 'up', 'down'] as const
export type Gpt2Part = (typeof GPT2_PARTS)[number]

/**
 * The published checkpoints are saved from the bare model, others from the model with its head: `transformer.` stands before all names.
 * Source: transformers, models/gpt2/modeling_gpt2.py
 */
export function checkpointGpt2Names(file: TensorFile): Gpt2TensorNames {
  const prefix = file.tensors.has('transformer.wte.weight') ? 'transformer.' : ''
  return {
    embedding: `${prefix}wte.weight`,
    positions: `${prefix}wpe.weight`,
    outputNorm: `${prefix}ln_f`,
    head: 'lm_head.weight',
    layer: index => `${prefix}h.${index}.`,
    parts: {
      attention_norm: 'ln_1',
      qkv: 'attn.c_attn',
      attention_output: 'attn.c_proj',
      feed_forward_norm: 'ln_2',
      up: 'mlp.c_fc',
      down: 'mlp.c_proj'
    },
    transposed: true
  }
}

/** Source: llama.cpp, gguf-py/gguf/constants.py, `MODEL_TENSORS[MODEL_ARCH.GPT2]` */
export const GGUF_GPT2_NAMES: Gpt2TensorNames = {
  embedding: 'token_embd.weight',
  positions: 'position_embd.weight',
  outputNorm: 'output_norm',
  head: 'output.weight',
  layer: index => `blk.${index}.`,
  parts: {
    attention_norm: 'attn_norm',
    qkv: 'attn_qkv',
    attention_output: 'attn_output',
    feed_forward_norm: 'ffn_norm',
    up: 'ffn_up',
    down: 'ffn_down'
  },
  transposed: false
}

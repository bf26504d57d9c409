import type { LlamaConfig } from '../../../src/inference/families/llama.ts'
import type { WeightSource } from '../../../src/inference/graph/weight-source.ts'
import { type Extra, TINY_LLAMA, tinyWeights } from '../graph/tiny-llama.ts'
import { type MetadataEntry, type TensorEntry, writeGguf } from '../weights/write-gguf.ts'

export interface TinyGguf {
  readonly config?: LlamaConfig
  readonly extras?: readonly Extra[]
  /** Type of the matrices; vectors are always F32. Both represent the weights of `tinyWeights` exactly. */
  readonly type?: 'F32' | 'Q8_0'
  /** Entries that are added to the metadata, or replace entries with the same key. */
  readonly metadata?: readonly MetadataEntry[]
  /** Name in the graph of a matrix to omit. */
  readonly without?: string
}

const TYPE_IDS = { F32: 0, Q8_0: 8 } as const
/** 1/256 as float16. */
const SCALE_BITS = 0x1c00

/** Writes the tiny Llama of the graph tests as a GGUF file, rows of queries and keys in GGUF's order. */
export async function writeTinyGguf(path: string, options: TinyGguf = {}): Promise<void> {
  const { config = TINY_LLAMA, extras = [], type = 'F32', metadata = [], without } = options
  const source = tinyWeights(config, extras)
  const names = [
    'embedding',
    'output_norm',
    'head',
    ...Array.from({ length: config.layers }, (_, l) =>
      PARTS.flatMap(([part]) => [`layers.${l}.${part}`, `layers.${l}.${part}.bias`])
    ).flat()
  ].filter(name => source.info(name) !== null && name !== without)
  const tensors: TensorEntry[] = []
  for (const name of names) tensors.push(await toTensor(name, source, config, type))
  if (config.rotary.frequencyDivisors !== null) {
    const values = Float32Array.from(config.rotary.frequencyDivisors)
    tensors.push({ name: 'rope_freqs.weight', shape: [values.length], typeId: TYPE_IDS.F32, bytes: new Uint8Array(values.buffer) })
  }
  const entries = new Map([...toMetadata(config), ...metadata].map(entry => [entry.key, entry]))
  await writeGguf(path, [...entries.values()], tensors)
}

/** Names of a layer's parts: in the graph, and in GGUF. */
const PARTS: readonly (readonly [ours: string, theirs: string])[] = [
  ['attention_norm', 'attn_norm'],
  ['query', 'attn_q'],
  ['key', 'attn_k'],
  ['value', 'attn_v'],
  ['attention_output', 'attn_output'],
  ['feed_forward_norm', 'ffn_norm'],
  ['gate', 'ffn_gate'],
  ['up', 'ffn_up'],
  ['down', 'ffn_down']
]

function toMetadata(config: LlamaConfig): MetadataEntry[] {
  return [
    { key: 'general.architecture', string: 'llama' },
    { key: 'llama.block_count', u32: config.layers },
    { key: 'llama.context_length', u32: config.context },
    { key: 'llama.embedding_length', u32: config.hidden },
    { key: 'llama.feed_forward_length', u32: config.feedForward },
    { key: 'llama.attention.head_count', u32: config.heads },
    { key: 'llama.attention.head_count_kv', u32: config.kvHeads },
    { key: 'llama.attention.layer_norm_rms_epsilon', f32: config.rmsEpsilon },
    { key: 'llama.rope.dimension_count', u32: config.rotary.dims },
    { key: 'llama.rope.freq_base', f32: config.rotary.theta }
  ]
}

async function toTensor(name: string, source: WeightSource, config: LlamaConfig, type: 'F32' | 'Q8_0'): Promise<TensorEntry> {
  const { rows, columns } = source.info(name) ?? { rows: 0, columns: 0 }
  const values = await source.float32(name, 0, rows)
  const stored = /\.(query|key)(\.bias)?$/.test(name) ? interleave(values, columns, config.headDim) : values
  const isVector = rows === 1 || columns === 1
  const shape = isVector ? [rows * columns] : [rows, columns]
  const kind = isVector ? 'F32' : type
  const bytes = kind === 'F32' ? new Uint8Array(stored.buffer) : toQ8(stored)
  return { name: toGgufName(name), shape, typeId: TYPE_IDS[kind], bytes }
}

function toGgufName(name: string): string {
  if (name === 'embedding') return 'token_embd.weight'
  if (name === 'output_norm') return 'output_norm.weight'
  if (name === 'head') return 'output.weight'
  const [, layer, part, bias] = name.split('.')
  return `blk.${layer}.${new Map(PARTS).get(part ?? '')}.${bias ?? 'weight'}`
}

/**
 * Reorders the rows of each head from halves to pairs, as llama.cpp's converter does: reshape(heads, 2, headDim / 2),
 * then swap the last two dimensions.
 */
function interleave(values: Float32Array, columns: number, headDim: number): Float32Array {
  const out = new Float32Array(values.length)
  const half = headDim / 2
  for (let row = 0; row < values.length / columns; row++) {
    const [head, part, i] = [Math.floor(row / headDim), Math.floor((row % headDim) / half), row % half]
    out.set(values.subarray(row * columns, (row + 1) * columns), (head * headDim + 2 * i + part) * columns)
  }
  return out
}

function toQ8(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array((values.length / 32) * 34)
  for (let block = 0; block < values.length / 32; block++) {
    bytes[block * 34] = SCALE_BITS & 255
    bytes[block * 34 + 1] = SCALE_BITS >> 8
    for (let i = 0; i < 32; i++) bytes[block * 34 + 2 + i] = (values[block * 32 + i] ?? 0) * 256
  }
  return bytes
}

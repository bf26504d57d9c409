import type { CacheType } from '../contract/cache-type.ts'
import { invariant } from '../contract/invariant.ts'
import { GraphBuilder } from './graph-builder.ts'
import type { GraphPlan } from './graph-plan.ts'
import type { Attribute } from './onnx-proto.ts'
import { type RotaryConfig, rotaryTable } from './rotary.ts'
import type { RowQuantization } from './row-quantized.ts'
import { type WeightForm, WeightNodes } from './weight-nodes.ts'
import type { WeightSource } from './weight-source.ts'

const MICROSOFT = 'com.microsoft'

/** The operators of a norm: alone, and fused with the addition before it. */
const NORMS = {
  rms: { alone: 'SimplifiedLayerNormalization', withSum: 'SkipSimplifiedLayerNormalization' },
  layer: { alone: 'LayerNormalization', withSum: 'SkipLayerNormalization' }
} as const

const SIDES = ['key', 'value'] as const

/** GroupQueryAttention's attributes for a cache in 8 bits with one scale for all heads. */
const INT8_CACHE: Readonly<Record<string, Attribute>> = {
  k_quant_type: { string: 'PER_TENSOR' },
  v_quant_type: { string: 'PER_TENSOR' },
  kv_cache_bit_width: { int: 8 }
}

export interface GraphWeights {
  readonly source: Pick<WeightSource, 'info'>
  readonly form: WeightForm
  /**
   * Activations whose products are computed in 8 bits row by row; `report` adds an output for each activation that may
   * be one: the sum of squares of each of its channels.
   */
  readonly activations?: RowQuantization | 'report'
  /** How the cache is stored; without it `f32`. */
  readonly cache?: CacheType
}

export interface DecoderSizes {
  readonly layers: number
  readonly hidden: number
  readonly vocabulary: number
}

export interface AttentionOptions {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Result of `rotary`; without it nothing is rotated. */
  readonly rotary?: readonly string[]
  /** Number of last keys that a query attends to, its own included; null: all keys before it. */
  readonly window?: number | null
}

/**
 * Builds the graph of a decoder from the blocks that all families share. A family calls the methods in the order of its
 * forward pass.
 *
 * Letters: B rows, S new tokens of each, R rows of logits, V vocabulary, E hidden, N heads, KV key/value heads,
 * H head size, F feed-forward, M positions of the cache.
 *
 * Inputs
 * - `input_ids` int64 [B,S]
 * - `position_ids` int64 [B,S]: each token's position in its row; only with learned positions
 * - `seqlens_k` int32 [B]: positions of the row after this run, minus 1
 * - `total_sequence_length` int32 [1]: the largest number of positions after this run. S = total means that there is no
 *   past: the cache is not read
 * - `logit_indices` int64 [R]: indexes into the B × S positions, row-major
 * - `past_key_values.{l}.key` and `.value` float32 or int8 [B,KV,M,H]: bind `present` to the same memory
 * - `cache_scale.{l}.key` and `.value` float32 [1]: what 1 stands for in an int8 cache; absent without one
 *
 * Outputs
 * - `logits` float32 [R,V]
 * - `present.{l}.key` and `.value`, as `past_key_values`
 *
 * With S > 1 and a past, B must be 1. No run may have B = 0.
 *
 * Source: ONNX Runtime, docs/ContribOperators.md.
 */
export class DecoderGraph {
  readonly nodes = new GraphBuilder()
  readonly #weights: WeightNodes
  readonly #cache: CacheType
  readonly #sizes: DecoderSizes
  readonly #ids: string
  readonly #positions: string | null
  readonly #lengths: string
  readonly #total: string
  readonly #logitIndices: string
  /** Activations with an output of their own; null if none is to have one. */
  #reported: Set<string> | null
  #residual = ''
  /** Output of the last block, which the next norm adds to the residual. */
  #branch: string | null = null

  constructor(sizes: DecoderSizes, { source, form, activations, cache = 'f32' }: GraphWeights, positions: 'learned' | 'none' = 'none') {
    this.#sizes = sizes
    this.#weights = new WeightNodes(this.nodes, source, form, activations === 'report' ? undefined : activations)
    this.#reported = activations === 'report' ? new Set() : null
    this.#cache = cache
    this.#ids = this.nodes.input('input_ids', 'int64', ['B', 'S'])
    this.#positions = positions === 'learned' ? this.nodes.input('position_ids', 'int64', ['B', 'S']) : null
    this.#lengths = this.nodes.input('seqlens_k', 'int32', ['B'])
    this.#total = this.nodes.input('total_sequence_length', 'int32', [1])
    this.#logitIndices = this.nodes.input('logit_indices', 'int64', ['R'])
  }

  /** Adds the tables of cosines and sines for all positions, as `attention` takes them in `rotary`. */
  rotary(rotary: RotaryConfig, context: number): readonly string[] {
    const table = rotaryTable(rotary, context)
    return (['cos', 'sin'] as const).map(name => {
      const values = table[name]
      const offset = this.nodes.weight(`rotary.${name}`, 'float32', [context, rotary.dims / 2])
      this.nodes.fill({ kind: 'bytes', offset, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) })
      return `rotary.${name}`
    })
  }

  /** Rows of the matrix `embedding`, by token: [B,S,E] */
  tokenEmbedding(): string {
    return this.#weights.embedding('embedding', 'embedding', this.#ids)
  }

  /** Rows of the matrix `positions`, by position, float32 in any weight form: [B,S,E] */
  positionEmbedding(): string {
    invariant(this.#positions !== null, 'the graph has no input of positions')
    return this.#weights.embedding('positions', 'positions', this.#positions, 'float32')
  }

  /** Adds x [B,S,E] to the residual; the first x becomes the residual. */
  add(x: string): void {
    invariant(this.#branch === null, `${x} is added to the residual before a norm has added ${this.#branch}`)
    if (this.#residual === '') this.#residual = x
    else this.#branch = x
  }

  /** RMS norm of the residual: [B,S,E] */
  rmsNorm(name: string, epsilon: number): string {
    return this.#norm(NORMS.rms, name, [this.#weights.vector(`${name}.gamma`, [name])], epsilon)
  }

  /** Layer norm of the residual: [B,S,E] */
  layerNorm(name: string, epsilon: number): string {
    const affine = [this.#weights.vector(`${name}.gamma`, [name]), this.#weights.vector(`${name}.beta`, [`${name}.bias`])]
    return this.#norm(NORMS.layer, name, affine, epsilon)
  }

  #norm({ alone, withSum }: (typeof NORMS)[keyof typeof NORMS], name: string, affine: readonly string[], epsilon: number): string {
    if (this.#branch === null) {
      return this.nodes.node('', alone, name, [this.#residual, ...affine], { axis: { int: -1 }, epsilon: { float: epsilon } })
    }
    const sum = `${name}.residual`
    const inputs = [this.#residual, this.#branch, ...affine]
    this.nodes.nodeWithOutputs(MICROSOFT, withSum, name, inputs, [name, '', '', sum], { epsilon: { float: epsilon } })
    this.#residual = sum
    this.#branch = null
    return name
  }

  /** RMS norm of each head of x [B,S,N×H] separately: [B,S,N×H] */
  headNorm(name: string, x: string, headDim: number, epsilon: number): string {
    const { nodes } = this
    const heads = nodes.node('', 'Reshape', `${name}.heads`, [x, nodes.shape(`${name}.heads.shape`, [0, 0, -1, headDim])]) // [B,S,N,H]
    const gamma = this.#weights.vector(`${name}.gamma`, [name])
    const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
    const normed = nodes.node('', NORMS.rms.alone, `${name}.normed`, [heads, gamma], attributes) // [B,S,N,H]
    return nodes.node('', 'Reshape', name, [normed, nodes.shape(`${name}.shape`, [0, 0, -1])])
  }

  /** Linear map of x [...,inputs] by the concatenation of these matrices, with their biases if any: [...,outputs] */
  linear(name: string, x: string, matrices: readonly string[] = [name]): string {
    const biases = matrices.map(matrix => `${matrix}.bias`).filter(bias => this.#weights.has(bias))
    this.#report(x, matrices)
    return this.#weights.linear(name, x, matrices, biases)
  }

  /** Adds the output `{x}.squares` float32 [K]: the sum of squares of each channel of x over all positions. */
  #report(x: string, [matrix = '']: readonly string[]): void {
    if (this.#reported === null || this.#reported.has(x)) return
    this.#reported.add(x)
    const columns = this.#weights.columns(matrix)
    const flat = this.nodes.node('', 'Reshape', `${x}.rows`, [x, this.nodes.shape(`${x}.rows.shape`, [-1, columns])]) // [B×S,K]
    const name = `${x}.squares`
    this.nodes.node('', 'ReduceSumSquare', name, [flat, this.nodes.shape(`${name}.axes`, [0])], { keepdims: { int: 0 } })
    this.nodes.report({ activation: x, name, values: columns })
  }

  /** Applies attention's scale to the weights of the queries: the first `rows` rows of a matrix and its bias. */
  scaleQueries(matrix: string, rows: number, factor: number): void {
    this.#weights.scaleQueries(matrix, rows, factor)
  }

  /**
   * Attention of layer l with its cache, without a scale: see `scaleQueries`. After the last layer's cache only the
   * positions in `logit_indices` are needed: B×S becomes R, in the result and in the residual.
   *
   * @param query  [B,S,N×H], or concatenated with key and value: [B,S,(N+2KV)×H]
   * @returns [B,S,N×H]
   */
  attention(
    l: number,
    { query, key = '', value = '' }: { query: string; key?: string; value?: string },
    options: AttentionOptions
  ): string {
    const { heads, kvHeads, headDim, rotary = [], window = null } = options
    const name = `layers.${l}.attention`
    const isQuantized = this.#cache === 'int8'
    const element = isQuantized ? 'int8' : 'float32'
    const cache = SIDES.map(side => this.nodes.input(`past_key_values.${l}.${side}`, element, ['B', kvHeads, 'M', headDim]))
    const scales = isQuantized ? SIDES.map(side => this.nodes.input(`cache_scale.${l}.${side}`, 'float32', [1])) : []
    const present = SIDES.map(side => `present.${l}.${side}`)
    for (const side of present) this.nodes.output(side, element, ['B', kvHeads, 'M', headDim])
    const attributes: Record<string, Attribute> = {
      num_heads: { int: heads },
      kv_num_heads: { int: kvHeads },
      do_rotary: { int: rotary.length === 0 ? 0 : 1 },
      ...(rotary.length === 0 ? {} : { rotary_interleaved: { int: 0 } }),
      scale: { float: 1 },
      ...(window === null ? {} : { local_window_size: { int: window } }),
      ...(isQuantized ? INT8_CACHE : {})
    }
    const tables = isQuantized ? [rotary[0] ?? '', rotary[1] ?? '', '', '', ''] : rotary
    const inputs = [query, key, value, ...cache, this.#lengths, this.#total, ...tables, ...scales]
    this.nodes.nodeWithOutputs(MICROSOFT, 'GroupQueryAttention', name, inputs, [name, ...present], attributes)
    if (l < this.#sizes.layers - 1) return name
    this.#weights.beginTail()
    this.#reported = null
    const selected = this.#selectLogitRows(name, heads * headDim)
    this.#residual = this.#selectLogitRows(this.#residual, this.#sizes.hidden)
    return selected
  }

  /** The rows of x [B,S,width] at `logit_indices`: [R,width] */
  #selectLogitRows(x: string, width: number): string {
    const flat = this.nodes.node('', 'Reshape', `${x}.flat`, [x, this.nodes.shape(`${x}.shape`, [-1, width])]) // [B×S,width]
    return this.nodes.node('', 'Gather', `${x}.wanted`, [flat, this.#logitIndices], { axis: { int: 0 } })
  }

  /** Adds the logits [R,V] of x [R,E], by the matrix `head`, or by the embedding where the model has none. */
  finish(name: string, x: string): GraphPlan {
    this.#weights.linear('logits', x, [this.#weights.has('head') ? 'head' : 'embedding'])
    this.nodes.output('logits', 'float32', ['R', this.#sizes.vocabulary])
    return this.nodes.finish(name)
  }
}

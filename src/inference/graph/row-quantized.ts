import type { GraphBuilder } from './graph-builder.ts'

const MICROSOFT = 'com.microsoft'

/** Input channels that stay in float32, by the name of the activation: the same for all matrices that read it. */
export type ExactChannels = ReadonlyMap<string, readonly number[]>

/** The form of products whose activations and weights have 8 bits. */
export interface RowQuantization {
  readonly exactChannels: ExactChannels
  /** Element type of the weights. Both give the same products, where the processor adds them without saturation. */
  readonly codes: 'int8' | 'uint8'
}

/** An activation x [..., K] as the nodes of `multiply` read it. */
interface QuantizedRows {
  /** uint8 [..., K], zero point 128 */
  readonly codes: string
  /** float32 [..., 1]: the largest magnitude of each row, exact channels left out */
  readonly peaks: string
  /** float32 [..., exact channels] */
  readonly exact: string
}

/** Where the weights of a group of matrices are. N outputs, K inputs, X exact channels. */
export interface PerChannelWeights {
  /** int8 or uint8 [K, N] */
  readonly codes: string
  /** float32 [N]: 1/127 of the scales, since `peaks` are 127 steps of a row */
  readonly scales: string
  /** float32 [N, X] */
  readonly exact: string
}

/**
 * Linear maps with 8-bit activations and weights: activations are quantized row by row, so that no row depends on its
 * neighbours, and the products are exact integers. The few input channels with the largest activations are computed in
 * float32 apart, because they would take the resolution of all others.
 *
 * Source: Dettmers et al. 2022 (LLM.int8()), section 3.2; ONNX Runtime, docs/ContribOperators.md, MatMulIntegerToFloat.
 */
export class RowQuantizedNodes {
  readonly #graph: GraphBuilder
  readonly codes: RowQuantization['codes']
  readonly #exact: ExactChannels
  readonly #quantized = new Map<string, QuantizedRows>()
  readonly #constants = new Set<string>()

  constructor(graph: GraphBuilder, { exactChannels, codes }: RowQuantization) {
    this.#graph = graph
    this.codes = codes
    this.#exact = exactChannels
  }

  /** The exact channels of an activation, ascending; undefined where it was not calibrated. */
  exactChannels(x: string): readonly number[] | undefined {
    return this.#exact.get(x)
  }

  /** Adds x [..., K] × weights: float32 [..., N] */
  multiply(name: string, x: string, columns: number, weights: PerChannelWeights): string {
    const graph = this.#graph
    const { codes, peaks, exact } = this.#quantize(x, columns)
    const zero = this.#constant('row_quantized.zero', 'uint8', Uint8Array.of(128), [])
    const inputs = [codes, weights.codes, peaks, weights.scales, zero, ...(this.codes === 'uint8' ? [zero] : [])]
    const inner = graph.node(MICROSOFT, 'MatMulIntegerToFloat', `${name}.inner`, inputs) // [..., N]
    const outer = graph.node(MICROSOFT, 'FusedMatMul', `${name}.outer`, [exact, weights.exact], { transB: { int: 1 } }) // [..., N]
    return graph.node('', 'Add', name, [inner, outer])
  }

  #quantize(x: string, columns: number): QuantizedRows {
    const known = this.#quantized.get(x)
    if (known !== undefined) return known
    const graph = this.#graph
    const channels = this.#exact.get(x) ?? []
    const mask = new Float32Array(columns).fill(1)
    for (const channel of channels) mask[channel] = 0
    const inner = graph.node('', 'Mul', `${x}.inner`, [x, this.#constant(`${x}.mask`, 'float32', mask, [columns])]) // [..., K]
    const magnitudes = graph.node('', 'Abs', `${x}.magnitudes`, [inner]) // [..., K]
    const last = graph.shape(`${x}.last_axis`, [-1])
    const largest = graph.node('', 'ReduceMax', `${x}.largest`, [magnitudes, last], { keepdims: { int: 1 } }) // [..., 1]
    const smallest = this.#constant('row_quantized.smallest', 'float32', Float32Array.of(1e-30), [])
    const peaks = graph.node('', 'Max', `${x}.peaks`, [largest, smallest]) // [..., 1]
    const steps = this.#constant('row_quantized.steps', 'float32', Float32Array.of(127), [])
    const inverse = graph.node('', 'Div', `${x}.inverse`, [steps, peaks]) // [..., 1]
    // Exact channels saturate here, and their weights in `codes` are 0.
    const scaled = graph.node('', 'Mul', `${x}.scaled`, [x, inverse]) // [..., K]
    const one = this.#constant('row_quantized.one', 'float32', Float32Array.of(1), [])
    const zero = this.#constant('row_quantized.zero', 'uint8', Uint8Array.of(128), [])
    const codes = graph.node('', 'QuantizeLinear', `${x}.codes`, [scaled, one, zero]) // [..., K]
    const exact = graph.node('', 'Gather', `${x}.exact`, [x, graph.shape(`${x}.exact_channels`, channels)], { axis: { int: -1 } })
    const rows = { codes, peaks, exact }
    this.#quantized.set(x, rows)
    return rows
  }

  #constant(name: string, element: 'float32' | 'uint8', values: Float32Array | Uint8Array, dims: readonly number[]): string {
    if (this.#constants.has(name)) return name
    this.#constants.add(name)
    const offset = this.#graph.weight(name, element, dims)
    this.#graph.fill({ kind: 'bytes', offset, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) })
    return name
  }
}

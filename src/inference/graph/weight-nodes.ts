import { invariant } from '../contract/invariant.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { type PerChannelWeights, type RowQuantization, RowQuantizedNodes } from './row-quantized.ts'
import type { MatrixInfo, WeightSource } from './weight-source.ts'

/**
 * Format of the weights: float32; 8 bits with one scale per block; or `native`, 4 bits where the file's values fit in
 * them, and 8 bits elsewhere.
 */
export type WeightForm = 'float32' | 'eightBit' | 'native'

const MICROSOFT = 'com.microsoft'
const FOUR_BIT_BLOCK = 32
const NONE: RowQuantization = { exactChannels: new Map(), codes: 'int8' }

interface EightBitLocation {
  readonly codes: number
  readonly scales: number
  readonly zeroPoints: number | null
}

/**
 * Adds the nodes with weights: vectors, embeddings, linear maps. Letters: N outputs, K inputs, V vocabulary.
 */
export class WeightNodes {
  readonly #graph: GraphBuilder
  readonly #source: Pick<WeightSource, 'info'>
  readonly #form: WeightForm
  readonly #rowQuantized: RowQuantizedNodes
  readonly #eightBit = new Map<string, EightBitLocation>()
  readonly #float32 = new Map<string, number>()
  readonly #blockSums = new Set<string>()
  #isTail = false

  constructor(graph: GraphBuilder, source: Pick<WeightSource, 'info'>, form: WeightForm, rowQuantization: RowQuantization = NONE) {
    this.#rowQuantized = new RowQuantizedNodes(graph, rowQuantization)
    this.#graph = graph
    this.#source = source
    this.#form = form
  }

  /**
   * From here on a run may have no row at all, or one row where other runs of the same position have several: weights
   * have 8 bits. `ReduceSum` of nothing has another shape, and on AVX2 the 4-bit kernel for one row rounds otherwise.
   */
  beginTail(): void {
    this.#isTail = true
  }

  columns(matrix: string): number {
    return this.#info(matrix).columns
  }

  has(matrix: string): boolean {
    return this.#source.info(matrix) !== null
  }

  /** Adds the concatenation of vectors: float32 [K]. */
  vector(name: string, vectors: readonly string[] = [name]): string {
    const size = vectors.reduce((sum, vector) => sum + this.#info(vector).rows * this.#info(vector).columns, 0)
    const offset = this.#graph.weight(name, 'float32', [size])
    this.#graph.fill({ kind: 'float32', offset, matrices: vectors })
    return name
  }

  /**
   * Applies attention's scale to the first `rows` rows of the queries' matrix and bias. With a scale of 1 in the
   * kernel, the product of a single query with all keys takes the path without packing. Source: ONNX Runtime,
   * core/mlas/lib/sgemm.cpp, the case of M = 1 and alpha = 1.
   */
  scaleQueries(matrix: string, rows: number, factor: number): void {
    for (const name of [matrix, `${matrix}.bias`]) this.#graph.multiply(name, { rows, factor })
  }

  /** Adds a lookup of rows of a matrix [V, K] by `ids` int64 [...]: float32 [..., K]. */
  embedding(name: string, matrix: string, ids: string, form: WeightForm = this.#form): string {
    const { rows, columns } = this.#info(matrix)
    const block = form === 'float32' ? null : this.#blockElements([matrix])
    if (block === null) {
      const table = this.#floatWeight(name, [matrix], rows, columns)
      return this.#graph.node('', 'Gather', name, [table, ids], { axis: { int: 0 } })
    }
    const [codes, scales, zeroPoints] = this.#eightBitWeights(name, [matrix], block, [rows, columns])
    return this.#graph.node(MICROSOFT, 'GatherBlockQuantized', name, [codes, ids, scales, ...zeroPoints], {
      bits: { int: 8 },
      block_size: { int: block },
      gather_axis: { int: 0 },
      quantize_axis: { int: 1 }
    })
  }

  /**
   * Adds x [..., K] × matrixᵀ: float32 [..., N]; several matrices, and their biases, are concatenated along N.
   * The weights stay float32 where K is no multiple of the block size.
   */
  linear(name: string, x: string, matrices: readonly string[], biases: readonly string[] = []): string {
    const exact = this.#rowQuantized.exactChannels(x)
    if (exact !== undefined) {
      return this.#plusBias(name, biases, product => {
        this.#rowQuantized.multiply(product, x, this.#joined(matrices).columns, this.#perChannel(name, matrices, exact))
      })
    }
    const groups = this.#alike(matrices)
    if (groups.length > 1) {
      return this.#plusBias(name, biases, product => {
        const parts = groups.map((group, index) => this.linear(`${name}.part${index}`, x, group))
        this.#graph.node('', 'Concat', product, parts, { axis: { int: -1 } }) // [..., N]
      })
    }
    if (this.#hasFourBits(matrices)) return this.#fourBit(name, x, matrices, biases)
    const { rows, columns } = this.#joined(matrices)
    const block = this.#blockElements(matrices)
    if (block === null) {
      return this.#plusBias(name, biases, product => {
        this.#graph.node(MICROSOFT, 'FusedMatMul', product, [x, this.#floatWeight(name, matrices, rows, columns)], { transB: { int: 1 } })
      })
    }
    const bias = this.#bias(name, biases)
    const [codes, scales, zeroPoints] = this.#eightBitWeights(name, matrices, block, [rows, columns / block, block])
    return this.#matMulNBits(name, [x, codes, scales, ...zeroPoints], bias, { rows, columns, bits: 8, block })
  }

  /** The vector of the biases of joined matrices; null if they have none. */
  #bias(name: string, biases: readonly string[]): string | null {
    return biases.length === 0 ? null : this.vector(`${name}.bias`, biases)
  }

  /** Adds the biases, if there are any, to the product that `multiply` adds under the given name. */
  #plusBias(name: string, biases: readonly string[], multiply: (product: string) => void): string {
    const bias = this.#bias(name, biases)
    const product = bias === null ? name : `${name}.product`
    multiply(product)
    return bias === null ? product : this.#graph.node('', 'Add', name, [product, bias])
  }

  /** @param inputs  activation, codes, scales, and the zero points if there are any */
  #matMulNBits(
    name: string,
    inputs: readonly string[],
    bias: string | null,
    { rows, columns, bits, block }: { readonly rows: number; readonly columns: number; readonly bits: 4 | 8; readonly block: number }
  ): string {
    const [x = '', codes = '', scales = '', zeroPoints = ''] = inputs
    const all = bias === null ? inputs : [x, codes, scales, zeroPoints, '', bias]
    return this.#graph.node(MICROSOFT, 'MatMulNBits', name, all, {
      K: { int: columns },
      N: { int: rows },
      bits: { int: bits },
      block_size: { int: block },
      // The only level with fast 8-bit kernels: all others dequantize the whole matrix in each run.
      accuracy_level: { int: 4 }
    })
  }

  /** Size of matrices that are concatenated by rows. */
  #joined(matrices: readonly string[]): { readonly rows: number; readonly columns: number } {
    const infos = matrices.map(matrix => this.#info(matrix))
    return { rows: infos.reduce((sum, info) => sum + info.rows, 0), columns: infos[0]?.columns ?? 0 }
  }

  /** Weights as `RowQuantizedNodes.multiply` reads them, of the matrices that read the activation x. */
  #perChannel(name: string, matrices: readonly string[], exact: readonly number[]): PerChannelWeights {
    const { rows, columns } = this.#joined(matrices)
    this.#graph.fill({
      kind: 'perChannel',
      matrices,
      exact,
      codes: this.#rowQuantized.codes,
      codesOffset: this.#graph.weight(`${name}.codes`, this.#rowQuantized.codes, [columns, rows]),
      scalesOffset: this.#graph.weight(`${name}.scales`, 'float32', [rows]),
      exactOffset: this.#graph.weight(`${name}.exact`, 'float32', [rows, exact.length])
    })
    return { codes: `${name}.codes`, scales: `${name}.scales`, exact: `${name}.exact` }
  }

  get #isNative(): boolean {
    return this.#form === 'native' && !this.#isTail
  }

  /** @param matrices  alike */
  #hasFourBits([first = '']: readonly string[]): boolean {
    return this.#isNative && this.#info(first).fourBit !== null
  }

  /** Consecutive matrices whose weights have the same format; all in one group unless the form is `native`. */
  #alike(matrices: readonly string[]): readonly (readonly string[])[] {
    if (!this.#isNative) return [matrices]
    const formatOf = (matrix: string): string => {
      const { fourBit, blockElements, hasZeroPoints } = this.#info(matrix)
      return fourBit === null ? `8 ${blockElements} ${hasZeroPoints}` : `4 ${fourBit.hasOffsets}`
    }
    const groups: string[][] = []
    for (const [index, matrix] of matrices.entries()) {
      const previous = matrices[index - 1]
      if (previous !== undefined && formatOf(previous) === formatOf(matrix)) groups.at(-1)?.push(matrix)
      else groups.push([matrix])
    }
    return groups
  }

  /**
   * Products with 4-bit weights. Where they have offsets, the sums of x over blocks of 32 times the offsets are added:
   * (code - 8) × scale × x + offset × x, summed over a block.
   */
  #fourBit(name: string, x: string, matrices: readonly string[], biases: readonly string[]): string {
    const { rows, columns } = this.#joined(matrices)
    const blocks = columns / FOUR_BIT_BLOCK
    const hasOffsets = matrices.some(matrix => this.#info(matrix).fourBit?.hasOffsets)
    const codes = this.#graph.weight(`${name}.codes`, 'uint8', [rows, blocks, FOUR_BIT_BLOCK / 2])
    const scales = this.#graph.weight(`${name}.scales`, 'float32', [rows, blocks])
    const offsets = hasOffsets ? this.#graph.weight(`${name}.offsets`, 'float32', [rows, blocks]) : null
    this.#graph.fill({ kind: 'fourBit', matrices, codesOffset: codes, scalesOffset: scales, offsetsOffset: offsets })
    const bias = this.#bias(name, biases)
    const product = hasOffsets ? `${name}.product` : name
    this.#matMulNBits(product, [x, `${name}.codes`, `${name}.scales`], bias, { rows, columns, bits: 4, block: FOUR_BIT_BLOCK })
    if (!hasOffsets) return product
    const sums = this.#sumsOf(x)
    const shifted = this.#graph.node(MICROSOFT, 'FusedMatMul', `${name}.shift`, [sums, `${name}.offsets`], { transB: { int: 1 } })
    return this.#graph.node('', 'Add', name, [product, shifted])
  }

  /** Sums of x [B,S,K] over blocks of 32, shared by all matrices that read x: [B,S,K/32] */
  #sumsOf(x: string): string {
    const name = `${x}.block_sums`
    if (this.#blockSums.has(name)) return name
    this.#blockSums.add(name)
    const blocks = this.#graph.node('', 'Reshape', `${x}.blocks`, [x, this.#graph.shape(`${x}.blocks.shape`, [0, 0, -1, FOUR_BIT_BLOCK])])
    const axes = this.#graph.shape(`${name}.axes`, [-1])
    return this.#graph.node('', 'ReduceSum', name, [blocks, axes], { keepdims: { int: 0 } })
  }

  /** Elements per scale that all these matrices support; null where they stay float32. */
  #blockElements(matrices: readonly string[]): number | null {
    if (this.#form === 'float32') return null
    const block = Math.min(...matrices.map(matrix => this.#info(matrix).blockElements))
    return matrices.every(matrix => this.#info(matrix).columns % block === 0) ? block : null
  }

  /** The same matrices are stored only once, so that a tied head takes no space. */
  #floatWeight(name: string, matrices: readonly string[], rows: number, columns: number): string {
    const key = matrices.join()
    const known = this.#float32.get(key)
    const offset = this.#graph.weight(`${name}.weight`, 'float32', [rows, columns], known)
    if (known === undefined) {
      this.#float32.set(key, offset)
      this.#graph.fill({ kind: 'float32', offset, matrices })
    }
    return `${name}.weight`
  }

  #eightBitWeights(
    name: string,
    matrices: readonly string[],
    blockElements: number,
    codesDims: readonly number[]
  ): [codes: string, scales: string, zeroPoints: string[]] {
    const { rows, columns } = this.#joined(matrices)
    const blockDims = [rows, columns / blockElements]
    const key = matrices.join()
    const known = this.#eightBit.get(key)

    const codes = this.#graph.weight(`${name}.codes`, 'uint8', codesDims, known?.codes)
    const scales = this.#graph.weight(`${name}.scales`, 'float32', blockDims, known?.scales)
    const zeroPoints = matrices.some(matrix => this.#info(matrix).hasZeroPoints)
      ? this.#graph.weight(`${name}.zero_points`, 'uint8', blockDims, known?.zeroPoints ?? undefined)
      : null
    if (known === undefined) {
      this.#eightBit.set(key, { codes, scales, zeroPoints })
      this.#graph.fill({
        kind: 'eightBit',
        matrices,
        blockElements,
        codesOffset: codes,
        scalesOffset: scales,
        zeroPointsOffset: zeroPoints
      })
    }
    return [`${name}.codes`, `${name}.scales`, zeroPoints === null ? [] : [`${name}.zero_points`]]
  }

  #info(matrix: string): MatrixInfo {
    const info = this.#source.info(matrix)
    invariant(info !== null, `the model has no weight ${matrix}`)
    return info
  }
}

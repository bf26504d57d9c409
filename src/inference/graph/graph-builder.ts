import { invariant } from '../contract/invariant.ts'
import { DATA_FILE, type Fill, type GraphPlan, type ReportedActivation, type RowFactor } from './graph-plan.ts'
import { type Attribute, type Dimension, type ElementType, encodeModel, type Initializer, type Node, type ValueInfo } from './onnx-proto.ts'

/** Alignment of tensors, so that the runtime can map them. Source: ONNX, "External data", recommends 4096. */
const PAGE_BYTES = 4096

const ELEMENT_BYTES = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8 } as const satisfies Record<ElementType, number>

type Domain = Node['domain']

/** Collects the nodes of a graph and assigns each weight its offset in the data file. */
export class GraphBuilder {
  readonly #inputs: ValueInfo[] = []
  readonly #outputs: ValueInfo[] = []
  readonly #initializers = new Map<string, Initializer>()
  readonly #nodes: Node[] = []
  readonly #fills: Fill[] = []
  readonly #factors = new Map<string, RowFactor>()
  readonly #reported: ReportedActivation[] = []
  #dataBytes = 0

  input(name: string, element: ElementType, dims: readonly Dimension[]): string {
    this.#inputs.push({ name, element, dims })
    return name
  }

  output(name: string, element: ElementType, dims: readonly Dimension[]): void {
    this.#outputs.push({ name, element, dims })
  }

  report(reported: ReportedActivation): void {
    this.output(reported.name, 'float32', [reported.values])
    this.#reported.push(reported)
  }

  /** Adds a node whose only output has the node's name. */
  node(domain: Domain, op: string, name: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    this.nodeWithOutputs(domain, op, name, inputs, [name], attributes)
    return name
  }

  /** Adds a node with the given output names; an output with an empty name is omitted. */
  nodeWithOutputs(
    domain: Domain,
    op: string,
    name: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {}
  ): void {
    this.#nodes.push({ name, op, domain, inputs, outputs, attributes })
  }

  /** Adds a small constant inside the model: int64 [values]. */
  shape(name: string, values: readonly number[]): string {
    const inline = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    return this.#add({ name, element: 'int64', dims: [values.length], data: { inline } })
  }

  /** Adds a constant in the data file, at a new offset or at one that already contains it. @returns the offset */
  weight(name: string, element: ElementType, dims: readonly number[], offset = this.#reserve(byteLength(element, dims))): number {
    this.#add({ name, element, dims, data: { file: DATA_FILE, offset, bytes: byteLength(element, dims) } })
    return offset
  }

  fill(fill: Fill): void {
    this.#fills.push(fill)
  }

  /** Multiplies the first rows of a matrix wherever it is written. */
  multiply(matrix: string, factor: RowFactor): void {
    this.#factors.set(matrix, factor)
  }

  finish(name: string): GraphPlan {
    const model = encodeModel({
      name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      initializers: [...this.#initializers.values()],
      nodes: this.#nodes
    })
    return { model, dataBytes: this.#dataBytes, fills: this.#fills, factors: this.#factors, reported: this.#reported }
  }

  #add(initializer: Initializer): string {
    invariant(!this.#initializers.has(initializer.name), `two initializers have the name ${initializer.name}`)
    this.#initializers.set(initializer.name, initializer)
    return initializer.name
  }

  #reserve(bytes: number): number {
    const offset = Math.ceil(this.#dataBytes / PAGE_BYTES) * PAGE_BYTES
    this.#dataBytes = offset + bytes
    return offset
  }
}

function byteLength(element: ElementType, dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, ELEMENT_BYTES[element])
}

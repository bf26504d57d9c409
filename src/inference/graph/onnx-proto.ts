import protobuf from 'protobufjs/light.js'

/** `TensorProto.DataType` of the ONNX specification: the element types that are used here. */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const
export type ElementType = keyof typeof ELEMENT

/** `AttributeProto.AttributeType`. */
const ATTRIBUTE = { float: 1, int: 2, string: 3 } as const

/** An attribute of a node. ONNX distinguishes 1 and 1.0, JavaScript does not. */
export type Attribute = { readonly int: number } | { readonly float: number } | { readonly string: string }

/** A size, or the symbol of a size that is not fixed. */
export type Dimension = number | string

export interface ValueInfo {
  readonly name: string
  readonly element: ElementType
  readonly dims: readonly Dimension[]
}

export interface Node {
  readonly name: string
  readonly op: string
  readonly domain: '' | 'com.microsoft'
  /** An empty name omits the input. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A constant: inside the model, or a range of the data file. */
export interface Initializer {
  readonly name: string
  readonly element: ElementType
  readonly dims: readonly number[]
  readonly data: { readonly inline: Uint8Array } | { readonly file: string; readonly offset: number; readonly bytes: number }
}

export interface Graph {
  readonly name: string
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  readonly initializers: readonly Initializer[]
  readonly nodes: readonly Node[]
}

/** The versions of ONNX 1.17; ONNX Runtime 1.30 supports both. */
const IR_VERSION = 10
const OPSET_VERSION = 21
const EXTERNAL = 1

/**
 * The used fields of onnx.proto and their numbers.
 * Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
const SCHEMA = protobuf.Root.fromJSON({
  nested: {
    Model: message({
      irVersion: [1, 'int64'],
      producerName: [2, 'string'],
      graph: [7, 'Graph'],
      opsetImport: [8, 'OperatorSet', 'repeated']
    }),
    OperatorSet: message({ domain: [1, 'string'], version: [2, 'int64'] }),
    Graph: message({
      node: [1, 'Node', 'repeated'],
      name: [2, 'string'],
      initializer: [5, 'Tensor', 'repeated'],
      input: [11, 'ValueInfo', 'repeated'],
      output: [12, 'ValueInfo', 'repeated']
    }),
    Node: message({
      input: [1, 'string', 'repeated'],
      output: [2, 'string', 'repeated'],
      name: [3, 'string'],
      opType: [4, 'string'],
      attribute: [5, 'Attribute', 'repeated'],
      domain: [7, 'string']
    }),
    Attribute: message({ name: [1, 'string'], f: [2, 'float'], i: [3, 'int64'], s: [4, 'bytes'], type: [20, 'int32'] }),
    Tensor: message({
      dims: [1, 'int64', 'repeated'],
      dataType: [2, 'int32'],
      name: [8, 'string'],
      rawData: [9, 'bytes'],
      externalData: [13, 'Entry', 'repeated'],
      dataLocation: [14, 'int32']
    }),
    Entry: message({ key: [1, 'string'], value: [2, 'string'] }),
    ValueInfo: message({ name: [1, 'string'], type: [2, 'Type'] }),
    Type: message({ tensorType: [1, 'TensorType'] }),
    TensorType: message({ elemType: [1, 'int32'], shape: [2, 'Shape'] }),
    Shape: message({ dim: [1, 'Dimension', 'repeated'] }),
    Dimension: message({ dimValue: [1, 'int64'], dimParam: [2, 'string'] })
  }
})

/** The graph as the bytes of an ONNX `ModelProto`. */
export function encodeModel(graph: Graph): Uint8Array {
  const Model = SCHEMA.lookupType('Model')
  const model = Model.fromObject({
    irVersion: IR_VERSION,
    producerName: 'everstream',
    opsetImport: [
      { domain: '', version: OPSET_VERSION },
      { domain: 'com.microsoft', version: 1 }
    ],
    graph: {
      name: graph.name,
      node: graph.nodes.map(toNode),
      initializer: graph.initializers.map(toTensor),
      input: graph.inputs.map(toValueInfo),
      output: graph.outputs.map(toValueInfo)
    }
  })
  return Model.encode(model).finish()
}

function toNode(node: Node): object {
  return {
    input: node.inputs,
    output: node.outputs,
    name: node.name,
    opType: node.op,
    domain: node.domain,
    attribute: Object.entries(node.attributes).map(([name, value]) => ({ name, ...toAttribute(value) }))
  }
}

function toAttribute(value: Attribute): object {
  if ('int' in value) return { i: value.int, type: ATTRIBUTE.int }
  if ('float' in value) return { f: value.float, type: ATTRIBUTE.float }
  return { s: Buffer.from(value.string), type: ATTRIBUTE.string }
}

function toTensor({ name, element, dims, data }: Initializer): object {
  const tensor = { name, dims, dataType: ELEMENT[element] }
  if ('inline' in data) return { ...tensor, rawData: data.inline }
  const externalData = [
    { key: 'location', value: data.file },
    { key: 'offset', value: `${data.offset}` },
    { key: 'length', value: `${data.bytes}` }
  ]
  return { ...tensor, externalData, dataLocation: EXTERNAL }
}

function toValueInfo({ name, element, dims }: ValueInfo): object {
  const dim = dims.map(size => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return { name, type: { tensorType: { elemType: ELEMENT[element], shape: { dim } } } }
}

type Field = readonly [id: number, type: string, rule?: 'repeated']

function message(fields: Readonly<Record<string, Field>>): protobuf.IType {
  const entries = Object.entries(fields).map(([name, [id, type, rule]]) => [name, rule === undefined ? { id, type } : { id, type, rule }])
  return { fields: Object.fromEntries(entries) }
}

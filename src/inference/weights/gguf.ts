import { GGUF_LIMITS } from './gguf-limits.ts'
import { type GgufMetadata, readGgufMetadata } from './gguf-metadata.ts'
import { HeaderReader } from './header-reader.ts'
import { OpenTensorFile, openModelFile } from './open-tensor-file.ts'
import type { TensorFile, TensorInfo } from './tensor-file.ts'
import { ggmlType } from './tensor-type.ts'

/** An open GGUF file: validated metadata and tensor list in memory, tensor data on disk. */
export interface GgufFile extends TensorFile {
  readonly version: number
  readonly metadata: GgufMetadata
}

/** "GGUF" */
const MAGIC = 0x46554747
/** Version 1 had 32-bit counts and is obsolete; big-endian files have a byte-swapped version. */
const VERSIONS: readonly number[] = [2, 3]
const DEFAULT_ALIGNMENT = 32

/**
 * Opens a GGUF file and validates its header against the file. The caller closes it.
 *
 * @throws {ModelFileError} the file does not exist, is not a GGUF file, or its header violates the format or the limits
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const handle = await openModelFile(path)
  try {
    const { size } = await handle.stat()
    const header = readHeader(new HeaderReader(path, handle.fd, size, GGUF_LIMITS.headerBytes), size)
    return Object.assign(new OpenTensorFile(handle, path, size, header.tensors), { version: header.version, metadata: header.metadata })
  } catch (error) {
    await handle.close()
    throw error
  }
}

interface Header {
  readonly version: number
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, TensorInfo>
}

function readHeader(reader: HeaderReader, fileBytes: number): Header {
  const magic = reader.u32('magic')
  if (magic !== MAGIC) reader.fail('is not a GGUF file (it does not start with "GGUF")')
  const version = reader.u32('version')
  if (!VERSIONS.includes(version)) reader.fail(`GGUF version is ${version}, only ${VERSIONS.join(' and ')} (little-endian) are supported`)

  const tensorCount = reader.count('number of tensors', GGUF_LIMITS.tensors)
  const keys = reader.count('number of metadata keys', GGUF_LIMITS.metadataKeys)
  const metadata = readGgufMetadata(reader, keys)
  const declared = Array.from({ length: tensorCount }, (_, i) => readDeclaredTensor(reader, i))

  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  if (typeof alignment !== 'number' || !(alignment >= 8 && alignment <= GGUF_LIMITS.alignmentBytes && alignment % 8 === 0)) {
    reader.fail(`general.alignment is ${String(alignment).slice(0, 40)}, must be a multiple of 8 up to ${GGUF_LIMITS.alignmentBytes}`)
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment
  const tensors = new Map<string, TensorInfo>()
  for (const tensor of declared) {
    if (tensors.has(tensor.name)) reader.fail(`tensor ${JSON.stringify(tensor.name)} appears twice`)
    tensors.set(tensor.name, checkTensor(reader, tensor, { dataStart, alignment, fileBytes }))
  }
  return { version, metadata, tensors }
}

/** A tensor as declared in the header, not validated yet. */
interface DeclaredTensor {
  readonly name: string
  readonly dims: readonly bigint[]
  readonly typeId: number
  readonly offset: bigint
}

function readDeclaredTensor(reader: HeaderReader, index: number): DeclaredTensor {
  const name = reader.string(`name of tensor ${index}`, GGUF_LIMITS.nameBytes)
  const what = `tensor ${JSON.stringify(name)}`
  const dimCount = reader.u32(`dimensions of ${what}`)
  if (dimCount < 1 || dimCount > GGUF_LIMITS.tensorDims) {
    reader.fail(`${what} has ${dimCount} dimensions, 1 to ${GGUF_LIMITS.tensorDims} are allowed`)
  }
  const dims = Array.from({ length: dimCount }, () => reader.u64(`shape of ${what}`))
  return { name, dims, typeId: reader.u32(`type of ${what}`), offset: reader.u64(`offset of ${what}`) }
}

interface DataSection {
  readonly dataStart: number
  readonly alignment: number
  readonly fileBytes: number
}

function checkTensor(reader: HeaderReader, tensor: DeclaredTensor, { dataStart, alignment, fileBytes }: DataSection): TensorInfo {
  const what = `tensor ${JSON.stringify(tensor.name)}`
  const type = ggmlType(tensor.typeId)
  if (type === null) reader.fail(`${what} has the unknown type ${tensor.typeId}`)

  const innermost = tensor.dims[0] ?? 0n
  if (innermost % BigInt(type.blockElements) !== 0n) {
    reader.fail(`${what} has rows of ${innermost} elements, ${type.name} needs a multiple of ${type.blockElements}`)
  }
  // A bigint, so that the product of four 64-bit sizes cannot overflow.
  const elements = tensor.dims.reduce((product, size) => product * size, 1n)
  const bytes = (elements / BigInt(type.blockElements)) * BigInt(type.blockBytes)
  if (elements === 0n) reader.fail(`${what} has no elements`)
  if (tensor.offset % BigInt(alignment) !== 0n) reader.fail(`${what} starts at ${tensor.offset}, which is not a multiple of ${alignment}`)
  if (BigInt(dataStart) + tensor.offset + bytes > BigInt(fileBytes)) {
    reader.fail(`${what} needs ${bytes} bytes at ${BigInt(dataStart) + tensor.offset}, but the file has ${fileBytes} (is it truncated?)`)
  }
  return {
    name: tensor.name,
    shape: tensor.dims.map(Number).reverse(),
    type,
    offset: dataStart + Number(tensor.offset),
    bytes: Number(bytes)
  }
}

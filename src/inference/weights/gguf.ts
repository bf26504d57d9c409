import { GGUF_LIMITS } from './gguf-limits.ts'
import { type GgufMetadata, readGgufMetadata } from './gguf-metadata.ts'
import { HeaderReader } from './header-reader.ts'
import { OpenTensorFile, openModelFile } from './open-tensor-file.ts'
import type { TensorFile, TensorInfo } from './tensor-file.ts'
import { ggmlType } from './tensor-type.ts'

/** An open GGUF file: checked metadata and tensor list in memory, tensors on disk. */
export interface GgufFile extends TensorFile {
  readonly version: number
  readonly metadata: GgufMetadata
}

/** "GGUF" */
const MAGIC = 0x46554747
/** Version 1 had 32-bit counts and is extinct; big-endian files carry the version byte-swapped. */
const VERSIONS: readonly number[] = [2, 3]
const DEFAULT_ALIGNMENT = 32

/**
 * Opens a GGUF file and checks everything that its header claims against the file. The caller closes it.
 *
 * @throws {ModelFileError} no such file, not a GGUF, or a header that breaks the format or our limits
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
  if (!VERSIONS.includes(version)) reader.fail(`GGUF version is ${version}, only ${VERSIONS.join(' and ')} (little-endian) are read`)

  const tensorCount = reader.count('number of tensors', GGUF_LIMITS.tensors)
  const keys = reader.count('number of metadata keys', GGUF_LIMITS.metadataKeys)
  const metadata = readGgufMetadata(reader, keys)
  const claims = Array.from({ length: tensorCount }, (_, i) => readTensorClaim(reader, i))

  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  if (typeof alignment !== 'number' || !(alignment >= 8 && alignment <= GGUF_LIMITS.alignmentBytes && alignment % 8 === 0)) {
    reader.fail(`general.alignment is ${String(alignment).slice(0, 40)}, must be a multiple of 8 up to ${GGUF_LIMITS.alignmentBytes}`)
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment
  const tensors = new Map<string, TensorInfo>()
  for (const claim of claims) {
    if (tensors.has(claim.name)) reader.fail(`tensor ${JSON.stringify(claim.name)} appears twice`)
    tensors.set(claim.name, checkTensor(reader, claim, { dataStart, alignment, fileBytes }))
  }
  return { version, metadata, tensors }
}

/** What the header says of a tensor, not yet believed. */
interface TensorClaim {
  readonly name: string
  readonly dims: readonly bigint[]
  readonly typeId: number
  readonly offset: bigint
}

function readTensorClaim(reader: HeaderReader, index: number): TensorClaim {
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

function checkTensor(reader: HeaderReader, claim: TensorClaim, { dataStart, alignment, fileBytes }: DataSection): TensorInfo {
  const what = `tensor ${JSON.stringify(claim.name)}`
  const type = ggmlType(claim.typeId)
  if (type === null) reader.fail(`${what} has the unknown type ${claim.typeId}`)

  const innermost = claim.dims[0] ?? 0n
  if (innermost % BigInt(type.blockElements) !== 0n) {
    reader.fail(`${what} has rows of ${innermost} elements, ${type.name} needs a multiple of ${type.blockElements}`)
  }
  // In bigint: four 64-bit sizes cannot overflow it.
  const elements = claim.dims.reduce((product, size) => product * size, 1n)
  const bytes = (elements / BigInt(type.blockElements)) * BigInt(type.blockBytes)
  if (elements === 0n) reader.fail(`${what} has no elements`)
  if (claim.offset % BigInt(alignment) !== 0n) reader.fail(`${what} starts at ${claim.offset}, which is not a multiple of ${alignment}`)
  if (BigInt(dataStart) + claim.offset + bytes > BigInt(fileBytes)) {
    reader.fail(`${what} needs ${bytes} bytes at ${BigInt(dataStart) + claim.offset}, but the file has ${fileBytes} (is it cut off?)`)
  }
  return { name: claim.name, shape: claim.dims.map(Number).reverse(), type, offset: dataStart + Number(claim.offset), bytes: Number(bytes) }
}

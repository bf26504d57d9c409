import { z } from 'zod'
import { HeaderReader } from './header-reader.ts'
import { OpenTensorFile, openModelFile } from './open-tensor-file.ts'
import type { TensorFile, TensorInfo } from './tensor-file.ts'
import type { TensorType } from './tensor-type.ts'

/** Limits of a safetensors header. */
export const SAFETENSORS_LIMITS = {
  /** The format allows 100 MB; published ones are below 1 MiB per file. */
  headerBytes: 32 * 2 ** 20,
  tensors: 65_536,
  tensorDims: 8
} as const

const LENGTH_BYTES = 8

/** By name. A Map, because a file may contain the name of a property of every object, such as `constructor`. */
const DTYPES: ReadonlyMap<string, TensorType> = new Map(
  Object.entries({ F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1 }).map(
    ([name, blockBytes]) => [name, { name, blockElements: 1, blockBytes }]
  )
)

const Entry = z.object({
  dtype: z.string().max(32),
  shape: z.array(z.int().nonnegative()).max(SAFETENSORS_LIMITS.tensorDims),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()])
})
type Entry = z.infer<typeof Entry>

/**
 * Opens a safetensors file and validates its header against the file. The caller closes it.
 *
 * @throws {ModelFileError} the file does not exist, or its header violates the format or the limits
 * Source: https://huggingface.co/docs/safetensors, "Format"
 */
export async function openSafetensors(path: string): Promise<TensorFile> {
  const handle = await openModelFile(path)
  try {
    const { size } = await handle.stat()
    const reader = new HeaderReader(path, handle.fd, size, LENGTH_BYTES + SAFETENSORS_LIMITS.headerBytes)
    return new OpenTensorFile(handle, path, size, readTensors(reader, size))
  } catch (error) {
    await handle.close()
    throw error
  }
}

function readTensors(reader: HeaderReader, fileBytes: number): Map<string, TensorInfo> {
  const entries = Object.entries(parseObject(reader, reader.string('header', SAFETENSORS_LIMITS.headerBytes)))
  if (entries.length > SAFETENSORS_LIMITS.tensors)
    reader.fail(`header has ${entries.length} tensors, at most ${SAFETENSORS_LIMITS.tensors} are allowed`)
  const dataBytes = fileBytes - reader.position
  const tensors = new Map<string, TensorInfo>()
  for (const [name, claim] of entries) {
    if (name === '__metadata__') continue
    const what = `tensor ${JSON.stringify(name.slice(0, 100))}`
    const entry = Entry.safeParse(claim)
    if (!entry.success) reader.fail(`${what} does not have valid dtype, shape and data_offsets`)
    tensors.set(name, { ...checkTensor(reader, what, entry.data, dataBytes), name })
  }
  checkCover(reader, [...tensors.values()], fileBytes)
  return tensors
}

/** Tensors must be contiguous up to the end of the file, without overlaps, gaps or trailing bytes. */
function checkCover(reader: HeaderReader, tensors: readonly TensorInfo[], fileBytes: number): void {
  let end = reader.position
  for (const { name, offset, bytes } of tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    const found = offset < end ? 'overlaps the previous one' : 'leaves a gap after the previous one'
    if (offset !== end) reader.fail(`tensor ${JSON.stringify(name.slice(0, 100))} ${found} (byte ${offset}, expected ${end})`)
    end = offset + bytes
  }
  if (end !== fileBytes) reader.fail(`the last ${fileBytes - end} bytes belong to no tensor`)
}

function parseObject(reader: HeaderReader, json: string): object {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Reported below without the position of the syntax error, which does not help the operator.
  }
  return reader.fail('is not a safetensors file (its header is not a JSON object)')
}

function checkTensor(reader: HeaderReader, what: string, entry: Entry, dataBytes: number): Omit<TensorInfo, 'name'> {
  const type = DTYPES.get(entry.dtype)
  if (type === undefined) reader.fail(`${what} has the unknown dtype ${JSON.stringify(entry.dtype)}`)
  // A bigint, so that the product cannot overflow.
  const needed = entry.shape.reduce((product, size) => product * BigInt(size), BigInt(type.blockBytes))
  const [start, end] = entry.data_offsets
  if (end > dataBytes || BigInt(end) - BigInt(start) !== needed) {
    reader.fail(
      `${what} needs ${needed} bytes and has data_offsets ${start} to ${end}, but the file has ${dataBytes} bytes of data (is it truncated?)`
    )
  }
  return { shape: entry.shape, type, offset: reader.position + start, bytes: end - start }
}

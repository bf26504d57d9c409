import { readSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { ModelFileError } from './model-file-error.ts'
import type { OpenFile, TensorFile, TensorInfo } from './tensor-file.ts'

/**
 * Opens a regular file for reading. Pipes and devices are refused, as opening them could block for ever.
 *
 * @throws {ModelFileError} the file does not exist or cannot be read
 */
export async function openModelFile(path: string): Promise<FileHandle> {
  try {
    const stats = await stat(path)
    if (stats.isFile()) return await open(path)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ModelFileError(`${path}: cannot be opened (${reason})`, { cause })
  }
  throw new ModelFileError(`${path}: is not a regular file`)
}

/**
 * Reads bytes `start` to `start + length` of a tensor; blocks the thread.
 *
 * @throws {ModelFileError} the file has become shorter since it was opened, or the disk fails
 */
export function readTensor({ path, descriptor }: OpenFile, tensor: TensorInfo, start: number, length: number): Uint8Array {
  const what = `${path}: tensor ${JSON.stringify(tensor.name)}`
  const bytes = new Uint8Array(length)
  for (let filled = 0; filled < length; ) {
    const bytesRead = readOrFail(what, descriptor, bytes, filled, tensor.offset + start + filled)
    if (bytesRead === 0) throw new ModelFileError(`${what} ends early: the file became shorter`)
    filled += bytesRead
  }
  return bytes
}

function readOrFail(what: string, descriptor: number, bytes: Uint8Array, filled: number, position: number): number {
  try {
    return readSync(descriptor, bytes, filled, bytes.length - filled, position)
  } catch (cause) {
    throw new ModelFileError(`${what} cannot be read (${cause instanceof Error ? cause.message : cause})`, { cause })
  }
}

/** Tensors with validated offsets, read on demand from an open file. */
export class OpenTensorFile implements TensorFile {
  readonly path: string
  readonly fileBytes: number
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly #handle: FileHandle

  constructor(handle: FileHandle, path: string, fileBytes: number, tensors: ReadonlyMap<string, TensorInfo>) {
    this.#handle = handle
    this.path = path
    this.fileBytes = fileBytes
    this.tensors = tensors
  }

  fileOf(_: TensorInfo): OpenFile {
    return { path: this.path, descriptor: this.#handle.fd }
  }

  async read(tensor: TensorInfo, start: number, length: number): Promise<Uint8Array> {
    return readTensor(this.fileOf(tensor), tensor, start, length)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

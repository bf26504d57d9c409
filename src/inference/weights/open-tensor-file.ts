import { type FileHandle, open, stat } from 'node:fs/promises'
import { ModelFileError } from './model-file-error.ts'
import type { TensorFile, TensorInfo } from './tensor-file.ts'

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

  async read(tensor: TensorInfo, start: number, length: number): Promise<Uint8Array> {
    const what = `${this.path}: tensor ${JSON.stringify(tensor.name)}`
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle
        .read(bytes, filled, length - filled, tensor.offset + start + filled)
        .catch((cause: Error) => Promise.reject(new ModelFileError(`${what} cannot be read (${cause.message})`, { cause })))
      if (bytesRead === 0) throw new ModelFileError(`${what} ends early: the file became shorter`)
      filled += bytesRead
    }
    return bytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

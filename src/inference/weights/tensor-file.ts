import type { TensorType } from './tensor-type.ts'

/** A tensor as described by its file. */
export interface TensorInfo {
  readonly name: string
  /** Outermost first, as in ONNX and PyTorch: a linear map is [outputs, inputs]. */
  readonly shape: readonly number[]
  readonly type: TensorType
  /** From the start of the file. */
  readonly offset: number
  readonly bytes: number
}

/** A file that is open in this process. Plain data, valid in each of its threads. */
export interface OpenFile {
  readonly path: string
  readonly descriptor: number
}

/** An open, validated file of named tensors. Data is read on demand. */
export interface TensorFile extends AsyncDisposable {
  readonly path: string
  readonly fileBytes: number
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** The file that contains a tensor; open until the object is disposed of. */
  fileOf(tensor: TensorInfo): OpenFile
  /**
   * Bytes `start` to `start + length` of a tensor.
   *
   * @throws {ModelFileError} the file has become shorter since it was opened
   */
  read(tensor: TensorInfo, start: number, length: number): Promise<Uint8Array>
}

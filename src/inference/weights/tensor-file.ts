import type { TensorType } from './tensor-type.ts'

/** A tensor as its file describes it. */
export interface TensorInfo {
  readonly name: string
  /** Outermost first, as in ONNX and PyTorch: a linear map is [outputs, inputs]. */
  readonly shape: readonly number[]
  readonly type: TensorType
  /** From the start of the file. */
  readonly offset: number
  readonly bytes: number
}

/** A checked, open file of named tensors. Contents stay on disk until they are asked for. */
export interface TensorFile extends AsyncDisposable {
  readonly path: string
  readonly fileBytes: number
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /**
   * Bytes `start` to `start + length` of a tensor.
   *
   * @throws {ModelFileError} the file is shorter than it was when it was opened
   */
  read(tensor: TensorInfo, start: number, length: number): Promise<Uint8Array>
}

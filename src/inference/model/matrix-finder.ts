import type { Presence, StoredOrder } from '../families/definition/tensor-table.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { canDequantize } from '../weights/quantization/dequantize.ts'
import { eightBitLayout } from '../weights/quantization/eight-bit.ts'
import { fourBitLayout } from '../weights/quantization/four-bit.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import type { StoredMatrix } from './tensor-weights.ts'

/** An expected matrix of a model. A vector is a matrix of a single row or column. */
export interface MatrixClaim {
  readonly tensorName: string
  readonly rows: number
  readonly columns: number
  readonly presence: Presence
  readonly order: StoredOrder
}

/** Finds a model's matrices among a file's tensors and checks their shapes against the hyperparameters. */
export class MatrixFinder {
  readonly matrices = new Map<string, StoredMatrix>()
  readonly #file: TensorFile
  readonly #ignored = new Set<string>()

  constructor(file: TensorFile) {
    this.#file = file
  }

  /**
   * Adds a matrix under its name in the graph, unless it is to be ignored.
   *
   * @throws {ModelFileError} it is missing, has another shape or an unsupported type
   */
  add(name: string, { tensorName, rows, columns, presence, order }: MatrixClaim): void {
    if (presence === 'ignored') {
      this.#ignored.add(tensorName)
      return
    }
    const tensor = this.#file.tensors.get(tensorName)
    if (tensor === undefined) {
      if (presence === 'optional') return
      this.#fail(tensorName, 'is missing')
    }
    const stored = order.kind === 'transposed' ? [columns, rows] : [rows, columns]
    if (tensor.shape.filter(size => size !== 1).join() !== stored.filter(size => size !== 1).join()) {
      this.#fail(tensorName, `is [${tensor.shape}], must be [${stored.filter(size => size !== 1)}]`)
    }
    const { name: type, blockElements } = tensor.type
    if (!canDequantize(type) || columns % blockElements !== 0 || (order.kind === 'transposed' && blockElements !== 1)) {
      this.#fail(tensorName, `has type ${type}, which is not supported`)
    }
    this.matrices.set(name, {
      file: this.#file.fileOf(tensor),
      tensor,
      info: { rows, columns, ...eightBitLayout(type), fourBit: fourBitLayout(type) },
      order
    })
  }

  /**
   * Checks biases of linear maps that are computed as one: all have a bias, or none.
   *
   * @throws {ModelFileError} some of these tensors exist, and others do not
   */
  requireAllOrNone(tensorNames: readonly string[]): void {
    const [missing] = tensorNames.filter(name => !this.#file.tensors.has(name))
    const [given] = tensorNames.filter(name => this.#file.tensors.has(name))
    if (missing !== undefined && given !== undefined) this.#fail(missing, `is missing, but ${JSON.stringify(given)} is present`)
  }

  /**
   * Rejects tensors that were not added: a model without one of its weights would give wrong answers.
   *
   * @param redundant  matches names of tensors that contain no further information
   * @throws {ModelFileError} a tensor was not added and is not redundant
   */
  refuseUnused(family: string, redundant: RegExp): void {
    const used = new Set([...this.matrices.values().map(({ tensor }) => tensor.name), ...this.#ignored])
    for (const name of this.#file.tensors.keys()) {
      if (!used.has(name) && !redundant.test(name)) this.#fail(name, `belongs to a kind of ${family} that is not supported`)
    }
  }

  #fail(tensorName: string, problem: string): never {
    throw new ModelFileError(`${this.#file.path}: tensor ${JSON.stringify(tensorName)} ${problem}`)
  }
}

import type { GgufFile } from '../../weights/gguf.ts'
import { ModelFileError } from '../../weights/model-file-error.ts'

/**
 * Bounds of the values in a GGUF header, above those of all published models: the largest Llama has 126 layers and
 * 16,384 hidden dimensions.
 */
export const GGUF_MAX = { layers: 1024, size: 1_048_576, headDim: 1024, context: 2 ** 21 } as const

/**
 * The hyperparameters of one architecture in GGUF metadata: the keys that begin with its name.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "LLM"
 */
export class GgufFields {
  readonly file: GgufFile
  readonly #architecture: string

  constructor(file: GgufFile, architecture: string) {
    this.file = file
    this.#architecture = architecture
  }

  /** @throws {ModelFileError} always; the message names the file and the key */
  fail(key: string, problem: string): never {
    throw new ModelFileError(`${this.file.path}: ${this.#architecture}.${key} ${problem}`)
  }

  /** The value in the file. */
  value(key: string): unknown {
    return this.file.metadata.get(`${this.#architecture}.${key}`)
  }

  /** @throws {ModelFileError} the key is missing and there is no fallback, or its value is not a number */
  number(key: string, fallback?: number): number {
    const value = this.value(key) ?? fallback
    // Some converters write one value per layer; only models with equal layers are supported.
    const one = Array.isArray(value) && value.length > 0 && value.every(each => each === value[0]) ? value[0] : value
    if (typeof one !== 'number') this.fail(key, `is ${value === undefined ? 'missing' : 'not one number'}`)
    return one
  }

  /** @throws {ModelFileError} as `number`, or not a whole number from 1 to `max` */
  int(key: string, max: number, fallback?: number): number {
    const value = this.number(key, fallback)
    if (!Number.isInteger(value) || value < 1 || value > max) this.fail(key, `is ${value}, must be a whole number from 1 to ${max}`)
    return value
  }

  /** @throws {ModelFileError} as `number`, or not positive and finite */
  positive(key: string, fallback?: number): number {
    const value = this.number(key, fallback)
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) this.fail(key, `is ${value}, must be positive`)
    return value
  }

  /** Size of a head, the same for queries, keys and values. */
  headDim(fallback: number): number {
    const headDim = this.int('attention.key_length', GGUF_MAX.headDim, fallback)
    if (this.int('attention.value_length', GGUF_MAX.headDim, headDim) !== headDim)
      this.fail('attention.value_length', `is ${this.number('attention.value_length')}, must be the key_length ${headDim}`)
    return headDim
  }

  /** Size of the vocabulary: the number of rows of the embedding. */
  vocabulary(): number {
    const embedding = this.file.tensors.get('token_embd.weight')
    if (embedding === undefined || embedding.shape.length !== 2) {
      throw new ModelFileError(`${this.file.path}: tensor "token_embd.weight" is missing or not a matrix`)
    }
    return embedding.shape[0] ?? 0
  }
}

import type { GgufFile } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'

/** Bounds of what we build: beyond them a header is hostile or not ours. The largest published Llama has 126 layers, 16,384 hidden. */
export const GGUF_MAX = { layers: 1024, size: 1_048_576, headDim: 1024, context: 2 ** 21 } as const

/** The hyperparameters of one architecture in GGUF metadata: keys that begin with its name. */
export class GgufNumbers {
  readonly #file: GgufFile
  readonly #architecture: string

  constructor(file: GgufFile, architecture: string) {
    this.#file = file
    this.#architecture = architecture
  }

  /** @throws {ModelFileError} always: it names the file */
  fail(message: string): never {
    throw new ModelFileError(`${this.#file.path}: ${message}`)
  }

  /** @throws {ModelFileError} missing without a fallback, or no number */
  number(key: string, fallback?: number): number {
    const value = this.#file.metadata.get(`${this.#architecture}.${key}`) ?? fallback
    // Some converters write one value per layer; we build models whose layers are alike.
    const one = Array.isArray(value) && value.length > 0 && value.every(each => each === value[0]) ? value[0] : value
    if (typeof one !== 'number') this.fail(`${this.#architecture}.${key} is ${value === undefined ? 'missing' : 'not one number'}`)
    return one
  }

  /** @throws {ModelFileError} like `number`, or not a whole number from 1 to `max` */
  int(key: string, max: number, fallback?: number): number {
    const value = this.number(key, fallback)
    if (!Number.isInteger(value) || value < 1 || value > max)
      this.fail(`${this.#architecture}.${key} is ${value}, must be a whole number from 1 to ${max}`)
    return value
  }

  /** @throws {ModelFileError} like `number`, or not above 0 and finite */
  positive(key: string, fallback?: number): number {
    const value = this.number(key, fallback)
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) this.fail(`${this.#architecture}.${key} is ${value}, must be positive`)
    return value
  }

  /** Tokens of the vocabulary, as many as the embedding has rows. */
  vocabulary(): number {
    const embedding = this.#file.tensors.get('token_embd.weight')
    if (embedding === undefined || embedding.shape.length !== 2) this.fail('tensor "token_embd.weight" is missing or not a matrix')
    return embedding.shape[0] ?? 0
  }
}

/** Format of a file of weights: a checkpoint of transformers, or GGUF. */
export type Format = 'hub' | 'gguf'

/** `ignored`: not used even if the file contains it. */
export type Presence = 'required' | 'optional' | 'ignored'

/**
 * How a file stores a matrix that is [outputs, inputs] in the graph.
 *
 * - `rows`: as in the graph
 * - `rotary-pairs`: rows of queries or keys whose rotated pairs are (2i, 2i + 1) of a head; in the graph they are
 *   (i, i + dims / 2)
 * - `transposed`: [inputs, outputs], as in checkpoints of GPT-2
 */
export type StoredOrder =
  | { readonly kind: 'rows' }
  | { readonly kind: 'rotary-pairs'; readonly headDim: number; readonly dims: number }
  | { readonly kind: 'transposed' }

/** One tensor of a model, and its bias. */
export interface TensorRow {
  /** A vector has one output. */
  readonly shape: readonly [outputs: number, inputs: number]
  /** Name in a checkpoint, without `.weight`. */
  readonly hub: string
  /** Name in GGUF without `.weight`, if it differs from `STANDARD_GGUF_NAMES`. */
  readonly gguf?: string
  /** Default: `required`. */
  readonly presence?: Presence
  /** Presence of the tensor with `.bias` instead of `.weight` in its name; default: no such tensor. */
  readonly bias?: Exclude<Presence, 'ignored'>
  /** Per format; default: `rows`. */
  readonly order?: Readonly<Partial<Record<Format, StoredOrder>>>
}

/**
 * The tensors of a model by their names in the graph. `{l}` in a name, here and in the rows, is replaced by the number
 * of each layer.
 */
export type TensorTable = Readonly<Record<string, TensorRow>>

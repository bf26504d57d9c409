/** Who wrote a file of weights: transformers, or a converter to GGUF. */
export type Format = 'hub' | 'gguf'

/** `ignored`: not used even where the file has it. */
export type Presence = 'required' | 'optional' | 'ignored'

/**
 * How a file keeps a matrix that the graph has as [outputs, inputs].
 *
 * - `rows`: as the graph does
 * - `rotary-pairs`: rows of queries or keys in which a rotated pair is (2i, 2i + 1) of a head; the graph's is
 *   (i, i + dims / 2)
 * - `transposed`: [inputs, outputs], as GPT-2's checkpoints have it
 */
export type StoredOrder =
  | { readonly kind: 'rows' }
  | { readonly kind: 'rotary-pairs'; readonly headDim: number; readonly dims: number }
  | { readonly kind: 'transposed' }

/** One tensor of a model, and the bias beside it. */
export interface TensorRow {
  /** A vector has one output. */
  readonly shape: readonly [outputs: number, inputs: number]
  /** Name in a checkpoint, without `.weight`. */
  readonly hub: string
  /** Name in GGUF without `.weight`, where it is not the one in `STANDARD_GGUF_NAMES`. */
  readonly gguf?: string
  /** `required` unless stated. */
  readonly presence?: Presence
  /** Of the tensor that is called `.bias` instead of `.weight`; there is none unless stated. */
  readonly bias?: Exclude<Presence, 'ignored'>
  /** In formats where it is not `rows`. */
  readonly order?: Readonly<Partial<Record<Format, StoredOrder>>>
}

/**
 * The tensors of a model by their names in the graph. `{l}` in a name, here and in the rows, stands for each layer's
 * number.
 */
export type TensorTable = Readonly<Record<string, TensorRow>>

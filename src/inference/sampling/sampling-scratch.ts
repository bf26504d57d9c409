import { invariant } from '../contract/invariant.ts'
import { MAX_VOCABULARY } from './exponential.ts'

/** Tokens per partial sum of an unfiltered draw. */
export const BLOCK_TOKENS = 256
/** Number of buckets into which a selection divides a range of logits. */
export const BUCKETS = 2048

/**
 * Buffers of one draw. The engine owns them and all samplers share them, because draws are synchronous. V is the
 * vocabulary size.
 */
export class SamplingScratch {
  /** float32 [V]: logits after penalties and bias. */
  readonly edited: Float32Array
  /** float64 [V / 256]: sums of weights. */
  readonly blockSums: Float64Array
  /** The n candidates of a filtered draw, ids ascending. */
  readonly ids: Int32Array
  /** float32 [n]: their logits. */
  readonly logits: Float32Array
  /** float64 [n]: their weights in a selection or in the draw. */
  readonly weights: Float64Array
  /** float64 [n]: minus the distance of their surprisal from the entropy. */
  readonly typicality: Float64Array
  /** Indices of the candidates that a selection has not decided yet. */
  readonly undecided: Int32Array
  readonly buckets: Float64Array

  constructor(vocabularySize: number) {
    invariant(vocabularySize >= 1 && vocabularySize <= MAX_VOCABULARY, `a vocabulary of ${vocabularySize} tokens cannot be sampled`)
    this.edited = new Float32Array(vocabularySize)
    this.blockSums = new Float64Array(Math.ceil(vocabularySize / BLOCK_TOKENS))
    this.ids = new Int32Array(vocabularySize)
    this.logits = new Float32Array(vocabularySize)
    this.weights = new Float64Array(vocabularySize)
    this.typicality = new Float64Array(vocabularySize)
    this.undecided = new Int32Array(vocabularySize)
    this.buckets = new Float64Array(BUCKETS)
  }
}

import type { z } from 'zod'
import type { GraphWeights } from '../../graph/decoder-graph.ts'
import type { GraphPlan } from '../../graph/graph-plan.ts'
import type { GgufFields } from './gguf-fields.ts'
import type { TensorTable } from './tensor-table.ts'

/** What the server must know of a model of any family. */
export interface ModelConfig {
  readonly layers: number
  readonly vocabulary: number
  /** Tokens, prompt and continuation together. */
  readonly context: number
  readonly kvHeads: number
  readonly headDim: number
}

/**
 * A family of models: how its files are read, and what is computed from them.
 * Parts that take a `Config` are methods, so that one list holds all families; each is given only what it has read
 * itself.
 */
export interface Family<Config extends ModelConfig = ModelConfig> {
  /** As people write it. */
  readonly title: string
  /** `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /**
   * Hyperparameters from config.json. Fields that change what is computed are read, and values that are not supported
   * refused.
   */
  readonly configJson: z.ZodType<Config>
  /** null where files converted to GGUF bear the name of another family. */
  readonly gguf: {
    /** `general.architecture` */
    readonly architecture: string
    /** @throws {ModelFileError} a key is missing, out of bounds, or has a value that is not supported */
    read(gguf: GgufFields): Config | Promise<Config>
  } | null
  /** Why the kernels cannot compute such a model, whatever file described it; null if they can. */
  problem(config: Config): string | null
  tensors(config: Config): TensorTable
  /** Names of tensors that repeat what the hyperparameters say. */
  readonly redundantTensors: RegExp
  /** Stands before the names of a checkpoint, unless it was saved from the model without its head. */
  readonly optionalPrefix?: string
  /** The forward pass, inputs and outputs as `DecoderGraph` has them. */
  forward(config: Config, weights: GraphWeights): GraphPlan
}

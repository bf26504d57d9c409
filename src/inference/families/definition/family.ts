import type { z } from 'zod'
import type { GraphWeights } from '../../graph/decoder-graph.ts'
import type { GraphPlan } from '../../graph/graph-plan.ts'
import type { GgufFields } from './gguf-fields.ts'
import type { TensorTable } from './tensor-table.ts'

/** Hyperparameters that the server needs from every family. */
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
 * Members that take a `Config` are methods, so that one list can contain all families; each family only receives
 * configurations that it has read itself.
 */
export interface Family<Config extends ModelConfig = ModelConfig> {
  /** Name for messages. */
  readonly title: string
  /** `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /**
   * Hyperparameters from config.json. All fields that affect the computation are read, and unsupported values are
   * rejected.
   */
  readonly configJson: z.ZodType<Config>
  /** null where GGUF converters use the name of another family. */
  readonly gguf: {
    /** `general.architecture` */
    readonly architecture: string
    /** @throws {ModelFileError} a key is missing, out of bounds, or has a value that is not supported */
    read(gguf: GgufFields): Config | Promise<Config>
  } | null
  /** Why the kernels do not support such a model; null if they do. */
  problem(config: Config): string | null
  tensors(config: Config): TensorTable
  /** Matches names of tensors whose content follows from the hyperparameters. */
  readonly redundantTensors: RegExp
  /** Prefix of the names in a checkpoint, except in checkpoints of the model without its head. */
  readonly optionalPrefix?: string
  /** Builds the graph of the forward pass; inputs and outputs as `DecoderGraph` defines them. */
  forward(config: Config, weights: GraphWeights): GraphPlan
}

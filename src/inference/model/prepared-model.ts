import { z } from 'zod'
import { LogitDistance } from './calibration/logit-distance.ts'

/** Values of the option `quantization`. */
export type QuantizationChoice = 'auto' | 'none' | 'int8' | 'native' | 'w8a8'

/**
 * The shape of a model: the one definition of these fields. The manifest, `PreparedModel` and the messages between
 * server and workers are derived from it.
 */
export const ModelShape = z.strictObject({
  architecture: z.string(),
  /** Number of weights in all tensors. */
  parameters: z.int().positive(),
  vocabularySize: z.int().positive(),
  /** Tokens, prompt and continuation together. */
  contextLength: z.int().positive(),
  layers: z.int().positive(),
  kvHeads: z.int().positive(),
  headDim: z.int().positive(),
  quantization: z.enum(['none', 'int8', 'native', 'w8a8'])
})
export type ModelShape = Readonly<z.infer<typeof ModelShape>>

/** A model ready to be loaded. Plain data: crosses IPC. */
export const PreparedModel = z.strictObject({
  ...ModelShape.shape,
  /** The ONNX model; its weights are in the same folder. */
  graphPath: z.string(),
  /**
   * The file that the graph was built from: a GGUF file contains the tokenizer too, a checkpoint has it in the same
   * folder.
   */
  sourcePath: z.string(),
  /** How far the predictions are from those with `--quantization auto`, where that was measured; otherwise null. */
  distance: LogitDistance.nullable(),
  /** Of an int8 cache: see `CacheScales`; null if the cache is float32. */
  cacheScales: z.array(z.number()).nullable(),
  /** How far the predictions are from those with a float32 cache; null with one. */
  cacheDistance: LogitDistance.nullable(),
  /** Identifies weights, quantization, graph and cache: two workers with the same hash generate the same tokens. */
  modelHash: z.string(),
  /** Keys and values of all layers. */
  cacheBytesPerToken: z.int().positive()
})
export type PreparedModel = Readonly<z.infer<typeof PreparedModel>>

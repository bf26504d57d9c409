import { z } from 'zod'
import { ModelShape } from '../prepared-model.ts'
import { LogitDistance } from './logit-distance.ts'

const Shape = ModelShape.pick({ layers: true, kvHeads: true, headDim: true, vocabularySize: true, contextLength: true })

const Reported = z.strictObject({ activation: z.string(), name: z.string(), values: z.int().positive() })

/**
 * What is measured with ONNX Runtime in a process of its own, before a model is served. `sourcePath` has the tokenizer.
 */
export const MeasureTask = z.discriminatedUnion('kind', [
  /** Which input channels stay in float32: see `chooseExactChannels`. */
  z.strictObject({
    kind: z.literal('exact-channels'),
    graphPath: z.string(),
    sourcePath: z.string(),
    shape: Shape,
    reported: z.array(Reported)
  }),
  /** The scales of an int8 cache, measured with the graph with a float32 cache: see `measureCacheScales`. */
  z.strictObject({ kind: z.literal('cache-scales'), graphPath: z.string(), sourcePath: z.string(), shape: Shape }),
  /** How far the logits of one graph are from those of another: see `logitDistance`. */
  z.strictObject({
    kind: z.literal('distance'),
    referencePath: z.string(),
    graphPath: z.string(),
    /** Of the other graph; null if its cache is float32. */
    cacheScales: z.array(z.number()).nullable(),
    sourcePath: z.string(),
    shape: Shape
  })
])
export type MeasureTask = z.infer<typeof MeasureTask>

/** The part of a model's shape that a task needs. */
export function measuredShape(model: ModelShape): MeasureTask['shape'] {
  return Shape.strip().parse(model)
}

/** Channels by activation. */
export const ChannelLists = z.record(z.string(), z.array(z.int().nonnegative()))
export type ChannelLists = z.infer<typeof ChannelLists>

/** The message of the process: its result, or why there is none. */
export const MeasureMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('exact-channels'), channels: ChannelLists }),
  z.strictObject({ kind: z.literal('cache-scales'), scales: z.array(z.number().positive()) }),
  z.strictObject({ kind: z.literal('distance'), distance: LogitDistance }),
  z.strictObject({ kind: z.literal('failed'), message: z.string() })
])
export type MeasureMessage = z.infer<typeof MeasureMessage>

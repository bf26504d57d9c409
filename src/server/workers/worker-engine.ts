import { z } from 'zod'
import type { Engine, EngineListener } from '../../inference/contract/engine.ts'
import { ServiceError } from '../../inference/contract/errors.ts'
import { BLOCK_TOKENS } from '../../inference/contract/model-runner.ts'
import { BatchEngine } from '../../inference/engine/batch-engine.ts'
import { probeDeterminism } from '../../inference/engine/determinism-probe.ts'
import type { PreparedModel } from '../../inference/model/prepared-model.ts'
import { attendsInTiles } from '../../inference/runtime/attention-kernel.ts'
import { openModelRunner } from '../../inference/runtime/onnx-model-runner.ts'
import { runtimeVersions } from '../../inference/runtime/versions.ts'
import { createSimulatedEngine } from '../../inference/simulated/simulated-engine.ts'
import { openTokenizer } from '../../inference/tokenizer/model-files/text-source.ts'
import { textSourceOf } from '../text-source.ts'

const Model = z.strictObject({
  graphPath: z.string(),
  sourcePath: z.string(),
  modelHash: z.string(),
  architecture: z.string(),
  parameters: z.number(),
  vocabularySize: z.int(),
  contextLength: z.int(),
  layers: z.int(),
  kvHeads: z.int(),
  headDim: z.int(),
  cacheBytesPerToken: z.int(),
  quantization: z.enum(['none', 'int8'])
}) satisfies z.ZodType<PreparedModel>

const Simulated = z.strictObject({
  engine: z.literal('simulated'),
  slots: z.int().min(1),
  contextLength: z.int().min(2),
  stepMs: z.number().min(0)
})

const Onnx = z.strictObject({
  engine: z.literal('onnx'),
  model: Model,
  slots: z.int().min(1),
  /** At most the model's own, and what the cache's budget holds. */
  contextLength: z.int().min(2),
  threads: z.int().min(1),
  spinning: z.boolean(),
  recovery: z.enum(['exact', 'fast']),
  cacheBudgetBytes: z.number()
})

/** What a worker needs to know to build its engine: plain data, sent by the server. */
export const EngineOptions = z.discriminatedUnion('engine', [Simulated, Onnx])
export type EngineOptions = z.infer<typeof EngineOptions>

/**
 * Shorter chunks would make running streams wait less and cost more; longer ones prefill a few per cent faster
 * (docs/performance.md).
 */
const CHUNK_TOKENS = 64
const LONE_CHUNK_TOKENS = 128

/**
 * @throws {ServiceError} when the model cannot be loaded, and could not be the next time: its message is shown to
 *   people
 */
export async function createEngine(options: EngineOptions, listener: EngineListener): Promise<Engine> {
  return options.engine === 'simulated' ? createSimulatedEngine({ ...options, listener }) : createBatchEngine(options, listener)
}

async function createBatchEngine(options: z.infer<typeof Onnx>, listener: EngineListener): Promise<Engine> {
  const { model } = options
  // The probe, and a dummy row where one is needed, take two.
  const slots = Math.max(2, options.slots)
  const blocks = Math.floor(options.cacheBudgetBytes / model.cacheBytesPerToken / BLOCK_TOKENS)
  const [runner, text] = await Promise.all([
    openModelRunner({ ...model, ...options, slots, blocks }),
    textSourceOf(model.sourcePath, model.vocabularySize).then(openTokenizer)
  ])
  const { loneRowDiffers, cutsDiffer } = await probeDeterminism(runner)
  return new BatchEngine({
    runner,
    text,
    description: {
      modelHash: model.modelHash,
      architecture: model.architecture,
      parameters: model.parameters,
      vocabularySize: model.vocabularySize,
      contextLength: options.contextLength,
      slots: options.slots,
      cacheBytesPerToken: model.cacheBytesPerToken,
      cacheBudgetBytes: options.cacheBudgetBytes
    },
    chunkTokens: CHUNK_TOKENS,
    loneChunkTokens: attendsInTiles(options.contextLength) ? CHUNK_TOKENS : LONE_CHUNK_TOKENS,
    minDecodeRows: loneRowDiffers ? 2 : 1,
    reusePrefixes: !cutsDiffer,
    persistentCache: {
      identity: JSON.stringify([runtimeVersions(), model.modelHash, slots, runner.rows, options.contextLength, runner.cacheBytesPerToken]),
      moveTo: descriptor => runner.moveCacheTo(descriptor),
      orphanedCacheIn: descriptor => runner.orphanedCacheIn(descriptor)
    },
    recovery: options.recovery,
    now: Date.now,
    listener,
    onCrash: endProcess
  })
}

/** Our own bug: the supervisor ends what the worker had, and starts another. */
function endProcess(error: unknown): void {
  console.error(error instanceof ServiceError ? error.message : error)
  process.exit(1)
}

import { z } from 'zod'
import type { Engine, EngineListener } from '../../inference/contract/engine.ts'
import { BLOCK_TOKENS } from '../../inference/contract/model-runner.ts'
import { BatchEngine } from '../../inference/engine/batch-engine.ts'
import { probeDeterminism } from '../../inference/engine/determinism-probe.ts'
import { PreparedModel } from '../../inference/model/prepared-model.ts'
import { textSourceOf } from '../../inference/model/text-source-of.ts'
import { attendsInTiles } from '../../inference/runtime/attention-kernel.ts'
import { runtimeVersions } from '../../inference/runtime/native/ort-library.ts'
import { openModelRunner } from '../../inference/runtime/onnx-model-runner.ts'
import { createSimulatedEngine } from '../../inference/simulated/simulated-engine.ts'
import { openTokenizer } from '../../inference/tokenizer/model-files/text-source.ts'

const Simulated = z.strictObject({
  engine: z.literal('simulated'),
  slots: z.int().min(1),
  contextLength: z.int().min(2),
  stepMs: z.number().min(0)
})

const Onnx = z.strictObject({
  engine: z.literal('onnx'),
  model: PreparedModel,
  slots: z.int().min(1),
  /** At most the model's context length, and at most what the cache budget holds. */
  contextLength: z.int().min(2),
  threads: z.int().min(1),
  spinning: z.boolean(),
  recovery: z.enum(['exact', 'fast']),
  cacheBudgetBytes: z.number()
})

/** Everything a worker needs to build its engine. Plain data, sent by the server. */
export const EngineOptions = z.discriminatedUnion('engine', [Simulated, Onnx])
export type EngineOptions = z.infer<typeof EngineOptions>

/**
 * Shorter chunks make running streams wait less and cost more; longer chunks prefill a few per cent faster
 * (docs/performance.md).
 */
const CHUNK_TOKENS = 64
const LONE_CHUNK_TOKENS = 128

/** The process around an engine. */
export interface EngineHost extends EngineListener {
  /** A bug has ended the engine. The process must not use it any more. */
  onCrash(error: unknown): void
}

/** @throws {ServiceError} when the model cannot be loaded and a retry would not help; its message is shown to users */
export async function createEngine(options: EngineOptions, host: EngineHost): Promise<Engine> {
  return options.engine === 'simulated' ? createSimulatedEngine({ ...options, listener: host }) : createBatchEngine(options, host)
}

async function createBatchEngine(options: z.infer<typeof Onnx>, host: EngineHost): Promise<Engine> {
  const { model } = options
  // The probe needs two, and so does a dummy row where one is needed.
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
    listener: host,
    onCrash: error => host.onCrash(error)
  })
}

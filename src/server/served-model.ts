import type { TextPort } from '../inference/contract/text-port.ts'
import { PROBE_POSITIONS } from '../inference/engine/determinism-probe.ts'
import { prepareModel } from '../inference/model/prepare-model.ts'
import type { PreparedModel } from '../inference/model/prepared-model.ts'
import { SIMULATED_CHAT_TEMPLATE, SIMULATED_WORDS } from '../inference/simulated/vocabulary.ts'
import { openTextPort } from '../inference/tokenizer/text-threads/threaded-text-port.ts'
import type { ModelCard } from '../routes/models/model-card.ts'
import { ExitError } from './config/exit-error.ts'
import { graphsFolder } from './config/graphs-folder.ts'
import type { ServeConfig } from './config/serve-config.ts'
import { megabytes, type Reporter } from './download/reporter.ts'
import { resolveModel } from './download/resolve-model.ts'
import { textSourceOf } from './text-source.ts'
import type { EngineOptions } from './workers/worker-engine.ts'

/** What the API process and its workers are told of the model. */
export interface ServedModel {
  readonly card: ModelCard
  readonly text: TextPort
  readonly engine: EngineOptions
}

/** Of a configuration, what decides how a model is loaded. */
export type LoadConfig = Pick<
  ServeConfig,
  | 'model'
  | 'servedModelName'
  | 'modelsFolder'
  | 'quantization'
  | 'network'
  | 'engine'
  | 'simulatedStepMs'
  | 'workers'
  | 'threads'
  | 'maxSlots'
  | 'maxContext'
  | 'cacheMemoryBytes'
  | 'recovery'
>

/** Context of the simulated engine, which has no model to set it. */
const SIMULATED_CONTEXT = 8192

/**
 * Finds the weights, downloads them if need be, and builds the graph if it is not there yet.
 *
 * @throws {ExitError | ModelFileError | ServiceError} the model cannot be had, read or put into words
 */
export async function loadServedModel(config: LoadConfig, reporter: Reporter): Promise<ServedModel> {
  const created = Math.floor(Date.now() / 1000)
  if (config.engine === 'simulated') {
    const contextLength = Math.min(SIMULATED_CONTEXT, config.maxContext ?? SIMULATED_CONTEXT)
    return {
      card: { servedModelName: config.servedModelName ?? 'simulated', contextLength, created, modelHash: 'simulated' },
      text: await openTextPort({ kind: 'words', words: SIMULATED_WORDS, chatTemplate: SIMULATED_CHAT_TEMPLATE }),
      engine: { engine: 'simulated', slots: config.maxSlots, contextLength, stepMs: config.simulatedStepMs }
    }
  }
  const location = await resolveModel(config, reporter)
  reporter.line(`Model ${location.name}: ${location.path}`)
  const model = await prepare(location.path, config, reporter)
  const cacheBudgetBytes = Math.floor(config.cacheMemoryBytes / Math.max(1, config.workers))
  const contextLength = contextWithin(model, cacheBudgetBytes, config)
  const text = await openTextPort(await textSourceOf(model.sourcePath, model.vocabularySize))
  for (const warning of text.facts.warnings) reporter.problem(`WARNING: ${warning}`)
  return {
    card: { servedModelName: config.servedModelName ?? location.name, contextLength, created, modelHash: model.modelHash },
    text,
    engine: {
      engine: 'onnx',
      model,
      slots: config.maxSlots,
      contextLength,
      threads: config.threads,
      // Threads that wait busily help a worker that has its cores to itself (measured: docs/decisions.md).
      spinning: config.workers === 1,
      recovery: config.recovery,
      cacheBudgetBytes
    }
  }
}

async function prepare(path: string, { quantization, modelsFolder }: LoadConfig, reporter: Reporter): Promise<PreparedModel> {
  let isAnnounced = false
  return await prepareModel({
    path,
    quantization,
    cacheFolder: graphsFolder(modelsFolder),
    onDamage: message => reporter.problem(message),
    onProgress: fraction => {
      if (isAnnounced || fraction >= 1) return
      isAnnounced = true
      reporter.line('Building the graph from the weights: once, a few seconds')
    }
  })
}

/** One row must fit the cache whole: a request that was admitted never waits for ever. */
function contextWithin(model: PreparedModel, cacheBudgetBytes: number, { maxContext }: LoadConfig): number {
  const affordable = Math.floor(cacheBudgetBytes / model.cacheBytesPerToken)
  const requested = Math.min(model.contextLength, maxContext ?? model.contextLength)
  if (maxContext !== null && affordable < requested) {
    throw new ExitError(
      2,
      `--max-context ${maxContext}: ${requested} tokens of cache take ${megabytes(requested * model.cacheBytesPerToken)}, ` +
        `and --cache-memory leaves ${megabytes(cacheBudgetBytes)} to each worker`
    )
  }
  const contextLength = Math.min(requested, affordable)
  if (contextLength < PROBE_POSITIONS) {
    const bound = `a worker needs ${PROBE_POSITIONS} tokens of context for the check at its start`
    throw new ExitError(
      2,
      affordable < requested
        ? `--cache-memory leaves ${megabytes(cacheBudgetBytes)} to each worker, room for ${affordable} tokens: ${bound}`
        : `${model.sourcePath}: this model has a context of ${model.contextLength} tokens: ${bound}`
    )
  }
  return contextLength
}

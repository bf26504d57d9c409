import { dirname, join } from 'node:path'
import type { TextPort } from '../inference/contract/text-port.ts'
import { prepareModel } from '../inference/model/prepare-model.ts'
import type { PreparedModel } from '../inference/model/prepared-model.ts'
import { SIMULATED_VOCABULARY_SIZE } from '../inference/simulated/vocabulary.ts'
import { openTextPort } from '../inference/tokenizer/threaded-text-port.ts'
import { openGguf } from '../inference/weights/gguf.ts'
import { ModelFileError } from '../inference/weights/model-file-error.ts'
import type { ModelCard } from '../routes/models/model-card.ts'
import { ExitError } from './config/exit-error.ts'
import type { ServeConfig } from './config/serve-config.ts'
import { megabytes, type Reporter } from './download/reporter.ts'
import { resolveModel } from './download/resolve-model.ts'
import type { EngineOptions } from './worker-engine.ts'

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
>

/** Context of the simulated engine, which has no model to set it. */
const SIMULATED_CONTEXT = 8192

/** Finds the weights, downloads them if need be, and builds the graph if it is not there yet. */
export async function loadServedModel(config: LoadConfig, reporter: Reporter): Promise<ServedModel> {
  const created = Math.floor(Date.now() / 1000)
  if (config.engine === 'simulated') {
    const contextLength = Math.min(SIMULATED_CONTEXT, config.maxContext ?? SIMULATED_CONTEXT)
    return {
      card: { servedModelName: config.servedModelName ?? 'simulated', contextLength, created, modelHash: 'simulated' },
      text: await openTextPort({ kind: 'bytes', vocabularySize: SIMULATED_VOCABULARY_SIZE }),
      engine: { engine: 'simulated', slots: config.maxSlots, contextLength, stepMs: config.simulatedStepMs }
    }
  }
  const location = await resolveModel(config, reporter)
  reporter.line(`Model ${location.name}: ${location.path}`)
  const model = await prepare(location.path, config, reporter)
  const cacheBudgetBytes = Math.floor(config.cacheMemoryBytes / config.workers)
  const contextLength = contextWithin(model, cacheBudgetBytes, config)
  return {
    card: { servedModelName: config.servedModelName ?? location.name, contextLength, created, modelHash: model.modelHash },
    text: await openText(model.sourcePath),
    engine: {
      engine: 'onnx',
      model,
      slots: config.maxSlots,
      contextLength,
      threads: config.threads,
      // Threads that wait busily help one worker alone, and hurt as soon as processes share the cores (measured: notes on performance).
      spinning: config.workers === 1,
      cacheBudgetBytes
    }
  }
}

async function prepare(path: string, { quantization, modelsFolder }: LoadConfig, reporter: Reporter): Promise<PreparedModel> {
  let saidSo = false
  try {
    return await prepareModel({
      path,
      quantization,
      cacheFolder: join(modelsFolder, '.graphs'),
      onProgress: fraction => {
        if (saidSo || fraction >= 1) return
        saidSo = true
        reporter.line('Building the graph from the weights: once, a few seconds')
      }
    })
  } catch (cause) {
    if (cause instanceof ModelFileError) throw new ExitError(1, cause.message, { cause })
    throw cause
  }
}

/** One row must fit the cache whole: a request that was admitted never waits for ever. */
function contextWithin(model: PreparedModel, cacheBudgetBytes: number, { maxContext }: LoadConfig): number {
  const affordable = Math.floor(cacheBudgetBytes / model.cacheBytesPerToken)
  const wanted = Math.min(model.contextLength, maxContext ?? model.contextLength)
  if (maxContext !== null && affordable < wanted) {
    throw new ExitError(
      2,
      `--max-context ${maxContext}: ${wanted} tokens of cache take ${megabytes(wanted * model.cacheBytesPerToken)}, ` +
        `and --cache-memory leaves ${megabytes(cacheBudgetBytes)} to each worker`
    )
  }
  return Math.min(wanted, affordable)
}

/** Weights name their tokenizer: GGUF files hold it, checkpoints have it beside them. */
async function openText(sourcePath: string): Promise<TextPort> {
  if (!sourcePath.endsWith('.gguf')) return openTextPort({ kind: 'folder', path: dirname(sourcePath) })
  await using file = await openGguf(sourcePath)
  const metadata = new Map([...file.metadata].filter(([key]) => key.startsWith('tokenizer.')))
  return openTextPort({ kind: 'gguf', metadata })
}

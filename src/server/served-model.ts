import type { TextPort } from '../inference/contract/text-port.ts'
import { PROBE_POSITIONS } from '../inference/engine/determinism-probe.ts'
import { type PrepareProgress, prepareModel } from '../inference/model/prepare-model.ts'
import type { PreparedModel } from '../inference/model/prepared-model.ts'
import { textSourceOf } from '../inference/model/text-source-of.ts'
import { SIMULATED_CHAT_TEMPLATE, SIMULATED_WORDS } from '../inference/simulated/vocabulary.ts'
import { openTextPort } from '../inference/tokenizer/text-threads/threaded-text-port.ts'
import type { ModelCard } from '../routes/models/model-card.ts'
import { ExitError } from './config/exit-error.ts'
import { graphsFolder, type LoadConfig } from './config/load-config.ts'
import { resolveModel } from './download/fetch-model.ts'
import { megabytes, type Progress, type Reporter } from './download/reporter.ts'
import { measuredQuality } from './measured-quality.ts'
import type { EngineOptions } from './workers/worker-engine.ts'

/** The model, for the API process and for its workers. */
export interface ServedModel {
  readonly card: ModelCard
  /**
   * Reading the tokenizer takes as long as the rest: workers load the model meanwhile. Rejected with a ServiceError
   * `unavailable` where it cannot be read; the caller awaits it, whatever else fails.
   */
  readonly text: Promise<TextPort>
  readonly engine: EngineOptions
}

/** Context length of the simulated engine, in tokens. */
const SIMULATED_CONTEXT = 8192

/** What the server does before its first start with a model. */
const STEPS: Readonly<Record<PrepareProgress['step'], string>> = {
  hash: 'Reading the model for its hash (first start only)',
  calibrate: 'Building a reference and calibrating with it (first start only)',
  build: 'Building the graph from the weights (first start only)',
  cache: 'Measuring the scales of the int8 cache (first start only)'
}

/**
 * Locates the weights, downloads them if they are missing, and builds the graph if it is not in the cache.
 *
 * @throws {ExitError | ModelFileError | ServiceError} the download failed, or the model cannot be read
 */
export async function loadServedModel(config: LoadConfig, reporter: Reporter): Promise<ServedModel> {
  const created = Math.floor(Date.now() / 1000)
  if (config.engine === 'simulated') {
    const contextLength = Math.min(SIMULATED_CONTEXT, config.maxContext ?? SIMULATED_CONTEXT)
    return {
      card: { servedModelName: config.servedModelName ?? 'simulated', contextLength, created, modelHash: 'simulated' },
      text: openTextPort({ kind: 'words', words: SIMULATED_WORDS, chatTemplate: SIMULATED_CHAT_TEMPLATE }),
      engine: { engine: 'simulated', slots: config.maxSlots, contextLength, stepMs: config.simulatedStepMs }
    }
  }
  const location = await resolveModel(config, reporter)
  reporter.line(`Model ${location.name}: ${location.path}`)
  const model = await prepare(location.path, config, reporter)
  for (const line of measuredQuality(model)) reporter.line(line)
  const cacheBudgetBytes = Math.floor(config.cacheMemoryBytes / Math.max(1, config.workers))
  const contextLength = contextWithin(model, cacheBudgetBytes, config)
  const text = openText(model, reporter)
  // Without a handler, an error before the caller awaits it would end the process.
  text.catch(() => {})
  return {
    card: { servedModelName: config.servedModelName ?? location.name, contextLength, created, modelHash: model.modelHash },
    text,
    engine: {
      engine: 'onnx',
      model,
      slots: config.maxSlots,
      contextLength,
      threads: config.threads,
      // Spinning threads speed up a worker that does not share its cores (measured: docs/decisions.md).
      spinning: config.workers === 1,
      recovery: config.recovery,
      cacheBudgetBytes
    }
  }
}

async function openText({ sourcePath, vocabularySize }: PreparedModel, reporter: Reporter): Promise<TextPort> {
  const text = await openTextPort(await textSourceOf(sourcePath, vocabularySize))
  for (const warning of text.facts.warnings) reporter.problem(`WARNING: ${warning}`)
  return text
}

async function prepare(path: string, { quantization, cacheType, modelsFolder }: LoadConfig, reporter: Reporter): Promise<PreparedModel> {
  const bar = new StepBar(reporter)
  try {
    const cacheFolder = graphsFolder(modelsFolder)
    return await prepareModel({
      path,
      quantization,
      cacheType,
      cacheFolder,
      onProgress: each => bar.update(each),
      onDamage: message => reporter.problem(message)
    })
  } finally {
    bar.end()
  }
}

/** One bar for each step of the preparation. */
class StepBar {
  readonly #reporter: Reporter
  #step: PrepareProgress['step'] | null = null
  #bar: Progress | null = null

  constructor(reporter: Reporter) {
    this.#reporter = reporter
  }

  update({ step, doneBytes, totalBytes }: PrepareProgress): void {
    if (step !== this.#step || this.#bar === null) {
      this.end()
      this.#reporter.line(STEPS[step])
      this.#step = step
      this.#bar = this.#reporter.progress(totalBytes, 0)
    }
    this.#bar.update(doneBytes)
  }

  end(): void {
    this.#bar?.end()
    this.#bar = null
  }
}

/** The cache must have room for one row of full length: otherwise an admitted request could wait forever. */
function contextWithin(model: PreparedModel, cacheBudgetBytes: number, { maxContext }: LoadConfig): number {
  const affordable = Math.floor(cacheBudgetBytes / model.cacheBytesPerToken)
  const requested = Math.min(model.contextLength, maxContext ?? model.contextLength)
  if (maxContext !== null && affordable < requested) {
    throw new ExitError(
      2,
      `--max-context ${maxContext} is too large: ${requested} tokens need ${megabytes(requested * model.cacheBytesPerToken)} of cache, ` +
        `and --cache-memory gives each worker ${megabytes(cacheBudgetBytes)}`
    )
  }
  const contextLength = Math.min(requested, affordable)
  if (contextLength < PROBE_POSITIONS) {
    const bound = `the self-test of a worker at its start needs at least ${PROBE_POSITIONS}`
    throw new ExitError(
      2,
      affordable < requested
        ? `--cache-memory gives each worker ${megabytes(cacheBudgetBytes)}, enough for ${affordable} tokens: ${bound}`
        : `${model.sourcePath} has a context of ${model.contextLength} tokens: ${bound}`
    )
  }
  return contextLength
}

import { buildApp } from './app.ts'
import { ExitError } from './config/exit-error.ts'
import type { ServeConfig } from './config/serve-config.ts'
import { megabytes, type Reporter } from './download/reporter.ts'
import { errorCode } from './error-facts.ts'
import { openLog } from './logger.ts'
import { fleetOf } from './observe/fleet.ts'
import { Metrics } from './observe/metrics.ts'
import { listen } from './plugins/listen.ts'
import { loadServedModel, type ServedModel } from './served-model.ts'
import { openServedQueue } from './served-queue.ts'
import { delayedSignal, handleShutdown } from './shutdown.ts'
import { cacheFilesFor } from './workers/cache-files.ts'
import { SUPERVISOR_DEFAULTS, Supervisor } from './workers/supervisor.ts'

/** Time after the deadline of the drain for clients to read the end of a response. */
const LAST_BYTES_MS = 2000

/** Starts the server and its workers, and prints its URL; resolves when it is ready. A signal ends it. */
export async function serve(config: ServeConfig, reporter: Reporter): Promise<void> {
  const served = await loadServedModel(config, reporter)
  const log = openLog(config.logLevel)
  const servedQueue = await openServedQueue(config, served.card.modelHash, log)
  const { queue, pool, workersAnywhere } = servedQueue
  const supervisor = new Supervisor({
    ...SUPERVISOR_DEFAULTS,
    workers: config.workers,
    spareWorkers: config.spareWorkers,
    argument: JSON.stringify(served.engine),
    pool,
    log,
    cacheFiles: cacheFilesFor(served.engine, config.workers),
    stepTimeoutMs: config.stepTimeoutSeconds * 1000
  })
  supervisor.start()
  const text = await served.text.catch((cause: unknown) => endWith(supervisor, cause))
  const shutdown = handleShutdown({
    drainMs: config.drainSeconds * 1000,
    drain: async (signal, remainingMs) => {
      await queue.drain(signal)
      await supervisor.stop(delayedSignal(signal, servedQueue.exitGraceMs), remainingMs())
      delayedSignal(signal, LAST_BYTES_MS).addEventListener('abort', () => app.server.closeAllConnections())
      await app.close()
      await servedQueue.close()
      await text.close()
    },
    killNow: () => supervisor.kill(),
    log,
    process
  })
  const metrics = new Metrics(served.card.servedModelName, fleetOf(supervisor, servedQueue))
  metrics.watchProcess()
  const app = buildApp({
    queue,
    text,
    card: served.card,
    metrics,
    status: {
      isHealthy: () => (config.workers === 0 || supervisor.isHealthy) && text.isHealthy,
      isReady: () => (supervisor.isReady || workersAnywhere() > 0) && text.isHealthy && !shutdown.begun.aborted,
      detail: () => ({ workers: supervisor.workers.length, text: text.isHealthy, draining: shutdown.begun.aborted }),
      depth: servedQueue.depth
    },
    isDraining: () => shutdown.begun.aborted,
    ...(servedQueue.board !== null && { queueBoard: servedQueue.board.plugin }),
    ...(servedQueue.isShared && { leaving: shutdown.begun }),
    apiKeys: config.apiKey === null ? [] : [config.apiKey],
    bindHost: config.host,
    strictParams: config.strictParams,
    clock: Date.now,
    logger: log
  })
  void supervisor.fatal.then(message => {
    reporter.problem(`everstream: ${message}`)
    shutdown.begin(message, 1)
  })

  const url = await listen(app, config).catch(async (cause: unknown) => {
    await text.close()
    return await endWith(supervisor, portError(cause, config))
  })
  if (config.workers > 0) printMemory(served, config, reporter)
  if (config.workers === 0) {
    printReady(url, served, config, reporter)
    return
  }
  const isReady = await Promise.race([supervisor.ready.then(() => true), supervisor.fatal.then(() => false)])
  if (isReady) printReady(url, served, config, reporter)
}

/** Ends the workers that have been started, so that the process can end with this error. */
async function endWith(supervisor: Supervisor, cause: unknown): Promise<never> {
  await supervisor.stop(AbortSignal.abort())
  throw cause
}

function portError(cause: unknown, { host, port }: ServeConfig): unknown {
  if (errorCode(cause) !== 'EADDRINUSE') return cause
  const fault = `port ${port} on ${host} is already in use`
  return new ExitError(1, `${fault}: stop the process that listens there, or choose another port with --port`, { cause })
}

function printMemory({ engine }: ServedModel, { workers, spareWorkers }: ServeConfig, reporter: Reporter): void {
  const spare = spareWorkers === 0 ? '' : ` (and ${spareWorkers} spare)`
  const many = `${workers === 1 ? '1 worker' : `${workers} workers`}${spare}`
  if (engine.engine === 'simulated') {
    reporter.line(`Starting ${many} with the simulated engine, without a model`)
    return
  }
  const { slots, contextLength, threads, cacheBudgetBytes, model } = engine
  const each = workers === 1 ? '' : ' each'
  reporter.line(
    `Starting ${many} with ${threads} threads${each}: ${slots} slots, ${contextLength} tokens of context, ` +
      `KV cache ${megabytes(model.cacheBytesPerToken * 1000)} per 1,000 tokens, at most ${megabytes(cacheBudgetBytes)}${each}`
  )
}

function printReady(url: string, { card, engine }: ServedModel, { apiKey }: ServeConfig, reporter: Reporter): void {
  const key = apiKey === null ? '' : ` -H 'Authorization: Bearer <your key>'`
  const prompt = engine.engine === 'simulated' ? 'Hello' : 'The capital of France is'
  const body = JSON.stringify({ model: card.servedModelName, prompt, max_tokens: 8, temperature: 0, stream: true })
  reporter.line(`Server ready at ${url}. Press Ctrl-C to stop. Try:`)
  reporter.line('')
  reporter.line(`  curl -N ${url}/v1/completions -H 'Content-Type: application/json'${key} -d '${body}'`)
  reporter.line('')
}

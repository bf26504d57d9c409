import { cpus } from 'node:os'
import { Endpoint } from '../requests/endpoint.ts'
import type { WorkloadOptions } from '../requests/workload.ts'
import { ClosedLoop } from './closed-loop.ts'
import type { CountsReport } from './counts.ts'
import { type MemoryReport, MemoryWatch } from './memory-watch.ts'
import { SoloTexts } from './solo-texts.ts'
import type { StreamOptions } from './stream-options.ts'

const PROGRESS_MS = 10_000

export interface StreamReport {
  readonly tool: 'stream-load'
  readonly date: string
  readonly cpu: string
  readonly model: string
  readonly maxTokens: number
  readonly levels: readonly ({ readonly clients: number } & CountsReport)[]
  readonly check: { readonly cases: number; readonly compared: number; readonly different: number } | null
  readonly memory: MemoryReport | null
  readonly passed: boolean
}

/** Runs every level of load. @param emit  receives lines of progress */
export async function streamRun(options: StreamOptions, stop: AbortSignal, emit: (line: string) => void): Promise<StreamReport> {
  const endpoint = new Endpoint(options.url, Math.max(...options.clients), options.apiKey)
  try {
    const model = options.model ?? (await endpoint.firstModel())
    emit(`${options.url} model ${model}, ${options.maxTokens} tokens per response`)
    const workload = { model, maxTokens: options.maxTokens, ignoreEos: options.ignoreEos }
    const solo = await soloTexts(endpoint, options, workload, emit)
    const memory = options.pid === null ? null : new MemoryWatch(options.pid)

    const nextIndex = numbering(options.checkCases)
    const levels: StreamReport['levels'][number][] = []
    for (const clients of options.clients) {
      if (stop.aborted) break
      levels.push({ clients, ...(await runLevel(endpoint, clients, { options, workload, solo, nextIndex }, stop, emit)) })
    }
    return report(model, options, levels, solo, memory?.stop() ?? null, emit)
  } finally {
    endpoint.close()
  }
}

async function soloTexts(
  endpoint: Endpoint,
  options: StreamOptions,
  workload: WorkloadOptions,
  emit: (line: string) => void
): Promise<SoloTexts | null> {
  if (options.checkCases === null) return null
  const startedAtMs = performance.now()
  const solo = await SoloTexts.gather(endpoint, options.checkCases, options.timeoutMs, workload)
  emit(`${options.checkCases} requests sent alone in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`)
  return solo
}

interface Level {
  readonly options: StreamOptions
  readonly workload: WorkloadOptions
  readonly solo: SoloTexts | null
  readonly nextIndex: () => number
}

/**
 * Numbers of requests: with `cases` in rotation; otherwise no number is used twice, across runs as well, so that the
 * server's prefix cache has no hits.
 */
function numbering(cases: number | null): () => number {
  let sent = cases === null ? Math.floor(Date.now() / 100) % 1_000_000_000 : 0
  return () => (cases === null ? sent++ : sent++ % cases)
}

async function runLevel(
  endpoint: Endpoint,
  clients: number,
  { options, workload, solo, nextIndex }: Level,
  stop: AbortSignal,
  emit: (line: string) => void
): Promise<CountsReport> {
  const loop = new ClosedLoop(endpoint, {
    ...workload,
    clients,
    durationMs: options.durationMs,
    warmupMs: options.warmupMs,
    timeoutMs: options.timeoutMs,
    nextIndex,
    onFinished: (index, outcome) => solo?.compare(index, outcome),
    onError: (index, error) => {
      if (loop.counts.report(performance.now()).errors <= 3) emit(`request ${index}: ${error.kind}: ${error.message}`)
    }
  })
  const timer = setInterval(() => emit(progressLine(clients, loop.counts.report(performance.now()), solo)), PROGRESS_MS)
  try {
    const result = await loop.run(stop)
    emit(progressLine(clients, result, solo))
    return result
  } finally {
    clearInterval(timer)
  }
}

function progressLine(clients: number, report: CountsReport, solo: SoloTexts | null): string {
  const different = solo === null ? '' : `, ${solo.different} of ${solo.compared} texts differ`
  return (
    `${clients} clients, ${report.seconds.toFixed(0)} s: ${report.requests} responses, ${report.tokensPerSecond.toFixed(1)} tokens/s, ` +
    `TTFT p50 ${report.ttftMs?.p50 ?? '-'} p99 ${report.ttftMs?.p99 ?? '-'} ms, ` +
    `inter-token p50 ${report.interTokenMs?.p50 ?? '-'} p99 ${report.interTokenMs?.p99 ?? '-'} ms, ${report.errors} errors${different}`
  )
}

function report(
  model: string,
  options: StreamOptions,
  levels: StreamReport['levels'],
  solo: SoloTexts | null,
  memory: MemoryReport | null,
  emit: (line: string) => void
): StreamReport {
  for (const example of solo?.examples ?? []) emit(example)
  if (memory !== null)
    emit(`memory by minute: ${memory.mebibytesByMinute.join(', ')} MiB; flat: ${memory.flatAfterFirstMinute ?? 'the run was too short'}`)
  const check = solo === null ? null : { cases: options.checkCases ?? 0, compared: solo.compared, different: solo.different }
  const answered = levels.length > 0 && levels.every(level => level.errors === 0 && level.requests > 0)
  return {
    tool: 'stream-load',
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    model,
    maxTokens: options.maxTokens,
    levels,
    check,
    memory,
    passed: answered && (check?.different ?? 0) === 0 && memory?.flatAfterFirstMinute !== false
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../load/requests/random.ts'
import type { FaultKind, FaultOptions } from './fault-options.ts'
import type { Fleet } from './fleet.ts'
import { HeldResources, type ResourceReport } from './held-resources.ts'
import { type CaseBody, mixedCases } from './mixed-cases.ts'
import { Pauses } from './pauses.ts'
import { redisLeftovers } from './redis-leftovers.ts'
import { type ReadText, readResuming } from './resuming-reader.ts'

const CASES = 45
/** A frozen worker continues after its lock has expired. */
const FREEZE_MS = 14_000
const PROGRESS_FAULTS = 20
const STREAM_TIMEOUT_MS = 300_000

export interface FaultReport extends ResourceReport {
  readonly faults: Readonly<Record<string, number>>
  readonly streams: number
  readonly wrong: readonly string[]
  readonly pauseMs: ReturnType<Pauses['report']>
  /** Keys that remain in Redis after all requests have ended. */
  readonly leftovers: readonly string[]
  readonly passed: boolean
}

/** Reads every case undisturbed, then repeatedly under faults, until the requested number of faults was injected. */
export async function faultRun(fleet: Fleet, options: FaultOptions, emit: (line: string) => void): Promise<FaultReport> {
  const cases = mixedCases(CASES, options.maxTokens, await servedModel(fleet))
  const undisturbed: string[] = []
  for (let at = 0; at < cases.length; at += options.streams) {
    const batch = cases.slice(at, at + options.streams)
    undisturbed.push(...(await Promise.all(batch.map(async body => canonical(await read(fleet, body, () => {}))))))
  }
  emit(`${cases.length} requests read undisturbed`)

  const resources = new HeldResources(() => fleet.apiPids())
  const pauses = new Pauses()
  const wrong: string[] = []
  const stopped = new AbortController()
  let streams = 0
  const reader = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const stream = streams++
      const index = stream % cases.length
      try {
        const text = canonical(await read(fleet, cases[index] ?? {}, () => pauses.chunk(stream)))
        if (text !== undisturbed[index]) wrong.push(`case ${index} differs:\n  ${text}\n  ${undisturbed[index]}`)
      } catch (error) {
        wrong.push(`case ${index} failed: ${error instanceof Error ? error.message : error}`)
      } finally {
        pauses.ended(stream)
      }
    }
  }
  const readers = Array.from({ length: options.streams }, reader)
  const faults = await inject(fleet, options, pauses, count => {
    resources.sample()
    emit(`${count} faults, ${streams} streams, ${wrong.length} wrong, pause ${JSON.stringify(pauses.report())}`)
  })
  stopped.abort()
  await Promise.all(readers)
  const leftovers = fleet.redisPort === null ? [] : await redisLeftovers(fleet.redisPort)
  const held = resources.report()
  return {
    ...held,
    faults,
    streams,
    wrong: wrong.slice(0, 10),
    pauseMs: pauses.report(),
    leftovers,
    passed: wrong.length === 0 && leftovers.length === 0 && held.flat
  }
}

async function inject(
  fleet: Fleet,
  options: FaultOptions,
  pauses: Pauses,
  progress: (count: number) => void
): Promise<Record<string, number>> {
  const random = seededRandom(options.seed)
  const counts: Record<string, number> = {}
  for (let count = 0; count < options.kills; ) {
    await sleep(random() * 2000 * options.meanSeconds)
    const kind = options.faults[Math.floor(random() * options.faults.length)] ?? 'kill'
    if (!(await injectOne(kind, fleet, random, pauses))) continue
    counts[kind] = (counts[kind] ?? 0) + 1
    count++
    if (count % PROGRESS_FAULTS === 0) progress(count)
  }
  return counts
}

/** @returns false when there was no process to disturb */
async function injectOne(kind: FaultKind, fleet: Fleet, random: () => number, pauses: Pauses): Promise<boolean> {
  if (kind === 'api') {
    pauses.fault()
    await fleet.killApi(Math.floor(random() * 2))
    return true
  }
  if (kind === 'restart') {
    pauses.fault()
    await fleet.restartApi(Math.floor(random() * 2))
    return true
  }
  if (kind === 'redis') {
    pauses.fault()
    await fleet.restartRedis(random() * 3000)
    return true
  }
  const pids = fleet.workerPids()
  const victim = pids[Math.floor(random() * pids.length)]
  if (victim === undefined) return false
  pauses.fault()
  if (kind === 'kill') return sendSignal(victim, 'SIGKILL')
  if (!sendSignal(victim, 'SIGSTOP')) return false
  await sleep(FREEZE_MS)
  sendSignal(victim, 'SIGCONT')
  return true
}

/** @returns false when the process has ended */
function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

function read(fleet: Fleet, body: CaseBody, onChunk: () => void): Promise<ReadText> {
  return readResuming(body, { endpoints: () => fleet.endpoints(), onChunk, timeoutMs: STREAM_TIMEOUT_MS })
}

function canonical(text: ReadText): string {
  return JSON.stringify(text)
}

async function servedModel(fleet: Fleet): Promise<string> {
  const response = await fetch(`${fleet.endpoints()[0]}/v1/models`)
  const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
  return data[0]?.id ?? ''
}

import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownResidentBytes } from '../../load/process-tree.ts'
import { type Server, startServer } from '../end-to-end/start-server.ts'
import type { Attack, Endpoint, Target } from './attack.ts'
import { Canary, type Probe } from './canary.ts'
import type { FuzzOptions } from './fuzz-options.ts'
import { pipelineMuch, sendMuch } from './heavy-attacks.ts'
import type { JsonSchema } from './hostile-json.ts'
import { breakFraming, leave, read, sendBody } from './http-attacks.ts'
import { Random } from './random.ts'
import { floodSocket } from './socket-attacks.ts'

/** Each is chosen as often as it stands here. */
const ATTACKS: readonly Attack[] = [
  sendBody,
  sendBody,
  sendBody,
  sendBody,
  read,
  leave,
  leave,
  breakFraming,
  breakFraming,
  floodSocket,
  floodSocket,
  sendMuch,
  pipelineMuch
]
/** Odd, so that seeds and numbers of attacks do not meet. */
const SEED_STRIDE = 1_000_003
const GRACE_SECONDS = 1
/** What clients have left behind ends within this. */
const QUIET_MS = 40_000
/** Idle connections of the client that measures, and of this process. */
const SPARE_FILES = 8
const EXIT_MS = 10_000
/** Of the memory at the end to that of the first third: what garbage collection leaves varies. */
const MEMORY_FACTOR = 1.5
const SPARE_BYTES = 256 * 2 ** 20
const SAMPLE_MS = 500
/** Of the log of a server that has ended. */
const SHOWN_LINES = 30
/** Levels of the log from which on a line is a bug. */
const ERROR_LEVEL = 50

export interface FuzzReport {
  readonly faults: readonly string[]
  readonly attacks: number
  readonly probes: number
  /** Of the client that does nothing wrong, without the time that there was no processor for it. */
  readonly slowestMs: number
  /** Number of responses with Retry-After. */
  readonly refused: number
  /** From SIGTERM to the exit. */
  readonly exitMs: number
}

/** Attacks a server of its own until the time is over, and reports everything that it must not do. */
export async function fuzzRun(options: FuzzOptions, report: (fault: string) => void): Promise<FuzzReport> {
  const { engine, redisUrl, seed, only, maxDelayMs } = options
  await using server = await startServer([
    ...(engine === 'simulated' ? ['--engine', 'simulated', '--simulated-step-ms', '1', '--max-slots', '512'] : []),
    ...(redisUrl === null ? [] : ['--redis-url', redisUrl, '--redis-prefix', `fuzz-${process.pid}`]),
    '--resume-grace-seconds',
    String(GRACE_SECONDS),
    '--stream-retention-seconds',
    '5'
  ])
  const target = await targetOf(server, engine)
  const pid = Number(server.log()[0]?.['pid'])
  const filesBefore = openFiles(pid)
  const faults: string[] = []
  const found = (fault: string): void => {
    faults.push(fault)
    report(fault)
  }
  const running = new Map<number, string>()
  const probes = { count: 0, slowestMs: 0, refused: 0 }
  const canary = new Canary(server.url, target.model, [pid, ...server.workerPids()], probe => {
    const lateMs = probe.ms - probe.starvedMs
    probes.count++
    probes.slowestMs = Math.max(probes.slowestMs, lateMs)
    if (probe.status === 503) probes.refused++
    const fault = faultOf(probe, maxDelayMs)
    if (fault !== null) found(`${fault}, while these attacks ran: ${[...running].map(([number, name]) => `${number} ${name}`).join(', ')}`)
  })
  const memory: number[] = []
  const sampling = setInterval(() => memory.push(ownResidentBytes(pid)), SAMPLE_MS)

  let hasEnded = false
  void server.ended.then(() => {
    hasEnded = true
  })
  const endMs = performance.now() + options.seconds * 1000
  const last = only ?? options.count - 1
  let next = only ?? 0
  const client = async (): Promise<void> => {
    while (next <= last && performance.now() < endMs && !hasEnded) {
      const number = next++
      const random = new Random(seed * SEED_STRIDE + number)
      const attack = random.pick(ATTACKS)
      running.set(number, attack.name)
      for (const fault of await attack(target, random)) found(`attack ${number} (${attack.name}): ${fault}`)
      running.delete(number)
    }
  }
  await Promise.all(Array.from({ length: options.clients }, client))
  const attacks = next - (only ?? 0)
  clearInterval(sampling)
  await canary.stop()

  if (hasEnded) {
    found(`the server ended: ${JSON.stringify(await server.ended)}\n${server.stderr.slice(-SHOWN_LINES).join('\n')}`)
    return { faults, attacks, probes: probes.count, slowestMs: probes.slowestMs, refused: probes.refused, exitMs: 0 }
  }
  for (const fault of await leaksOf(server, pid, filesBefore)) found(fault)
  const growth = growthOf(memory)
  if (growth !== null) found(growth)
  const signalledAtMs = performance.now()
  server.signal('SIGTERM')
  const exited = await Promise.race([server.ended, sleep(EXIT_MS, null, { ref: false })])
  if (exited === null) found(`no exit within ${EXIT_MS} ms of SIGTERM`)
  else if (exited.code !== 0) found(`an exit with ${JSON.stringify(exited)}`)
  const exitMs = Math.round(performance.now() - signalledAtMs)
  const log = server.log()
  for (const line of log.filter(({ level }) => Number(level) >= ERROR_LEVEL)) {
    const ofRequest = log.filter(({ requestId }) => requestId === line['requestId'])
    found(`an error in the log: ${JSON.stringify(line['requestId'] === undefined ? line : ofRequest)}`)
  }
  if (server.workerPids().length > 1) found(`${server.workerPids().length - 1} workers died`)
  return { faults, attacks, probes: probes.count, slowestMs: probes.slowestMs, refused: probes.refused, exitMs }
}

function faultOf({ path, status, ms, starvedMs }: Probe, maxDelayMs: number): string | null {
  if (status !== 200 && status !== 503) return `${path} was answered with ${status ?? 'nothing'}`
  if (status === 503 && path === '/health') return 'the server was unhealthy'
  return ms - starvedMs > maxDelayMs ? `${path} took ${ms} ms (of it ${starvedMs} ms without a processor)` : null
}

/** When all attackers are gone, nothing may be left of them. */
async function leaksOf(server: Server, pid: number, filesBefore: number): Promise<readonly string[]> {
  const untilMs = performance.now() + QUIET_MS
  for (;;) {
    const left = await leftOvers(server, pid, filesBefore)
    if (left.length === 0 || performance.now() > untilMs) return left
    await sleep(SAMPLE_MS)
  }
}

async function leftOvers({ url }: Server, pid: number, filesBefore: number): Promise<readonly string[]> {
  const health = await fetch(`${url}/health`)
  const ready = (await (await fetch(`${url}/ready`)).json()) as { readonly running?: number; readonly waiting?: number }
  const files = openFiles(pid)
  return [
    ...(health.status === 200 ? [] : [`unhealthy at the end: ${health.status}`]),
    ...(ready.running === 0 && ready.waiting === 0 ? [] : [`requests left at the end: ${JSON.stringify(ready)}`]),
    ...(files <= filesBefore + SPARE_FILES ? [] : [`${files} open files at the end, ${filesBefore} at the start`])
  ]
}

function growthOf(samples: readonly number[]): string | null {
  const third = Math.floor(samples.length / 3)
  if (third === 0) return null
  const early = Math.max(...samples.slice(0, third))
  const late = Math.min(...samples.slice(-third))
  return late <= early * MEMORY_FACTOR + SPARE_BYTES ? null : `memory grew from ${early} bytes in the first third to ${late} in the last`
}

/** Linux only; 0 elsewhere. */
function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

interface OpenApi {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> } }>>
    >
  >
}

/** The server's own document names every endpoint and every field. */
async function targetOf({ url }: Server, engine: FuzzOptions['engine']): Promise<Target> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi
  const endpoints = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, { requestBody }]): Endpoint => ({ method, path, body: requestBody?.content['application/json']?.schema ?? null })
    )
  )
  return {
    port: Number(new URL(url).port),
    model: engine === 'simulated' ? 'simulated' : 'smollm2-135m-instruct',
    endpoints,
    streamIds: []
  }
}

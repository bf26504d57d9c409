import { resolve } from 'node:path'
import { PROBE_POSITIONS } from '../../inference/engine/determinism-probe.ts'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { isLoopback } from './loopback.ts'
import { type Machine, thisMachine } from './machine.ts'
import { type NetworkSettings, networkSettings } from './network-settings.ts'
import { OPTIONS, type OptionKey } from './options.ts'
import { type OptionValues, parseOptions } from './parse-options.ts'

/** Of one text, not of a server. */
type TextOption = 'maxTokens' | 'temperature' | 'seed'
type ServeOption = Exclude<OptionKey, TextOption>

export const SERVE_OPTIONS = (Object.keys(OPTIONS) as OptionKey[]).filter(key => OPTIONS[key].group !== 'Text') as ServeOption[]

/** What `serve` runs on: every option, and nothing left for the machine to decide. */
export interface ServeConfig extends Omit<OptionValues<ServeOption>, 'threads' | 'cacheMemory'> {
  /** Absolute. */
  readonly modelsFolder: string
  /** Per worker. */
  readonly threads: number
  /** For all workers together. */
  readonly cacheMemoryBytes: number
  readonly network: NetworkSettings
}

/** @throws {ExitError} 2, with one line for each mistake there is */
export function readServeConfig(argv: readonly string[], environment: Environment, machine: Machine = thisMachine()): ServeConfig {
  const { values, positionals, mistakes } = parseOptions(SERVE_OPTIONS, argv, environment)
  const { threads, cacheMemory, ...rest } = values
  const wrong = [
    ...mistakes,
    ...positionals.map(word => `unexpected argument ${JSON.stringify(word)}`),
    ...tooOpen(values),
    ...idle(values),
    ...tooShort(values),
    ...tooCurious(values)
  ]
  if (wrong.length > 0) throw new ExitError(2, wrong.join('\n'))
  return {
    ...rest,
    modelsFolder: resolve(rest.modelsFolder),
    ...shareOf(machine, { threads, cacheMemory, workers: rest.workers }),
    network: networkSettings(environment)
  }
}

/**
 * A worker compares two ways to compute a short text before it is ready; the simulated engine has nothing to compare.
 */
export function tooShort({ maxContext, engine }: OptionValues<'maxContext' | 'engine'>): string[] {
  if (engine === 'simulated' || maxContext === null || maxContext >= PROBE_POSITIONS) return []
  return [`--max-context ${maxContext}: give at least ${PROBE_POSITIONS}, which the check at the start of a worker takes`]
}

/** What the operator leaves open, the machine decides. */
export function shareOf(machine: Machine, { threads, cacheMemory, workers }: OptionValues<'threads' | 'cacheMemory' | 'workers'>) {
  return {
    threads: threads ?? Math.max(1, Math.floor(machine.cores / Math.max(1, workers))),
    cacheMemoryBytes: cacheMemory ?? Math.floor(machine.memoryBytes / 2)
  }
}

function tooOpen({ host, apiKey, insecureOpen }: OptionValues<ServeOption>): string[] {
  if (apiKey !== null || insecureOpen || isLoopback(host)) return []
  return [`--host ${host} lets other machines in, and no API key is set: set API_KEY (--api-key), or --insecure-open to serve everyone`]
}

function tooCurious({ admin, redisUrl, host }: OptionValues<ServeOption>): string[] {
  if (!admin) return []
  return [
    ...(redisUrl === null ? ['--admin shows the queue in Redis: it needs --redis-url'] : []),
    ...(isLoopback(host) ? [] : [`--admin is for this machine alone: it cannot be served on --host ${host}`])
  ]
}

function idle({ workers, redisUrl }: OptionValues<ServeOption>): string[] {
  return workers === 0 && redisUrl === null ? ['--workers 0 leaves the work to others, who need --redis-url to find it'] : []
}

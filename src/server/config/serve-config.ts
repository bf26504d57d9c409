import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { contextMistakes, type LoadConfig, type Machine, machineDefaults, thisMachine } from './load-config.ts'
import { networkSettings } from './network-settings.ts'
import { OPTIONS, type OptionKey } from './options.ts'
import { type OptionValues, parseOptions, unexpectedArguments } from './parse-options.ts'

/** Options of one generation, not of a server. */
type TextOption = 'maxTokens' | 'temperature' | 'seed'
type ServeOption = Exclude<OptionKey, TextOption>

export const SERVE_OPTIONS = (Object.keys(OPTIONS) as OptionKey[]).filter(key => OPTIONS[key].group !== 'Text') as ServeOption[]

/** The configuration of `serve`: a value for every option, defaults included. */
export interface ServeConfig extends LoadConfig, Omit<OptionValues<ServeOption>, keyof LoadConfig | 'cacheMemory'> {}

/** @throws {ExitError} 2, with one line for each mistake */
export function readServeConfig(argv: readonly string[], environment: Environment, machine: Machine = thisMachine()): ServeConfig {
  const { values, positionals, mistakes } = parseOptions(SERVE_OPTIONS, argv, environment)
  const { threads, cacheMemory, ...rest } = values
  const wrong = [
    ...mistakes,
    ...unexpectedArguments(positionals),
    ...openHostMistakes(values),
    ...workerMistakes(values),
    ...contextMistakes(values),
    ...adminMistakes(values)
  ]
  if (wrong.length > 0) throw new ExitError(2, wrong.join('\n'))
  return {
    ...rest,
    modelsFolder: resolve(rest.modelsFolder),
    ...machineDefaults(machine, { threads, cacheMemory, workers: rest.workers }),
    network: networkSettings(environment)
  }
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** Whether only this machine can reach a server on that host: `localhost`, or an address of the loopback interface. */
export function isLoopback(host: string): boolean {
  const version = isIP(host)
  return version === 0 ? host.toLowerCase() === 'localhost' : LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

function openHostMistakes({ host, apiKey, insecureOpen }: OptionValues<ServeOption>): string[] {
  if (apiKey !== null || insecureOpen || isLoopback(host)) return []
  return [
    `--host ${host} accepts connections from other machines, and no API key is set: set API_KEY (--api-key), or --insecure-open to serve without a key`
  ]
}

function adminMistakes({ admin, redisUrl, host }: OptionValues<ServeOption>): string[] {
  if (!admin) return []
  return [
    ...(redisUrl === null ? ['--admin needs --redis-url: it shows the queue in Redis'] : []),
    ...(isLoopback(host) ? [] : [`--admin needs a loopback --host, not ${host}`])
  ]
}

function workerMistakes({ workers, redisUrl }: OptionValues<ServeOption>): string[] {
  return workers === 0 && redisUrl === null
    ? ['--workers 0 needs --redis-url: without a shared queue nothing would process the requests']
    : []
}

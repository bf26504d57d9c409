import { resolve } from 'node:path'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { contextMistakes, type LoadConfig, type Machine, machineDefaults, thisMachine } from './load-config.ts'
import { networkSettings } from './network-settings.ts'
import { type OptionValues, parseOptions, unexpectedArguments } from './parse-options.ts'

export const WORKER_OPTIONS = [
  'model',
  'modelsFolder',
  'quantization',
  'redisUrl',
  'redisPrefix',
  'redisShards',
  'logLevel',
  'workers',
  'spareWorkers',
  'threads',
  'maxSlots',
  'maxContext',
  'cacheType',
  'cacheMemory',
  'recovery',
  'engine',
  'simulatedStepMs',
  'drainSeconds',
  'stepTimeoutSeconds'
] as const
type WorkerOption = (typeof WORKER_OPTIONS)[number]

/** The configuration of `worker`. */
export interface WorkerConfig extends Omit<OptionValues<Exclude<WorkerOption, keyof LoadConfig>>, 'cacheMemory' | 'redisUrl'> {
  readonly load: LoadConfig
  readonly redisUrl: string
}

/** @throws {ExitError} 2, with one line for each mistake */
export function readWorkerConfig(argv: readonly string[], environment: Environment, machine: Machine = thisMachine()): WorkerConfig {
  const { values, positionals, mistakes } = parseOptions(WORKER_OPTIONS, argv, environment)
  const { redisUrl, threads, cacheMemory, workers } = values
  const wrong = [...mistakes, ...unexpectedArguments(positionals), ...contextMistakes(values)]
  if (redisUrl === null && mistakes.length === 0) wrong.push('worker needs --redis-url (REDIS_URL): the Redis that holds the queue')
  if (workers === 0) wrong.push('--workers must be at least 1, not 0')
  if (wrong.length > 0 || redisUrl === null) throw new ExitError(2, wrong.join('\n'))
  return {
    ...values,
    redisUrl,
    load: {
      ...values,
      servedModelName: null,
      modelsFolder: resolve(values.modelsFolder),
      ...machineDefaults(machine, { threads, cacheMemory, workers }),
      network: networkSettings(environment)
    }
  }
}

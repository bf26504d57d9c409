import { resolve } from 'node:path'
import type { LoadConfig } from '../served-model.ts'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { type Machine, thisMachine } from './machine.ts'
import { networkSettings } from './network-settings.ts'
import { type OptionValues, parseOptions } from './parse-options.ts'
import { shareOf, tooShort } from './serve-config.ts'

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
  'cacheMemory',
  'recovery',
  'engine',
  'simulatedStepMs',
  'drainSeconds',
  'stepTimeoutSeconds'
] as const
type WorkerOption = (typeof WORKER_OPTIONS)[number]

/** What `worker` runs on. */
export interface WorkerConfig extends Omit<OptionValues<Exclude<WorkerOption, keyof LoadConfig>>, 'cacheMemory' | 'redisUrl'> {
  readonly load: LoadConfig
  readonly redisUrl: string
}

/** @throws {ExitError} 2, with one line for each mistake there is */
export function readWorkerConfig(argv: readonly string[], environment: Environment, machine: Machine = thisMachine()): WorkerConfig {
  const { values, positionals, mistakes } = parseOptions(WORKER_OPTIONS, argv, environment)
  const { redisUrl, threads, cacheMemory, workers } = values
  const wrong = [...mistakes, ...positionals.map(word => `unexpected argument ${JSON.stringify(word)}`), ...tooShort(values)]
  if (redisUrl === null && mistakes.length === 0) wrong.push('a worker needs --redis-url (REDIS_URL): the queue it works for')
  if (workers === 0) wrong.push('--workers 0 is no worker at all')
  if (wrong.length > 0 || redisUrl === null) throw new ExitError(2, wrong.join('\n'))
  return {
    ...values,
    redisUrl,
    load: {
      ...values,
      servedModelName: null,
      modelsFolder: resolve(values.modelsFolder),
      ...shareOf(machine, { threads, cacheMemory, workers }),
      network: networkSettings(environment)
    }
  }
}

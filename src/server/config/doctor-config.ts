import { resolve } from 'node:path'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { type Machine, thisMachine } from './machine.ts'
import { type OptionValues, parseOptions } from './parse-options.ts'
import { shareOf, tooShort } from './serve-config.ts'

export const DOCTOR_OPTIONS = [
  'model',
  'modelsFolder',
  'quantization',
  'host',
  'port',
  'redisUrl',
  'workers',
  'threads',
  'maxSlots',
  'maxContext',
  'cacheMemory'
] as const

/** What `serve` would be told, as far as it can be examined before. */
export interface DoctorConfig extends Omit<OptionValues<(typeof DOCTOR_OPTIONS)[number]>, 'threads' | 'cacheMemory'> {
  /** Per worker. */
  readonly threads: number
  /** For all workers together. */
  readonly cacheMemoryBytes: number
  readonly machine: Machine
  /** `PATH`: where programs are looked for. */
  readonly path: string | undefined
}

/** @throws {ExitError} 2, with one line for each mistake there is */
export function readDoctorConfig(argv: readonly string[], environment: Environment, machine: Machine = thisMachine()): DoctorConfig {
  const { values, positionals, mistakes } = parseOptions(DOCTOR_OPTIONS, argv, environment)
  const wrong = [
    ...mistakes,
    ...positionals.map(word => `unexpected argument ${JSON.stringify(word)}`),
    ...tooShort({ ...values, engine: 'onnx' })
  ]
  if (wrong.length > 0) throw new ExitError(2, wrong.join('\n'))
  return {
    ...values,
    modelsFolder: resolve(values.modelsFolder),
    ...shareOf(machine, values),
    machine,
    path: environment['PATH']
  }
}

import { resolve } from 'node:path'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { contextMistakes, type Machine, machineDefaults, thisMachine } from './load-config.ts'
import { type OptionValues, parseOptions, unexpectedArguments } from './parse-options.ts'

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
  'cacheType',
  'cacheMemory'
] as const

/** The part of the configuration of `serve` that can be checked before a start. */
export interface DoctorConfig extends Omit<OptionValues<(typeof DOCTOR_OPTIONS)[number]>, 'threads' | 'cacheMemory'> {
  /** Per worker. */
  readonly threads: number
  /** For all workers together. */
  readonly cacheMemoryBytes: number
  readonly machine: Machine
  /** `PATH`, searched for programs. */
  readonly path: string | undefined
}

/** @throws {ExitError} 2, with one line for each mistake */
export function readDoctorConfig(argv: readonly string[], environment: Environment, machine: Machine = thisMachine()): DoctorConfig {
  const { values, positionals, mistakes } = parseOptions(DOCTOR_OPTIONS, argv, environment)
  const wrong = [...mistakes, ...unexpectedArguments(positionals), ...contextMistakes({ ...values, engine: 'onnx' })]
  if (wrong.length > 0) throw new ExitError(2, wrong.join('\n'))
  return {
    ...values,
    modelsFolder: resolve(values.modelsFolder),
    ...machineDefaults(machine, values),
    machine,
    path: environment['PATH']
  }
}

import { resolve } from 'node:path'
import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'
import { contextMistakes, type LoadConfig, type Machine, machineDefaults, thisMachine } from './load-config.ts'
import { networkSettings } from './network-settings.ts'
import { parseOptions } from './parse-options.ts'

export const GENERATE_OPTIONS = [
  'maxTokens',
  'temperature',
  'seed',
  'model',
  'modelsFolder',
  'quantization',
  'threads',
  'maxContext',
  'cacheType',
  'engine',
  'simulatedStepMs'
] as const

export interface GenerateConfig {
  readonly load: LoadConfig
  /** null: read it from standard input. */
  readonly prompt: string | null
  readonly maxTokens: number
  readonly temperature: number
  /** null: choose one at random. */
  readonly seed: number | null
}

/** @throws {ExitError} 2, with one line for each mistake */
export function readGenerateConfig(
  argv: readonly string[],
  environment: Environment,
  { isPiped, machine = thisMachine() }: { readonly isPiped: boolean; readonly machine?: Machine }
): GenerateConfig {
  const { values, positionals, mistakes } = parseOptions(GENERATE_OPTIONS, argv, environment)
  const { maxTokens, temperature, seed, threads, ...rest } = values
  const [prompt = null, ...extra] = positionals
  const wrong = [...mistakes, ...misuse(prompt, extra, isPiped), ...contextMistakes(values)]
  if (wrong.length > 0) throw new ExitError(2, wrong.join('\n'))
  return {
    load: {
      ...rest,
      servedModelName: null,
      modelsFolder: resolve(rest.modelsFolder),
      workers: 1,
      maxSlots: 1,
      recovery: 'exact',
      ...machineDefaults(machine, { threads, cacheMemory: null, workers: 1 }),
      network: networkSettings(environment)
    },
    prompt: prompt === '-' ? null : prompt,
    maxTokens,
    temperature,
    seed
  }
}

function misuse(prompt: string | null, extra: readonly string[], isPiped: boolean): string[] {
  if (prompt === null && !isPiped) return ['generate needs a prompt: everstream generate "The capital of France is"']
  if (extra.length === 0) return []
  return [`generate takes one prompt, not ${1 + extra.length} arguments: put the prompt in quotes`]
}

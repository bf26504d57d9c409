import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { PROBE_POSITIONS } from '../../inference/engine/determinism-probe.ts'
import type { NetworkSettings } from './network-settings.ts'
import type { OptionValues } from './parse-options.ts'

/** The settings that decide how a model is loaded. */
export interface LoadConfig
  extends OptionValues<
    | 'model'
    | 'servedModelName'
    | 'quantization'
    | 'engine'
    | 'simulatedStepMs'
    | 'workers'
    | 'maxSlots'
    | 'maxContext'
    | 'cacheType'
    | 'recovery'
  > {
  /** Absolute. */
  readonly modelsFolder: string
  /** Per worker. */
  readonly threads: number
  /** For all workers together. */
  readonly cacheMemoryBytes: number
  readonly network: NetworkSettings
}

/** The resources that this process may use, limits of containers included. */
export interface Machine {
  readonly cores: number
  readonly memoryBytes: number
}

export function thisMachine(): Machine {
  const limitBytes = process.constrainedMemory() // 0 or 2^64: none
  return {
    cores: availableParallelism(),
    memoryBytes: limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem()
  }
}

/** Replaces options that were not given by values that fit the machine. */
export function machineDefaults(machine: Machine, { threads, cacheMemory, workers }: OptionValues<'threads' | 'cacheMemory' | 'workers'>) {
  return {
    threads: threads ?? Math.max(1, Math.floor(machine.cores / Math.max(1, workers))),
    cacheMemoryBytes: cacheMemory ?? Math.floor(machine.memoryBytes / 2)
  }
}

/**
 * A worker computes a short text in two ways before it is ready and compares the results; the simulated engine does
 * not.
 */
export function contextMistakes({ maxContext, engine }: OptionValues<'maxContext' | 'engine'>): string[] {
  if (engine === 'simulated' || maxContext === null || maxContext >= PROBE_POSITIONS) return []
  return [`--max-context ${maxContext} must be at least ${PROBE_POSITIONS}: the self-test of a worker at its start needs that many tokens`]
}

/** Holds the graphs built from weights: next to the models, so that one folder contains everything fetched or built. */
export function graphsFolder(modelsFolder: string): string {
  return join(modelsFolder, '.graphs')
}

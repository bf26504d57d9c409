import { z } from 'zod'
import type { Engine, StepEvents } from '../inference/contract/engine.ts'
import { ServiceError } from '../inference/contract/errors.ts'

/** What a worker needs to know to build its engine: plain data, sent by the server. */
export const EngineOptions = z.strictObject({
  engine: z.literal('simulated'),
  slots: z.int().min(1),
  contextLength: z.int().min(2),
  stepMs: z.number().min(0)
})
export type EngineOptions = z.infer<typeof EngineOptions>

/** @throws {ServiceError} when the model cannot be loaded, and could not be the next time: its message is shown to people */
export async function createEngine(options: EngineOptions, _emit: (events: StepEvents) => void): Promise<Engine> {
  throw new ServiceError('unavailable', `the ${options.engine} engine is not here yet`)
}

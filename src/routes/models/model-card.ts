import { ServiceError } from '../../inference/contract/errors.ts'

/** The facts about the served model that the API process publishes. */
export interface ModelCard {
  /** The value of `model` in requests. */
  readonly servedModelName: string
  /** Maximum number of tokens of prompt and completion together. */
  readonly contextLength: number
  /** Unix seconds. */
  readonly created: number
  /** Identifies weights and quantization, see EngineDescription; null until a worker has reported it. */
  readonly modelHash: string | null
}

/** `system_fingerprint`: responses with the same fingerprint and seed are reproducible. */
export function systemFingerprint(card: ModelCard): string | null {
  return card.modelHash === null ? null : `fp_${card.modelHash.slice(0, 12)}`
}

/** @throws {ServiceError} `model_not_found` for every name except the served one */
export function assertServed(card: ModelCard, name: string): void {
  if (name === card.servedModelName) return
  throw new ServiceError('model_not_found', `The model \`${name.slice(0, 256)}\` does not exist or you do not have access to it.`)
}

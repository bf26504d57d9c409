import { ServiceError } from '../../inference/contract/errors.ts'

/** What the API process may say of the model it serves. */
export interface ModelCard {
  /** The name that clients send as `model`. */
  readonly servedModelName: string
  /** Tokens, prompt and continuation together. */
  readonly contextLength: number
  /** Unix seconds. */
  readonly created: number
  /** Identifies weights and quantization, see EngineDescription; null until a worker has told it. */
  readonly modelHash: string | null
}

/** `system_fingerprint`: answers with the same fingerprint and seed can be compared. */
export function systemFingerprint(card: ModelCard): string | null {
  return card.modelHash === null ? null : `fp_${card.modelHash.slice(0, 12)}`
}

/** @throws {ServiceError} `model_not_found` for every name but the served one */
export function assertServed(card: ModelCard, name: string): void {
  if (name === card.servedModelName) return
  throw new ServiceError('model_not_found', `The model \`${name.slice(0, 256)}\` does not exist or you do not have access to it.`)
}

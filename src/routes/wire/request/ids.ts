import { randomBytes, randomInt } from 'node:crypto'

const ID_BYTES = 16
const MAX_SEED = 2 ** 48 - 1

/** A prefix and 128 random bits, so that the ids of other callers' streams cannot be guessed. */
export function newId(prefix: 'cmpl-' | 'chatcmpl-' | 'req_'): string {
  return prefix + randomBytes(ID_BYTES).toString('hex')
}

/** A seed for a request without one. */
export function newSeed(): number {
  return randomInt(MAX_SEED)
}

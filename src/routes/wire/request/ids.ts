import { randomBytes, randomInt } from 'node:crypto'

const ID_BYTES = 16
const SEED_BELOW = 2 ** 48 - 1

/** `cmpl-`, `chatcmpl-` or `req_`, and 128 random bits: nobody guesses another's stream. */
export function newId(prefix: 'cmpl-' | 'chatcmpl-' | 'req_'): string {
  return prefix + randomBytes(ID_BYTES).toString('hex')
}

/** A seed for a request that came without one. */
export function newSeed(): number {
  return randomInt(SEED_BELOW)
}

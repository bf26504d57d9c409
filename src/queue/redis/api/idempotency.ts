import { setTimeout as pause } from 'node:timers/promises'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import { idempotencyMismatch } from '../../failures.ts'
import type { RequestStore } from '../requests/request-store.ts'

/**
 * A request claims its key before it is admitted. Another request with the same key waits this long for the admission.
 */
const ADMISSION_MS = 2000
const LOOK_AGAIN_MS = 25

/**
 * Claims the idempotency key of a request.
 *
 * @param keyStore  the store of the key's shard
 * @param storeOf   returns the store of a request's shard
 * @returns         null without a key; the request that holds the key already and has neither failed nor been
 *   cancelled; or the value with which this request holds the key now
 * @throws {ServiceError} `idempotency_mismatch`
 */
export async function claimKey(
  { id, delivery }: GenerationRequest,
  keyStore: RequestStore,
  storeOf: (requestId: string) => RequestStore
): Promise<{ readonly heldBy: string } | { readonly value: string } | null> {
  if (delivery.idempotency === null) return null
  const { key, digest } = delivery.idempotency
  const value = `${digest} ${id} ${Date.now()}`
  let replaces = ''
  for (;;) {
    const held = await keyStore.claimIdempotency(delivery.owner, key, value, replaces)
    if (held === null) return { value }
    const [heldDigest, heldBy = '', sinceMs] = held.split(' ')
    if (heldDigest !== digest) throw idempotencyMismatch()
    const [status] = await storeOf(heldBy).statuses([heldBy])
    const isAdmitted = status !== undefined && status !== null
    if (isAdmitted && status.state !== 'failed' && status.state !== 'cancelled') return { heldBy }
    if (isAdmitted || Date.now() - Number(sinceMs) > ADMISSION_MS) replaces = held
    else await pause(LOOK_AGAIN_MS)
  }
}

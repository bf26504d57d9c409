import { PLAIN_DELIVERY } from '../../src/inference/contract/delivery-policy.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../src/inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../../src/inference/contract/sampling.ts'

let made = 0

/** A valid request of three tokens with a unique id; the test sets the fields that it depends on. */
export function aRequest(overrides: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    ...PLAIN_REQUEST,
    id: `cmpl-${++made}`,
    prompts: [{ tokenIds: [1] }],
    maxNewTokens: 3,
    sampling: PLAIN_SAMPLING,
    admittedAtMs: 0,
    delivery: PLAIN_DELIVERY,
    ...overrides
  }
}

import type { TextPort } from '../../inference/contract/text-port.ts'
import type { ModelCard } from '../models/model-card.ts'
import { parseWith } from '../wire/fields/zod-validator.ts'
import type { GenerationApi } from '../wire/generation-api.ts'
import type { Admission } from '../wire/request/admission.ts'
import { ignoredFields, refuseIfStrict } from '../wire/request/ignored-params.ts'
import { type ParsedRequest, parseRequest } from '../wire/request/parse-request.ts'

export interface CreateParts {
  readonly text: TextPort
  readonly card: ModelCard
  /** Whether unknown fields are refused instead of listed in the message `started`. */
  readonly strictParams: boolean
  readonly warn: (message: string) => void
}

export interface CreatedRequest extends ParsedRequest {
  /** Names of the unknown fields. */
  readonly ignored: readonly string[]
  /** Whether the body requests that the request runs to its end without a reader. */
  readonly background: boolean
}

/**
 * Turns the body of a create message into a request. On a socket every response is a stream.
 *
 * @throws {ServiceError} `invalid_request`, also for unknown fields in strict mode; `model_not_found`,
 *   `context_overflow`
 */
export async function createRequest(
  api: GenerationApi,
  rawBody: object,
  { text, card, strictParams, warn }: CreateParts,
  context: Pick<Admission, 'callerSalt' | 'admittedAtMs' | 'signal'>
): Promise<CreatedRequest> {
  const body = parseWith(api.schema, { ...rawBody, stream: true })
  const ignored = ignoredFields(body, api.schema.shape)
  refuseIfStrict(ignored, strictParams)
  return { ...(await parseRequest(api, body, { text, card, warn, ...context })), ignored, background: body.background }
}

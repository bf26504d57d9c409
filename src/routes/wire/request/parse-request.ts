import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { Presentation } from '../dialect.ts'
import type { GenerationApi } from '../generation-api.ts'
import type { Admission, RequestBody } from './admission.ts'
import { newId, newSeed } from './ids.ts'

/** A validated body in the internal form. */
export interface ParsedRequest {
  readonly generation: GenerationRequest
  readonly presentation: Presentation
}

/**
 * @param body  output of the schema of `api`
 * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
 */
export async function parseRequest<Body extends RequestBody>(
  api: GenerationApi<Body>,
  body: Body,
  context: Omit<Admission, 'id' | 'newSeed'>
): Promise<ParsedRequest> {
  const admission = { ...context, id: newId(api.idPrefix), newSeed }
  const generation = await api.admit(body, admission)
  return { generation, presentation: { dialect: api.name, view: api.toView(body, generation, admission) } }
}

import type { z } from 'zod'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { Presentation } from '../dialect.ts'
import type { Admission, RequestBody } from './admission.ts'

/**
 * One dialect's way from a body to a request, whoever brings the body: its route, a socket, or somebody who only wants
 * to see what would be asked.
 */
export interface BodyReader<Body extends RequestBody> {
  /** Where the dialect answers a POST. */
  readonly path: string
  readonly schema: z.ZodType<Body> & { readonly shape: object }
  readonly idPrefix: 'cmpl-' | 'chatcmpl-'
  /**
   * @param body  what `schema` made of it
   * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
   */
  read(body: Body, admission: Admission): Promise<{ readonly generation: GenerationRequest; readonly presentation: Presentation }>
}

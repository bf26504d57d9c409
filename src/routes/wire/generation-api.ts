import type { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { Dialect } from './dialect.ts'
import type { Admission, RequestBody } from './request/admission.ts'

/**
 * One text-generation API: where its requests arrive, how a body becomes a request, and how events become a response.
 * HTTP routes, WebSocket messages and resumed streams are derived from it.
 */
export interface GenerationApi<Body extends RequestBody = RequestBody> extends Dialect {
  /** URL of the POST route. */
  readonly path: string
  /** Type of the WebSocket message that creates a request. */
  readonly messageType: `${string}.create`
  readonly idPrefix: 'cmpl-' | 'chatcmpl-'
  readonly schema: z.ZodType<Body> & { readonly shape: object }
  /**
   * @param body  output of `schema`
   * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
   */
  admit(body: Body, admission: Admission): Promise<GenerationRequest>
  /** The data that `presenter` needs besides the events. */
  toView(body: Body, request: GenerationRequest, admission: Admission): object
}

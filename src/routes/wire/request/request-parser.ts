import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { TextPort } from '../../../inference/contract/text-port.ts'
import type { ModelCard } from '../../models/model-card.ts'
import type { Presentation } from '../dialect.ts'
import { parseWith } from '../fields/zod-validator.ts'
import type { RequestBody } from './admission.ts'
import type { BodyReader } from './body-reader.ts'
import { newId, newSeed } from './ids.ts'
import { ignoredFields, refuseIfStrict } from './ignored-params.ts'

/** A body that its dialect has read and found good. */
export interface ParsedRequest {
  readonly generation: GenerationRequest
  readonly presentation: Presentation
  /** Names of fields that were ignored. */
  readonly ignored: readonly string[]
  /** The body asks for work that runs to its end, read or not. */
  readonly background: boolean
}

/**
 * Turns a body of one dialect that comes by a socket, where every answer is a stream, into a request.
 *
 * @throws {ServiceError} what the dialect refuses, and unknown fields in strict mode
 */
export type RequestParser = (
  body: object,
  context: { readonly owner: string; readonly admittedAtMs: number; readonly signal: AbortSignal }
) => Promise<ParsedRequest>

export interface RequestParserParts {
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
  readonly warn: (message: string) => void
}

export function requestParserOf<Body extends RequestBody>(
  reader: BodyReader<Body>,
  { text, card, strictParams, warn }: RequestParserParts
): RequestParser {
  return async (raw, { owner, admittedAtMs, signal }) => {
    const body = parseWith(reader.schema, { ...raw, stream: true })
    const ignored = ignoredFields(body, reader.schema.shape)
    refuseIfStrict(ignored, strictParams)
    const admission = { text, card, newSeed, id: newId(reader.idPrefix), admittedAtMs, callerSalt: owner, signal, warn }
    const read = await reader.read(body, admission)
    return { ...read, ignored, background: body.background }
  }
}

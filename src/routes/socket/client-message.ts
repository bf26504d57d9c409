import { z } from 'zod'
import { ServiceError } from '../../inference/contract/errors.ts'
import { objectField } from '../wire/fields/object-field.ts'
import { parseWith } from '../wire/fields/zod-validator.ts'
import type { GenerationApi } from '../wire/generation-api.ts'
import { isTooLarge, jsonFault, parseJson } from '../wire/json/json-bounds.ts'

const MAX_ID_CHARS = 128

/** The client's own name of a request on its socket. */
const Id = z.string().min(1).max(MAX_ID_CHARS)
const Cancel = z.object({ type: z.literal('cancel'), id: Id })
const Resume = z.object({ type: z.literal('resume'), id: Id, stream_id: z.string().max(MAX_ID_CHARS), after: z.int().min(0).default(0) })

export interface CreateMessage {
  readonly type: GenerationApi['messageType']
  readonly id: string
  readonly body: object
  readonly background?: boolean | undefined
}
export type ResumeMessage = z.output<typeof Resume>
export type ClientMessage = CreateMessage | ResumeMessage | z.output<typeof Cancel>

/** @throws {ServiceError} `invalid_request`: not JSON, or not a valid message */
export type ClientMessageParser = (text: string) => ClientMessage

/** A parser for the messages of a server with these APIs. */
export function clientMessageParser(apis: readonly GenerationApi[]): ClientMessageParser {
  const Create = z.object({
    type: z.enum(apis.map(({ messageType }) => messageType)),
    id: Id,
    body: objectField(),
    background: z.boolean().optional()
  })
  const Message = z.discriminatedUnion('type', [Create, Cancel, Resume])
  return text => parseWith(Message, toJson(text))
}

/** The id in a message that is not valid, so that its error can be sent with the same id; null if there is none. */
export function idOf(text: string): string | null {
  const named = z.object({ id: Id }).safeParse(isTooLarge(text) ? null : parseJson(text))
  return named.success ? named.data.id : null
}

function toJson(text: string): unknown {
  const fault = jsonFault(text)
  if (fault !== null) throw new ServiceError('invalid_request', `Invalid frame: ${fault}.`)
  const json = parseJson(text)
  if (json === undefined) throw new ServiceError('invalid_request', 'The frame is not valid JSON.')
  return json
}

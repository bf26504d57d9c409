import { z } from 'zod'
import { ServiceError } from '../../inference/contract/errors.ts'
import { holdsTooMuch, jsonFault } from '../wire/fields/json-bounds.ts'
import { objectField } from '../wire/fields/object-field.ts'
import { parseWith } from '../wire/fields/zod-validator.ts'

const MAX_ID_CHARS = 128

/** The client's own name for a request on this socket. */
const Id = z.string().min(1).max(MAX_ID_CHARS)
const Create = { id: Id, body: objectField(), background: z.boolean().optional() }

const ClientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('completion.create'), ...Create }),
  z.object({ type: z.literal('chat.create'), ...Create }),
  z.object({ type: z.literal('cancel'), id: Id }),
  z.object({ type: z.literal('resume'), id: Id, stream_id: z.string().max(MAX_ID_CHARS), after: z.int().min(0).default(0) })
])
export type ClientMessage = z.infer<typeof ClientMessage>
export type CreateMessage = Extract<ClientMessage, { type: 'completion.create' | 'chat.create' }>
export type ResumeMessage = Extract<ClientMessage, { type: 'resume' }>

/** @throws {ServiceError} `invalid_request`: no JSON, or not a message */
export function parseClientMessage(text: string): ClientMessage {
  return parseWith(ClientMessage, toJson(text))
}

/** Whom an answer to a message that is not good can be told to: the id it names, if it names one. */
export function idOf(text: string): string | null {
  const named = z.object({ id: Id }).safeParse(orNull(text))
  return named.success ? named.data.id : null
}

function toJson(text: string): unknown {
  const fault = jsonFault(text)
  if (fault !== null) throw new ServiceError('invalid_request', `Invalid frame: ${fault}.`)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ServiceError('invalid_request', 'The frame is not valid JSON.', { cause })
  }
}

function orNull(text: string): unknown {
  if (holdsTooMuch(text)) return null
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

import { z } from 'zod'
import { ErrorSchema } from '../wire/errors/error-body.ts'
import { StreamStateSchema } from '../wire/stream/stream-state.ts'

/** Response of GET /v1/streams/{id}?stream=false and DELETE /v1/streams/{id}. */
export const StreamSchema = StreamStateSchema.extend({
  response: z
    .looseObject({})
    .nullable()
    .describe('The response so far, in the format of the API that created the request; null if there is none yet.'),
  error: ErrorSchema.shape.error.optional().describe('The error of a failed request.')
}).meta({ id: 'Stream', description: 'Status of a request, and its response so far.' })
export type Stream = Readonly<z.output<typeof StreamSchema>>

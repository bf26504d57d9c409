import { z } from 'zod'
import { ErrorSchema, StreamStateSchema } from '../wire/schema.ts'

/** A request as GET /v1/streams/{id}?stream=false and DELETE tell it. */
export const StreamSchema = StreamStateSchema.extend({
  response: z.looseObject({}).nullable().describe('As far as it goes, in the dialect of the request.'),
  error: ErrorSchema.shape.error.optional()
}).meta({ id: 'Stream' })

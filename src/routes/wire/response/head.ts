import { z } from 'zod'

/** Fields that every response of a generation begins with. */
export const headFields = {
  id: z.string().describe('Identifier of the response, and of its stream: GET /v1/streams/{id}.'),
  created: z.int().describe('Unix time in seconds at which the request was admitted.'),
  model: z.string().describe('Name of the model.'),
  system_fingerprint: z
    .string()
    .optional()
    .describe('Identifies the model weights. The same fingerprint, seed, parameters and prompt produce the same text.')
}

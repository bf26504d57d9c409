import { z } from 'zod'

/** OpenAI's envelope of errors. */
export const ErrorSchema = z
  .strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe('The field at fault, where a single one is.'),
      code: z.string().nullable()
    })
  })
  .meta({ id: 'Error', description: 'Why a request was refused or failed.' })

export const UsageSchema = z
  .strictObject({
    prompt_tokens: z.int().min(0),
    completion_tokens: z.int().min(0),
    total_tokens: z.int().min(0),
    prompt_tokens_details: z.strictObject({ cached_tokens: z.int().min(0) })
  })
  .meta({ id: 'Usage', description: 'Tokens of a request; `cached_tokens` came from a prefix that was computed before.' })

const ms = z.number().min(0)

export const TimingsSchema = z
  .strictObject({
    queue_ms: ms,
    prefill_ms: ms,
    decode_ms: ms,
    prefill_ms_per_token: ms,
    decode_ms_per_token: ms
  })
  .meta({ id: 'Timings', description: 'Where the time of a request went, in milliseconds.' })

export const StreamStateSchema = z
  .object({
    id: z.string(),
    status: z.enum(['queued', 'running', 'finished', 'failed', 'cancelled']),
    position: z.int().min(1).nullable().describe('Its place in the line, 1 is next; null when it does not wait.'),
    eta_ms: z.int().min(0).nullable().describe('Milliseconds until it is likely to start.')
  })
  .meta({ id: 'StreamState', description: 'Where a request stands.' })

/** Facts that all answers of a generation begin with. */
export const headFields = {
  id: z.string().describe('Names the stream, too: GET /v1/streams/{id}.'),
  created: z.int().describe('Unix seconds.'),
  model: z.string(),
  system_fingerprint: z.string().optional().describe('The same fingerprint, seed, parameters and prompt give the same text.')
}

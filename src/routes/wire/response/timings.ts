import { z } from 'zod'
import type { Timings, Usage } from '../../../inference/contract/events.ts'

const ms = z.number().min(0)

export const TimingsSchema = z
  .strictObject({
    queue_ms: ms.describe('Time from admission to the first computation.'),
    prefill_ms: ms.describe('Time from the first computation to the first token.'),
    decode_ms: ms.describe('Time from the first token to the end.'),
    prefill_ms_per_token: ms.describe('`prefill_ms` divided by the number of prompt tokens that were not cached.'),
    decode_ms_per_token: ms.describe('`decode_ms` divided by the number of completion tokens of all choices.')
  })
  .meta({ id: 'Timings', description: 'Durations of the phases of a request, in milliseconds.' })
export type WireTimings = Readonly<z.output<typeof TimingsSchema>>

export function toWireTimings({ queueMs, prefillMs, decodeMs }: Timings, usage: Usage): WireTimings {
  const computed = usage.promptTokens - usage.cachedTokens
  return {
    queue_ms: queueMs,
    prefill_ms: prefillMs,
    decode_ms: decodeMs,
    prefill_ms_per_token: prefillMs / Math.max(1, computed),
    decode_ms_per_token: decodeMs / Math.max(1, usage.completionTokens)
  }
}

import { z } from 'zod'
import { nullDefault } from './null-default.ts'

/** OpenAI's `stream_options`, and vLLM's `continuous_usage_stats`. */
export const streamOptions = {
  include_usage: nullDefault(z.boolean(), false),
  continuous_usage_stats: nullDefault(z.boolean(), false)
}

export const streamOptionsField = nullDefault(z.looseObject(streamOptions), null).describe('What a stream tells beside its tokens.')

import { z } from 'zod'
import { PLAIN_SAMPLING, type SamplingParams } from '../../inference/contract/sampling.ts'
import { logitBiasField } from './logit-bias-field.ts'
import { nullDefault } from './null-default.ts'

/** The fields of a body that say how tokens are drawn, in the client's spelling; `top_k` and `min_p` are vLLM's. */
export const samplingFields = {
  temperature: nullDefault(z.number().min(0).max(2), 1),
  top_p: nullDefault(z.number().gt(0).max(1), 1),
  top_k: nullDefault(z.int().min(-1), 0),
  min_p: nullDefault(z.number().min(0).max(1), 0),
  presence_penalty: nullDefault(z.number().min(-2).max(2), 0),
  frequency_penalty: nullDefault(z.number().min(-2).max(2), 0),
  logit_bias: logitBiasField,
  seed: nullDefault(z.int(), null)
}

type SamplingBody = { readonly [Field in keyof typeof samplingFields]: z.output<(typeof samplingFields)[Field]> }

/** @param drawSeed  called only where the client gave no seed */
export function toSamplingParams(body: SamplingBody, drawSeed: () => number): SamplingParams {
  return {
    ...PLAIN_SAMPLING,
    temperature: body.temperature,
    topP: body.top_p,
    topK: Math.max(body.top_k, 0),
    minP: body.min_p,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    logitBias: body.logit_bias,
    seed: body.seed ?? drawSeed()
  }
}

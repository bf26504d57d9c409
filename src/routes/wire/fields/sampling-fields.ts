import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import type { SamplingParams } from '../../../inference/contract/sampling.ts'
import { describe } from './issue-message.ts'
import { logitBiasField } from './logit-bias-field.ts'
import { nullDefault } from './null-default.ts'
import { badWordsField } from './string-list-fields.ts'
import { tokenIdsField } from './token-ids-field.ts'

/**
 * Signed or unsigned 64-bit integers. JSON numbers are doubles here, so that above 2^53 several integers are the same
 * seed.
 */
const seedField = nullDefault(
  z
    .number()
    .min(-(2 ** 63))
    .max(2 ** 64)
    .refine(Number.isInteger, { error: ({ input }) => `Invalid type for 'seed': expected an integer, but got ${describe(input)} instead.` })
    .meta({ type: 'integer' }),
  null
)

/** The sampling fields of a body, with the names of OpenAI and vLLM, and llama.cpp's `typical_p`. */
export const samplingFields = {
  temperature: nullDefault(z.number().min(0).max(2), 1).describe(
    'Sampling temperature. 0 always selects the most likely token; 1 samples from the distribution of the model.'
  ),
  top_p: nullDefault(z.number().min(0).max(1), 1).describe(
    'Nucleus sampling: samples from the most likely tokens whose probabilities add up to `top_p`. 0 always selects the most likely token.'
  ),
  top_k: nullDefault(z.int().min(-1), 0).describe('Samples from the `top_k` most likely tokens. 0 and -1 disable the filter.'),
  min_p: nullDefault(z.number().min(0).max(1), 0).describe(
    'Minimum probability of a token, relative to the probability of the most likely token. 0 disables the filter.'
  ),
  typical_p: nullDefault(z.number().gt(0).max(1), 1).describe(
    'Locally typical sampling: samples from the tokens whose information content is closest to the entropy, up to this total probability. 1 disables the filter.'
  ),
  repetition_penalty: nullDefault(z.number().gt(0).max(2), 1).describe(
    'Penalty for tokens that appear in the prompt or in the text so far. Values above 1 make them less likely.'
  ),
  presence_penalty: nullDefault(z.number().min(-2).max(2), 0).describe(
    'Value that is subtracted from the logit of each token that appears in the text so far.'
  ),
  frequency_penalty: nullDefault(z.number().min(-2).max(2), 0).describe(
    'Value that is subtracted from the logit of a token for each time it appears in the text so far.'
  ),
  logit_bias: logitBiasField,
  allowed_token_ids: tokenIdsField(LIMITS.allowedTokenIds, { minimum: 1 }).describe(
    'Token ids that may be generated; all others are excluded.'
  ),
  bad_words: badWordsField,
  min_tokens: nullDefault(z.int().min(0), 0).describe(
    'Minimum number of tokens of each choice before a stop string, stop token or end-of-sequence token can end it.'
  ),
  seed: seedField.describe('Seed of the random numbers. The same seed, parameters and prompt produce the same text.')
}

export type SamplingBody = { readonly [Field in keyof typeof samplingFields]: z.output<(typeof samplingFields)[Field]> }

export interface SamplingParts {
  /** Called only if the body has no seed. */
  readonly newSeed: () => number
  /** Token sequences of `bad_words`. */
  readonly badWords: readonly (readonly number[])[]
}

export function toSamplingParams(body: SamplingBody, { newSeed, badWords }: SamplingParts): SamplingParams {
  const isGreedyRequest = body.top_p === 0
  return {
    temperature: isGreedyRequest ? 0 : body.temperature,
    topP: isGreedyRequest ? 1 : body.top_p,
    topK: Math.max(body.top_k, 0),
    minP: body.min_p,
    typicalP: body.typical_p,
    repetitionPenalty: body.repetition_penalty,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    logitBias: body.logit_bias,
    allowedTokenIds: body.allowed_token_ids,
    badWords,
    minNewTokens: body.min_tokens,
    seed: body.seed ?? newSeed()
  }
}

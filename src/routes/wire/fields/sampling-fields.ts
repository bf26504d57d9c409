import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import type { SamplingParams } from '../../../inference/contract/sampling.ts'
import { badWordsField } from './bad-words-field.ts'
import { describe } from './issue-message.ts'
import { logitBiasField } from './logit-bias-field.ts'
import { nullDefault } from './null-default.ts'
import { tokenIdsField } from './token-ids-field.ts'

/**
 * What fits 64 bits, with a sign or without. JSON's numbers are doubles here: beyond 2^53 neighbours are the same seed.
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

/**
 * The fields of a body that say how tokens are drawn, in the client's spelling: OpenAI's, vLLM's, and llama.cpp's
 * `typical_p`.
 */
export const samplingFields = {
  temperature: nullDefault(z.number().min(0).max(2), 1).describe(
    '0 takes the likeliest token, 1 draws from the distribution of the model.'
  ),
  top_p: nullDefault(z.number().min(0).max(1), 1).describe(
    'Draws from the likeliest tokens that together have this probability; 0 takes the likeliest token.'
  ),
  top_k: nullDefault(z.int().min(-1), 0).describe('Draws from so many of the likeliest tokens; 0 and -1 are all.'),
  min_p: nullDefault(z.number().min(0).max(1), 0).describe('Draws from tokens that are at least this likely, compared with the likeliest.'),
  typical_p: nullDefault(z.number().gt(0).max(1), 1).describe(
    'Draws from the tokens whose information is nearest to what is expected, up to this probability together.'
  ),
  repetition_penalty: nullDefault(z.number().gt(0).max(2), 1).describe(
    'Above 1, tokens of the prompt and the text so far are less likely.'
  ),
  presence_penalty: nullDefault(z.number().min(-2).max(2), 0).describe('Taken from the logits of tokens that the text has already.'),
  frequency_penalty: nullDefault(z.number().min(-2).max(2), 0).describe(
    'Taken from the logits of tokens for each time that the text has them.'
  ),
  logit_bias: logitBiasField,
  allowed_token_ids: tokenIdsField('allowed_token_ids', LIMITS.allowedTokenIds, { isEmptyAllowed: false }).describe(
    'The only token ids that may be drawn.'
  ),
  bad_words: badWordsField,
  min_tokens: nullDefault(z.int().min(0), 0).describe('No stop string or end token ends a choice before it has so many tokens.'),
  seed: seedField.describe('The same seed, parameters and prompt give the same text.')
}

export type SamplingBody = { readonly [Field in keyof typeof samplingFields]: z.output<(typeof samplingFields)[Field]> }

export interface SamplingParts {
  /** Called only where the client gave no seed. */
  readonly newSeed: () => number
  /** What `toBadWordIds` made of `bad_words`. */
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

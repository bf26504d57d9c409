import { ServiceError } from '../../../inference/contract/errors.ts'
import type { SamplingParams } from '../../../inference/contract/sampling.ts'
import type { TextPort, TextWait } from '../../../inference/contract/text-port.ts'
import { toBadWordIds } from '../fields/bad-words-field.ts'
import { type SamplingBody, toSamplingParams } from '../fields/sampling-fields.ts'

/**
 * The sampling of a body, where the model is known: its tokens exist, and its words are ids.
 *
 * @throws {ServiceError} `invalid_request`
 */
export async function admitSampling(
  body: SamplingBody,
  { text, newSeed, signal }: { readonly text: Pick<TextPort, 'encode' | 'vocabularySize'>; readonly newSeed: () => number } & TextWait
): Promise<SamplingParams> {
  const biased = body.logit_bias.map(([tokenId]) => tokenId)
  assertInVocabulary('logit_bias', biased, text.vocabularySize)
  assertInVocabulary('allowed_token_ids', body.allowed_token_ids, text.vocabularySize)
  return toSamplingParams(body, { newSeed, badWords: await toBadWordIds(body.bad_words, text, signal === undefined ? {} : { signal }) })
}

/** @throws {ServiceError} `invalid_request` for the first id that is no token */
export function assertInVocabulary(field: string, tokenIds: readonly number[] | null, vocabularySize: number): void {
  for (const tokenId of tokenIds ?? []) {
    if (tokenId < vocabularySize) continue
    throw new ServiceError(
      'invalid_request',
      `Invalid '${field}': token id outside the vocabulary. Expected an id below ${vocabularySize}, but got ${tokenId} instead.`,
      { param: field }
    )
  }
}

import type { SamplingParams } from '../../../inference/contract/sampling.ts'
import type { TextPort, TextWait } from '../../../inference/contract/text-port.ts'
import { invalid } from '../errors/service-errors.ts'
import { type SamplingBody, toSamplingParams } from '../fields/sampling-fields.ts'

/**
 * The sampling parameters of a body: checks token ids against the vocabulary, and tokenizes `bad_words`.
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

/** @throws {ServiceError} `invalid_request` for the first id that is not in the vocabulary */
export function assertInVocabulary(field: string, tokenIds: readonly number[] | null, vocabularySize: number): void {
  for (const tokenId of tokenIds ?? []) {
    if (tokenId < vocabularySize) continue
    throw invalid(
      field,
      `Invalid '${field}': token id outside the vocabulary. Expected an id below ${vocabularySize}, but got ${tokenId} instead.`
    )
  }
}

/**
 * The token sequences of the words: at the beginning of a text and, after a space, within it.
 *
 * Source: vLLM, `SamplingParams.update_from_tokenizer`: the sequence with a space is added only if the space changes
 * the first token and not the number of tokens.
 */
async function toBadWordIds(
  words: readonly string[],
  text: Pick<TextPort, 'encode'>,
  wait: TextWait
): Promise<readonly (readonly number[])[]> {
  const sequences = await Promise.all(
    words.map(async word => {
      const bare = word.trimStart()
      const [plain, spaced] = await Promise.all([bare, ` ${bare}`].map(one => text.encode(one, { ...wait, addSpecialTokens: false })))
      const isOtherWord = plain !== undefined && spaced !== undefined && spaced[0] !== plain[0] && spaced.length === plain.length
      return [plain ?? [], ...(isOtherWord ? [spaced] : [])]
    })
  )
  return sequences.flat().filter(ids => ids.length > 0)
}

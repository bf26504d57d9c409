import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import type { TextPort, TextWait } from '../../../inference/contract/text-port.ts'
import { describe } from './issue-message.ts'

/** `bad_words`: strings that shall not be generated; behind this line always a list. */
export const badWordsField = z
  .unknown()
  .optional()
  .transform((value, context): readonly string[] => {
    const fault = (message: string): never => {
      context.addIssue({ code: 'custom', message, input: value })
      return z.NEVER
    }
    if (value === undefined || value === null) return []
    if (!Array.isArray(value))
      return fault(`Invalid type for 'bad_words': expected an array of strings, but got ${describe(value)} instead.`)
    if (value.length > LIMITS.badWords) {
      return fault(`Invalid 'bad_words': array too long. Expected maximum length ${LIMITS.badWords}, but got ${describe(value)} instead.`)
    }
    const words: string[] = []
    for (const word of value) {
      if (typeof word !== 'string') {
        return fault(`Invalid type for 'bad_words': expected an array of strings, but got ${describe(word)} among them instead.`)
      }
      if (word.trim().length === 0) {
        return fault(`Invalid 'bad_words': expected strings with more than spaces, but got ${describe(word)} among them instead.`)
      }
      if (word.length > LIMITS.badWordChars) {
        return fault(
          `Invalid 'bad_words': string too long. Expected maximum length ${LIMITS.badWordChars}, but got ${describe(word)} instead.`
        )
      }
      words.push(word)
    }
    return words
  })
  .meta({
    description: 'Strings that shall not be generated.',
    default: null,
    anyOf: [
      { type: 'array', items: { type: 'string', minLength: 1, maxLength: LIMITS.badWordChars }, maxItems: LIMITS.badWords },
      { type: 'null' }
    ]
  })

/**
 * The token sequences that write the words, at the beginning of a text and within it, where a space precedes them.
 *
 * Source: vLLM, `SamplingParams.update_from_tokenizer`: with a space only where that changes the first token and not
 * their number.
 */
export async function toBadWordIds(
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

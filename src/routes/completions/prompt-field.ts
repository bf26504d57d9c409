import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { describe, invalidType, invalidValue, type RawIssue } from '../wire/fields/issue-message.ts'
import { listOrIssue, readList } from '../wire/fields/list-field.ts'
import { isTokenId } from '../wire/fields/token-ids-field.ts'

/** The four shapes of OpenAI's `prompt`, as two: texts to tokenize, or lists of token ids. */
export type PromptInput =
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  | { readonly kind: 'ids'; readonly prompts: readonly (readonly number[])[] }

const TOKEN_IDS = { type: 'array' as const, items: { type: 'integer' as const, minimum: 0 }, minItems: 1, maxItems: LIMITS.tokenIdsPerList }
const PROMPTS = { maximum: LIMITS.promptsPerRequest }
const IDS = {
  maximum: LIMITS.tokenIdsPerList,
  expected: 'a string, an array of strings, an array of token ids, or an array of arrays of token ids'
}

/**
 * `prompt`: string, string[], int[] or int[][]; null if it is missing, which is refused after the checks of `model`.
 * Whether ids are in the vocabulary is checked where the model is known.
 */
export const promptField = z
  .unknown()
  .optional()
  .transform((value, context): PromptInput | null => {
    if (value === undefined || value === null) return null
    const prompts: readonly unknown[] = Array.isArray(value) && typeof value[0] !== 'number' ? value : [value]
    if (typeof prompts[0] === 'string') return { kind: 'texts', texts: listOrIssue(readList(prompts, PROMPTS, readText), context) }
    const lists = prompts.length === 0 ? emptyPrompt(prompts) : readList(prompts, PROMPTS, readIds)
    return { kind: 'ids', prompts: listOrIssue(lists, context) }
  })
  .meta({
    description: 'The prompts to complete: a text, a list of texts, a list of token ids, or a list of lists of token ids.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, maxItems: LIMITS.promptsPerRequest },
      { ...TOKEN_IDS },
      { type: 'array', items: { ...TOKEN_IDS }, minItems: 1, maxItems: LIMITS.promptsPerRequest }
    ]
  })

function readText(value: unknown, list: string[]): RawIssue | undefined {
  if (typeof value !== 'string') return invalidType(IDS.expected, value)
  if (value.length === 0) return emptyPrompt(value)
  list.push(value)
  return undefined
}

function readIds(value: unknown, list: number[][]): RawIssue | undefined {
  if (Array.isArray(value) && value.length === 0) return emptyPrompt(value)
  const ids = readList(value, IDS, readId)
  if (!Array.isArray(ids)) return ids
  list.push(ids)
  return undefined
}

function readId(value: unknown, list: number[]): RawIssue | undefined {
  if (typeof value !== 'number') return invalidType(IDS.expected, value)
  if (!isTokenId(value)) return invalidValue(`expected token ids, but got ${describe(value)} instead`, value)
  list.push(value)
  return undefined
}

function emptyPrompt(value: unknown): RawIssue {
  return invalidValue(`expected a non-empty prompt, but got ${describe(value)} instead`, value)
}

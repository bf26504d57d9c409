import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { describe } from '../wire/fields/issue-message.ts'

/** The four shapes of OpenAI's `prompt`, as two: texts to encode, or token ids as they are. */
export type PromptInput =
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  | { readonly kind: 'ids'; readonly prompts: readonly (readonly number[])[] }

const TOKEN_IDS = { type: 'array' as const, items: { type: 'integer' as const, minimum: 0 }, minItems: 1, maxItems: LIMITS.tokenIdsPerList }

/**
 * `prompt`: string, string[], int[] or int[][]; null where it is missing, which is refused with all that the model's
 * name decides. Whether ids are in the vocabulary is checked where the model is known.
 */
export const promptField = z
  .unknown()
  .optional()
  .transform((value, context): PromptInput | null => {
    if (value === undefined || value === null) return null
    const input = toPromptInput(value)
    if (typeof input !== 'string') return input
    context.addIssue({ code: 'custom', message: input, input: value })
    return z.NEVER
  })
  .meta({
    description: 'What to go on with: a text, texts, token ids, or lists of token ids.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, maxItems: LIMITS.promptsPerRequest },
      { ...TOKEN_IDS },
      { type: 'array', items: { ...TOKEN_IDS }, minItems: 1, maxItems: LIMITS.promptsPerRequest }
    ]
  })

/** The prompt, or what is wrong with it. Plain loops: a body may hold hundreds of thousands of ids. */
function toPromptInput(value: unknown): PromptInput | string {
  const items: readonly unknown[] = Array.isArray(value) && typeof value[0] !== 'number' ? value : [value]
  if (items.length === 0) return `Invalid 'prompt': expected a non-empty prompt, but got ${describe(value)} instead.`
  if (items.length > LIMITS.promptsPerRequest) {
    return `Invalid 'prompt': array too long. Expected at most ${LIMITS.promptsPerRequest} prompts, but got ${items.length} instead.`
  }
  return typeof items[0] === 'string' ? toTexts(items) : toIds(items)
}

function toTexts(items: readonly unknown[]): PromptInput | string {
  const texts: string[] = []
  for (const item of items) {
    if (typeof item !== 'string') return mixed(item)
    if (item.length === 0) return `Invalid 'prompt': expected a non-empty prompt, but got a string of length 0 instead.`
    texts.push(item)
  }
  return { kind: 'texts', texts }
}

function toIds(items: readonly unknown[]): PromptInput | string {
  const prompts: number[][] = []
  for (const item of items) {
    if (!Array.isArray(item)) return mixed(item)
    if (item.length === 0) return `Invalid 'prompt': expected a non-empty prompt, but got an array of length 0 instead.`
    if (item.length > LIMITS.tokenIdsPerList) {
      return `Invalid 'prompt': array too long. Expected at most ${LIMITS.tokenIdsPerList} token ids, but got ${item.length} instead.`
    }
    const ids: number[] = []
    for (const id of item) {
      if (typeof id !== 'number') return mixed(id)
      if (!Number.isSafeInteger(id) || id < 0) return `Invalid 'prompt': expected token ids, but got ${describe(id)} instead.`
      ids.push(id)
    }
    prompts.push(ids)
  }
  return { kind: 'ids', prompts }
}

function mixed(found: unknown): string {
  return `Invalid type for 'prompt': expected a string, an array of strings, an array of token ids, or an array of such arrays, but got ${describe(found)} among or instead of them.`
}

import { z } from 'zod'
import { describe, invalidValue, type RawIssue } from './issue-message.ts'
import { listOrIssue, readList } from './list-field.ts'

/** Whether a value may be a token id. Whether the id is in the vocabulary is checked where the model is known. */
export function isTokenId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** A list of at most `maximum` token ids, without duplicates; null if the field is missing. */
export function tokenIdsField(maximum: number, { minimum = 0 }: { readonly minimum?: number } = {}) {
  const bounds = { minimum, maximum, expected: 'an array of token ids' }
  return z
    .unknown()
    .optional()
    .transform((value, context): readonly number[] | null => {
      if (value === undefined || value === null) return null
      return [...new Set(listOrIssue(readList(value, bounds, readTokenId), context))]
    })
    .meta({
      default: null,
      anyOf: [{ type: 'array', items: { type: 'integer', minimum: 0 }, maxItems: maximum, minItems: minimum }, { type: 'null' }]
    })
}

function readTokenId(value: unknown, list: number[]): RawIssue | undefined {
  if (!isTokenId(value)) return invalidValue(`expected token ids, but got ${describe(value)} among them instead`, value)
  list.push(value)
  return undefined
}

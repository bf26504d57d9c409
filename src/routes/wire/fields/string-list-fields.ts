import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { describe, invalidType, invalidValue, type RawIssue } from './issue-message.ts'
import { listOrIssue, readList } from './list-field.ts'

const STOP_STRING = { type: 'string' as const, minLength: 1, maxLength: LIMITS.stopStringChars }
const STOP_BOUNDS = { maximum: LIMITS.stopStrings, expected: 'a string or an array of strings' }

/** `stop`: a string, a list of strings, or null. The output is always a list. */
export const stopField = z
  .unknown()
  .optional()
  .transform((value, context): readonly string[] => {
    if (value === undefined || value === null) return []
    return listOrIssue(readList(Array.isArray(value) ? value : [value], STOP_BOUNDS, readStop), context)
  })
  .meta({
    description: 'Strings that end a choice. The text does not contain the stop string.',
    default: null,
    anyOf: [STOP_STRING, { type: 'array', items: STOP_STRING, maxItems: LIMITS.stopStrings }, { type: 'null' }]
  })

function readStop(value: unknown, list: string[]): RawIssue | undefined {
  if (typeof value !== 'string') return invalidType(STOP_BOUNDS.expected, value)
  if (value.length === 0) return invalidValue('expected non-empty strings, but got a string of length 0 instead', value)
  if (value.length > LIMITS.stopStringChars) return tooLong(LIMITS.stopStringChars, value)
  list.push(value)
  return undefined
}

const BAD_WORDS_BOUNDS = { maximum: LIMITS.badWords, expected: 'an array of strings' }

/** `bad_words`: a list of strings, or null. The output is always a list. */
export const badWordsField = z
  .unknown()
  .optional()
  .transform((value, context): readonly string[] => {
    if (value === undefined || value === null) return []
    return listOrIssue(readList(value, BAD_WORDS_BOUNDS, readBadWord), context)
  })
  .meta({
    description: 'Strings that are never generated.',
    default: null,
    anyOf: [
      { type: 'array', items: { type: 'string', minLength: 1, maxLength: LIMITS.badWordChars }, maxItems: LIMITS.badWords },
      { type: 'null' }
    ]
  })

function readBadWord(value: unknown, list: string[]): RawIssue | undefined {
  if (typeof value !== 'string') return invalidType(BAD_WORDS_BOUNDS.expected, value)
  if (value.trim().length === 0) {
    return invalidValue(`expected strings with more than spaces, but got ${describe(value)} among them instead`, value)
  }
  if (value.length > LIMITS.badWordChars) return tooLong(LIMITS.badWordChars, value)
  list.push(value)
  return undefined
}

function tooLong(maximum: number, input: string): RawIssue {
  return { code: 'too_big', origin: 'string', maximum, inclusive: true, input }
}

import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { describe } from './issue-message.ts'

const STOP_STRING = { type: 'string' as const, minLength: 1, maxLength: LIMITS.stopStringChars }

/** `stop`: a string, a list of them, or null; behind this line always a list. */
export const stopField = z
  .unknown()
  .optional()
  .transform((value, context): readonly string[] => {
    const fault = (message: string): never => {
      context.addIssue({ code: 'custom', message, input: value })
      return z.NEVER
    }
    if (value === undefined || value === null) return []
    const given: readonly unknown[] = Array.isArray(value) ? value : [value]
    if (given.length > LIMITS.stopStrings) {
      return fault(`Invalid 'stop': array too long. Expected maximum length ${LIMITS.stopStrings}, but got ${describe(value)} instead.`)
    }
    const stops: string[] = []
    for (const stop of given) {
      if (typeof stop !== 'string') {
        return fault(`Invalid type for 'stop': expected a string or an array of strings, but got ${describe(stop)} instead.`)
      }
      if (stop.length === 0) return fault(`Invalid 'stop': expected non-empty strings, but got a string of length 0 instead.`)
      if (stop.length > LIMITS.stopStringChars) {
        return fault(
          `Invalid 'stop': string too long. Expected maximum length ${LIMITS.stopStringChars}, but got ${describe(stop)} instead.`
        )
      }
      stops.push(stop)
    }
    return stops
  })
  .meta({
    description: 'Strings that end a choice; they are not part of the text.',
    default: null,
    anyOf: [STOP_STRING, { type: 'array', items: STOP_STRING, maxItems: LIMITS.stopStrings }, { type: 'null' }]
  })

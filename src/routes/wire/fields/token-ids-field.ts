import { z } from 'zod'
import { describe } from './issue-message.ts'

/**
 * A list of up to `limit` token ids, none twice; null where it is missing. Whether they are in the vocabulary is
 * checked where the model is known.
 */
export function tokenIdsField(name: string, limit: number, { isEmptyAllowed = true }: { readonly isEmptyAllowed?: boolean } = {}) {
  return z
    .unknown()
    .optional()
    .transform((value, context): readonly number[] | null => {
      const fault = (message: string): never => {
        context.addIssue({ code: 'custom', message, input: value })
        return z.NEVER
      }
      if (value === undefined || value === null) return null
      if (!Array.isArray(value))
        return fault(`Invalid type for '${name}': expected an array of token ids, but got ${describe(value)} instead.`)
      if (value.length > limit) {
        return fault(`Invalid '${name}': array too long. Expected maximum length ${limit}, but got ${describe(value)} instead.`)
      }
      if (value.length === 0 && !isEmptyAllowed) {
        return fault(`Invalid '${name}': array too short. Expected minimum length 1, but got ${describe(value)} instead.`)
      }
      const ids = new Set<number>()
      for (const id of value) {
        if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
          return fault(`Invalid '${name}': expected token ids, but got ${describe(id)} among them instead.`)
        }
        ids.add(id)
      }
      return [...ids]
    })
    .meta({
      default: null,
      anyOf: [
        { type: 'array', items: { type: 'integer', minimum: 0 }, maxItems: limit, minItems: isEmptyAllowed ? 0 : 1 },
        { type: 'null' }
      ]
    })
}

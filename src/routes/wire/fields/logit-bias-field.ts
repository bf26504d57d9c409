import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { describe } from './issue-message.ts'

type LogitBias = readonly (readonly [tokenId: number, bias: number])[]

const TOKEN_ID = /^(?:0|[1-9]\d{0,9})$/
const MAX_BIAS = 100

/**
 * `logit_bias`: an object with token ids as keys and biases from -100 to 100 as values. Whether the ids are in the
 * vocabulary is checked where the model is known.
 */
export const logitBiasField = z
  .unknown()
  .optional()
  .transform((value, context): LogitBias => {
    const fault = (message: string): never => {
      context.addIssue({ code: 'custom', message, input: value })
      return z.NEVER
    }
    if (value === undefined || value === null) return []
    if (typeof value !== 'object' || Array.isArray(value)) {
      return fault(`Invalid type for 'logit_bias': expected an object, but got ${describe(value)} instead.`)
    }
    const entries = Object.entries(value)
    if (entries.length > LIMITS.logitBiasEntries) {
      return fault(
        `Invalid 'logit_bias': too many entries. Expected at most ${LIMITS.logitBiasEntries}, but got ${entries.length} instead.`
      )
    }
    const biases: [number, number][] = []
    for (const [key, bias] of entries) {
      if (!TOKEN_ID.test(key)) return fault(`Invalid key in 'logit_bias': expected a token id, but got ${describe(key)} instead.`)
      if (typeof bias !== 'number' || !(Math.abs(bias) <= MAX_BIAS)) {
        return fault(`Invalid 'logit_bias.${key}': expected a number from -${MAX_BIAS} to ${MAX_BIAS}, but got ${describe(bias)} instead.`)
      }
      biases.push([Number(key), bias])
    }
    return biases
  })
  .meta({
    description: 'Values from -100 to 100 that are added to the logits of tokens before sampling, with token ids as keys.',
    default: null,
    anyOf: [
      {
        type: 'object',
        propertyNames: { pattern: TOKEN_ID.source },
        additionalProperties: { type: 'number', minimum: -MAX_BIAS, maximum: MAX_BIAS },
        maxProperties: LIMITS.logitBiasEntries
      },
      { type: 'null' }
    ]
  })

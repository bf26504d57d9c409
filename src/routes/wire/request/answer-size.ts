import { LIMITS } from '../../../inference/contract/limits.ts'
import { invalid } from '../errors/service-errors.ts'

/** A part of a response whose size is choices × tokens × (1 + alternatives). */
export interface AnswerPart {
  readonly choices: number
  readonly tokens: number
  /** Alternatives listed with each token. */
  readonly alternatives: number
}

/**
 * Bounds the size of a response, summed over all parts, so that a small request cannot cause a huge response.
 *
 * @param param  the field that the error names
 * @throws {ServiceError} `invalid_request` with the product and the bound
 */
export function assertAnswerSize(parts: readonly AnswerPart[], param: string): void {
  const total = sizeOf(parts)
  if (total <= LIMITS.answerEntries) return
  const product = parts
    .filter(part => sizeOf([part]) > 0)
    .map(({ choices, tokens, alternatives }) => `${choices} × ${tokens} × ${1 + alternatives}`)
    .join(' + ')
  throw invalid(
    param,
    `Invalid '${param}': the response could become too large. Expected at most ${LIMITS.answerEntries} for choices × tokens × (1 + alternatives), ` +
      `but got ${product} = ${total} instead. Request fewer choices, tokens or alternatives.`
  )
}

/** Maximum number of tokens per choice so that the response stays within the bound; at least 1. */
export function maxTokensWithin({ choices, alternatives }: Omit<AnswerPart, 'tokens'>, otherParts: readonly AnswerPart[]): number {
  return Math.max(1, Math.floor((LIMITS.answerEntries - sizeOf(otherParts)) / (choices * (1 + alternatives))))
}

function sizeOf(parts: readonly AnswerPart[]): number {
  return parts.reduce((sum, { choices, tokens, alternatives }) => sum + choices * tokens * (1 + alternatives), 0)
}

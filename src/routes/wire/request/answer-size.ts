import { LIMITS } from '../../../inference/contract/limits.ts'
import { invalid } from '../fields/invalid.ts'

/** What an answer tells of some tokens, as often as it tells it. */
export interface AnswerPart {
  readonly choices: number
  readonly tokens: number
  /** Told with each token. */
  readonly alternatives: number
}

/**
 * Bounds choices × tokens × (1 + alternatives), summed over all parts: a small request may not ask for a gigantic
 * answer.
 *
 * @param param  the field to name
 * @throws {ServiceError} `invalid_request` with the product and the bound
 */
export function assertAnswerSize(parts: readonly AnswerPart[], param: string): void {
  const total = entriesOf(parts)
  if (total <= LIMITS.answerEntries) return
  const product = parts
    .filter(part => entriesOf([part]) > 0)
    .map(({ choices, tokens, alternatives }) => `${choices} × ${tokens} × ${1 + alternatives}`)
    .join(' + ')
  throw invalid(
    param,
    `Invalid '${param}': the answer could become too large. Expected at most ${LIMITS.answerEntries} for choices × tokens × (1 + alternatives), ` +
      `but got ${product} = ${total} instead. Ask for fewer choices, tokens or alternatives.`
  )
}

/** Tokens of each choice for which there is room beside the other parts; at least 1. */
export function roomForTokens({ choices, alternatives }: Omit<AnswerPart, 'tokens'>, others: readonly AnswerPart[]): number {
  return Math.max(1, Math.floor((LIMITS.answerEntries - entriesOf(others)) / (choices * (1 + alternatives))))
}

function entriesOf(parts: readonly AnswerPart[]): number {
  return parts.reduce((sum, { choices, tokens, alternatives }) => sum + choices * tokens * (1 + alternatives), 0)
}
